"""A customer fills in a Flow: opened by a message's button, screen after screen as its JSON says, answered at the end."""

import re
from dataclasses import dataclass, field
from typing import Any

from . import flow_json, inbound
from .exchanging import TOKEN_OVER, NoAnswer, exchange
from .flows import Flow
from .numbers import Number
from .threads import Bubble, Thread
from .world import World

_WHOLE = re.compile(r"\$\{(data|form|screen)\.([\w.]+)\}")
MOST_SCREENS = 12
SEVERAL = frozenset({"CheckboxGroup", "ChipsSelector"})


@dataclass(slots=True)
class OpenForm:
    """What the phone shows now. `said` is a sentence above the screen; `is_over` that there is nothing to fill in."""

    flow: Flow
    number: Number
    thread: Thread
    bubble: Bubble
    screen: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)  # as filled in, to show again after a refusal
    passed: dict[str, dict[str, Any]] = field(default_factory=dict)  # screen -> what was filled in there
    said: str = ""
    is_over: bool = False
    answer: dict[str, Any] | None = None

    @property
    def token(self) -> str:
        return str(self.bubble.parts["flow"].get("flow_token") or "unused")

    @property
    def layout(self) -> dict[str, Any]:
        screens = self.flow.definition.get("screens", [])
        return next((one for one in screens if one.get("id") == self.screen), {})

    @property
    def components(self) -> list[dict[str, Any]]:
        return list(flow_json.components(self.layout.get("layout") or {}))

    def known(self, part: dict[str, Any]) -> Any:
        """What stands in an input when the screen opens: filled in before, else as the JSON says."""
        name = part.get("name", "")
        if name in self.values:
            return self.values[name]
        forms = [one for one in self.components if one.get("type") == "Form"]
        start: Any = part.get("init-value")
        for form in forms:
            start = (form.get("init-values") or {}).get(name, start)
        found = self.resolved(start if start is not None else "", {})
        if found == "" and (part.get("type") == "OptIn" or part.get("type") in SEVERAL):
            return False if part["type"] == "OptIn" else []
        return found

    def resolved(self, value: Any, filled: dict[str, Any]) -> Any:
        """A value of the JSON with its `${data.…}`, `${form.…}` and `${screen.…}` replaced."""
        if isinstance(value, dict):
            return {name: self.resolved(each, filled) for name, each in value.items()}
        if isinstance(value, list):
            return [self.resolved(each, filled) for each in value]
        if not isinstance(value, str):
            return value
        if whole := _WHOLE.fullmatch(value):
            return self._look_up(whole, filled)
        return _WHOLE.sub(lambda match: str(self._look_up(match, filled)), value)

    def _look_up(self, match: re.Match[str], filled: dict[str, Any]) -> Any:
        kind, path = match.groups()
        if kind == "form":
            return filled.get(path, "")
        if kind == "data":
            return self.data.get(path, "")
        screen, _form, name = [*path.split("."), "", ""][:3]
        return self.passed.get(screen, {}).get(name, "")


async def begin(world: World, *, number: Number, thread: Thread, bubble: Bubble) -> OpenForm:
    """Open the Flow of a message: its first screen from the message, or from the endpoint."""
    asked = bubble.parts["flow"]
    flow = world.flows.get(str(asked.get("flow_id")))
    if flow is None:
        raise inbound.BadInbound("WhatsApp no longer has this Flow.")
    form = OpenForm(flow, number, thread, bubble)
    world.forms[number.id, thread.key] = form
    if asked.get("flow_action") == "data_exchange":
        await _ask(world, form, "INIT", "", {})
    else:
        payload = asked.get("flow_action_payload") or {}
        screens = flow.definition.get("screens") or [{}]
        form.screen, form.data = str(payload.get("screen") or screens[0].get("id", "")), payload.get("data") or {}
    return form


async def submit(world: World, form: OpenForm, values: dict[str, Any]) -> None:
    """Press the screen's button with these values filled in."""
    form.said, form.values = "", values
    footer = next((part for part in form.components if part.get("type") == "Footer"), {})
    action = footer.get("on-click-action") or {}
    payload = form.resolved(action.get("payload") or {}, values)
    form.passed[form.screen] = values
    if action.get("name") == "navigate":
        _show(form, str((action.get("next") or {}).get("name", "")), payload)
    elif action.get("name") == "data_exchange":
        await _ask(world, form, "data_exchange", form.screen, payload)
    else:
        _finish(world, form, payload)


async def fill(world: World, form: OpenForm, given: dict[str, Any]) -> list[str]:
    """Go through to the end, with `given` filled in where a screen asks for it; the screens that were seen."""
    seen: list[str] = []
    while not form.is_over and not form.said and len(seen) < MOST_SCREENS:
        seen.append(form.screen)
        asked = [part for part in form.components if part.get("name") and part.get("type") != "Form"]
        await submit(world, form, {part["name"]: given.get(part["name"], form.known(part)) for part in asked})
    return seen


async def _ask(world: World, form: OpenForm, action: str, screen: str, data: dict[str, Any]) -> None:
    request: dict[str, Any] = {"version": "3.0", "action": action, "flow_token": form.token}
    if action != "INIT":
        request |= {"screen": screen, "data": data}
    url = form.flow.endpoint_uri or f"{world.settings.app_url}/flows/{form.number.id}/"
    try:
        status, answer = await exchange(
            request, url=url, number=form.number, settings=world.settings, keys=form.thread.keys
        )
    except NoAnswer as failure:
        form.said = str(failure)
        return
    if status == TOKEN_OVER:
        form.said, form.is_over = str(answer.get("error_msg", "")), True
        form.bubble.parts["flow"]["over"] = True
        world.journal.touch()
        return
    given = answer.get("data") if isinstance(answer.get("data"), dict) else {}
    if answer.get("screen") == "SUCCESS":
        _finish(world, form, ((given or {}).get("extension_message_response") or {}).get("params") or {})
    elif answer.get("screen"):
        _show(form, str(answer["screen"]), given or {})


def _show(form: OpenForm, screen: str, data: dict[str, Any]) -> None:
    message = str(data.pop("error_message", "")) if isinstance(data, dict) else ""
    if screen != form.screen:
        form.values = {}
    form.screen, form.data, form.said = screen, data, message


def _finish(world: World, form: OpenForm, params: dict[str, Any]) -> None:
    form.is_over, form.answer = True, params
    world.forms.pop((form.number.id, form.thread.key), None)
    answers = {name: value for name, value in params.items() if name != "flow_token"}
    inbound.receive(
        world,
        {
            "phone_number_id": form.number.id, "from": form.thread.address, "type": "nfm_reply", "response": answers,
            "flow_token": params.get("flow_token", form.token), "reply_to": form.bubble.id,
        },
    )  # fmt: skip
