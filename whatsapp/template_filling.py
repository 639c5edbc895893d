"""What a send has to give a template, and the components it becomes: the same for a person, a sequence and the API.

Meta refuses a parameter with a line break, a tab, more than four spaces in a row, or nothing in it (132018, 131008).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatsapp.template_content import (
    COPY_CODE,
    FLOW,
    MEDIA_HEADERS,
    OTP,
    TEXT,
    URL,
    VARIABLE,
    of_components,
    variables_of,
)

NAVIGATE, DATA_EXCHANGE = "navigate", "data_exchange"
EMPTY, BREAK, SPACES = "parameter_empty", "parameter_break", "parameter_spaces"

_HEADERS = frozenset({"NONE", TEXT, *MEDIA_HEADERS})
_PARTS = frozenset({"", "HEADER", "BODY", "FOOTER", "BUTTONS"})  # what is no part at all asks for nothing
_CODE_ADDRESS = "otp_type=COPY_CODE"  # how Meta gives back the button of a template for codes


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing to give. `key` names it in a form; `name` is the variable, or what stands on the button.

    `kind`: `text`, a file (`image`, `video`, `document`), `url` (what completes the button's address) or `copy_code`.
    """

    key: str
    place: str  # header | body | button
    kind: str
    name: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class FlowButton:
    """The button that opens a Flow: its place, Meta's id of the Flow, and how and with which screen that begins."""

    index: int
    flow_id: str
    action: str
    screen: str


def can_be_given(components: list[Any]) -> bool:
    """Whether a person can give here all that it asks for; not for a carousel, a place … Asked for long lists: quick."""
    for part in components:
        kind = str(part.get("type", "")).upper() if isinstance(part, dict) else ""
        if kind == "HEADER" and str(part.get("format") or TEXT).upper() not in _HEADERS:
            return False
        if kind not in _PARTS:
            return False
    return True


def slots(components: list[Any]) -> list[Slot] | None:
    """What has to be given, in the order of reading; None when it cannot be given here."""
    if not can_be_given(components):
        return None
    wording = of_components(components)
    found: list[Slot] = []
    if wording.header in MEDIA_HEADERS:
        found.append(Slot("head_file", "header", wording.header.lower(), ""))
    found += [Slot(f"head_{name}", "header", "text", name) for name in wording.header_variables]
    found += [Slot(f"var_{name}", "body", "text", name) for name in wording.variables]
    for index, button in enumerate(wording.buttons):
        if button.kind == URL and VARIABLE.search(button.target) and _CODE_ADDRESS not in button.target:
            found.append(Slot(f"button_{index}", "button", "url", button.text, index))
        elif button.kind == COPY_CODE:
            found.append(Slot(f"button_{index}", "button", "copy_code", button.text, index))
    return found


def fault(value: str) -> str:
    """Why Meta would refuse this as a parameter; empty when it would not."""
    if not value.strip():
        return EMPTY
    if re.search(r"[\n\r\t]", value):
        return BREAK
    return SPACES if " " * 5 in value else ""


def filled(components: list[Any], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The components of the message, from values by the keys of `slots`.

    The header's file and what opens a Flow are added when it is sent.
    """
    wording = of_components(components)
    parts: list[dict[str, Any]] = []
    if header := [_text(name, values.get(f"head_{name}", "")) for name in wording.header_variables]:
        parts.append({"type": "header", "parameters": header})
    in_order = wording.variables if wording.is_named else sorted(wording.variables, key=_number)
    if body := [_text(name, values.get(f"var_{name}", "")) for name in in_order]:
        parts.append({"type": "body", "parameters": body})
    for index, button in enumerate(wording.buttons):
        parameter = _button(button.kind, button.target, values, index)
        if parameter:
            sub_type = "url" if button.kind == OTP else button.kind.lower()
            parts.append({"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]})
    return parts


def _button(kind: str, target: str, values: Mapping[str, str], index: int) -> dict[str, Any] | None:
    if kind == COPY_CODE:
        return {"type": "coupon_code", "coupon_code": values.get(f"button_{index}", "")}
    if kind == OTP or (kind == URL and _CODE_ADDRESS in target):
        return {"type": "text", "text": values.get("var_1", "")}  # the code itself, once more
    is_open = kind == URL and VARIABLE.search(target)
    return {"type": "text", "text": values.get(f"button_{index}", "")} if is_open else None


def flow_button(components: list[Any]) -> FlowButton | None:
    """The template's button that opens a Flow; Meta allows one."""
    for index, button in enumerate(of_components(components).buttons):
        if button.kind == FLOW:
            action, screen = button.more.get("flow_action"), button.more.get("navigate_screen")
            return FlowButton(index, button.target, str(action or NAVIGATE).lower(), str(screen or ""))
    return None


def is_of_flow(component: Mapping[str, Any]) -> bool:
    """Whether a component of a message is what opens its Flow."""
    kinds = [str(component.get(name, "")).lower() for name in ("type", "sub_type")]
    return kinds == ["button", "flow"]


def flow_data(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What whoever put the components together hands to the Flow's first screen."""
    for component in filter(is_of_flow, given):
        for parameter in component.get("parameters") or ():
            action = parameter.get("action") if isinstance(parameter, Mapping) else None
            data = action.get("flow_action_data") if isinstance(action, Mapping) else None
            if isinstance(data, dict):
                return data
    return {}


def _text(name: str, value: str) -> dict[str, str]:
    return {"type": "text", "text": value} | ({} if name.isdigit() else {"parameter_name": name})


def _number(name: str) -> int:
    return int(name) if name.isdigit() else 0


def is_complete(wanted: Sequence[Slot] | None, given: Sequence[Mapping[str, Any]], *, has_file: bool = False) -> bool:
    """Whether components that somebody else put together fill the `slots` of the template, and with nothing bad.

    A template with parts that we do not know (None) is Meta's to judge.
    """
    if wanted is None:
        return True
    texts: dict[str, list[Mapping[str, Any]]] = {}
    buttons = set()
    for component in given:
        kind = str(component.get("type", "")).lower()
        parameters = [each for each in component.get("parameters") or () if isinstance(each, Mapping)]
        if kind == "button" and parameters:
            buttons.add(int(component.get("index") or 0) if str(component.get("index") or 0).isdigit() else -1)
        else:
            texts.setdefault(kind, []).extend(parameters)
    for place in ("header", "body"):
        needed = [slot for slot in wanted if slot.place == place]
        if place == "header" and has_file:
            needed = [slot for slot in needed if slot.kind == "text"]
        parameters = texts.get(place, [])
        if len(parameters) != len(needed):
            return False
        if any(each.get("type", "text") == "text" and fault(str(each.get("text") or "")) for each in parameters):
            return False
    return all(slot.index in buttons for slot in wanted if slot.place == "button")


def body_of(given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The parameters of the message's body."""
    return [
        parameter
        for component in given
        if str(component.get("type", "")).lower() == "body"
        for parameter in component.get("parameters") or ()
        if isinstance(parameter, Mapping)
    ]


def named(variables: Sequence[str], parameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameters' texts by the names of the body's variables: by `parameter_name`, else in the order of numbers."""
    if all(variable.isdigit() for variable in variables):
        variables = sorted(variables, key=int)
    return {
        str(parameter.get("parameter_name") or variable): str(parameter.get("text") or "")
        for variable, parameter in zip(variables, parameters, strict=False)
    }


def with_examples(components: list[Any]) -> dict[str, str]:
    """The values of Meta's examples by the keys of `slots`: what a preview shows."""
    wording = of_components(components)
    return {f"var_{name}": wording.examples.get(name, "") for name in wording.variables} | {
        f"head_{name}": wording.header_example for name in variables_of(wording.header_text)
    }
