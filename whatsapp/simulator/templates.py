"""The message templates of each account: what the Graph API lists, whether a send fits one, and how it reads filled in."""

import copy
import itertools
import re
from typing import Any

from . import reviewing
from .catalogue import CATALOGUE
from .errors import GraphError

Template = dict[str, Any]

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MEDIA = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "LOCATION": "location"}


class Templates:
    def __init__(self) -> None:
        self._accounts: dict[str, list[Template]] = {}
        self._ids = itertools.count(710_000_000_000_100)

    def of(self, account_id: str) -> list[Template]:
        if account_id not in self._accounts:
            self._accounts[account_id] = [{**copy.deepcopy(one), "id": str(next(self._ids))} for one in CATALOGUE]
        return self._accounts[account_id]

    def add(self, *, account_id: str, template: Template) -> Template:
        if not re.fullmatch(r"[a-z0-9_]{1,512}", str(template.get("name", ""))):
            raise GraphError(100, "Name can only contain lower case letters, numbers and underscores", subcode=2388023)
        for key in ("language", "category", "components"):
            if not template.get(key):
                raise GraphError(100, f"The parameter {key} is required.")
        if any(_is(one, template["name"], template["language"]) for one in self.of(account_id)):
            raise GraphError(
                100,
                "There is already content in this language for this template.",
                subcode=2388024,
                title_for_person="Content in this language already exists",
                message_for_person="There is already content in this language for this template.",
            )
        reviewing.check(template)
        added = reviewing.written_out(template) | {
            "id": str(next(self._ids)),
            "status": "PENDING",
            "quality_score": {"score": "UNKNOWN"},
            "rejected_reason": "NONE",
        }
        self.of(account_id).append(added)
        return added

    def edit(self, found: Template, changes: Template) -> None:
        """Another text for a template; that of an approved one is approved at once, others go to review again."""
        if found["status"] not in {"APPROVED", "REJECTED", "PAUSED"}:
            raise GraphError(100, "This template can't be edited in its state.", subcode=2388025)
        if changes.get("category", found["category"]) != found["category"] and found["status"] == "APPROVED":
            raise GraphError(100, "The category of an approved template can't be changed.", subcode=2388025)
        edited = found | {key: changes[key] for key in ("components", "category") if key in changes}
        reviewing.check(edited)
        found |= reviewing.written_out(edited)
        if found["status"] != "APPROVED":
            found["status"] = "PENDING"

    def as_json(self) -> dict[str, list[Template]]:
        """What each account has: for keeping over a restart."""
        return dict(self._accounts)

    def restore(self, kept: dict[str, list[Template]]) -> None:
        self._accounts.update(kept)
        highest = max((int(one["id"]) for templates in kept.values() for one in templates), default=710_000_000_000_099)
        self._ids = itertools.count(highest + 1)

    def remove(self, *, account_id: str, name: str, template_id: str = "") -> bool:
        """Delete all languages of a name, or only the one with this id."""
        templates = self.of(account_id)
        kept = [one for one in templates if not (one["name"] == name and template_id in ("", one["id"]))]
        removed = len(kept) < len(templates)
        templates[:] = kept
        return removed

    def find(self, *, account_id: str, name: str, language: str) -> Template | None:
        return next((one for one in self.of(account_id) if _is(one, name, language)), None)

    def find_by_id(self, template_id: str) -> tuple[str, Template] | None:
        for account_id, templates in self._accounts.items():
            for one in templates:
                if one["id"] == template_id:
                    return account_id, one
        return None


def check(template: Template, components: list[dict[str, Any]]) -> None:
    """Raise what Meta raises when a send does not fit its template."""
    if template["status"] in {"PAUSED", "DISABLED"}:
        raise GraphError(132015 if template["status"] == "PAUSED" else 132016, f"template ({template['name']})")
    if template["status"] != "APPROVED":
        raise GraphError(132001, f"template name ({template['name']}) does not exist in {template['language']}")
    given = {
        str(one.get("type", "")).lower(): one.get("parameters") or [] for one in components if not one.get("sub_type")
    }
    for component in template["components"]:
        kind = component["type"].lower()
        if kind in {"header", "body"}:
            _check_text(component, kind, given.get(kind, []))
    buttons = _given_buttons(components)
    for index, button in enumerate(_part(template, "BUTTONS").get("buttons", [])):
        is_open = button["type"] == "URL" and _PLACEHOLDER.search(button.get("url", ""))
        if (is_open or button["type"] == "FLOW") and index not in buttons:
            kind = button["type"].title()
            raise GraphError(131008, f"buttons: Button at index {index} of type {kind} requires a parameter")


def fill(template: Template, components: list[dict[str, Any]]) -> dict[str, Any]:
    """How the message reads on the phone: {text, header?, header_media?, footer?, buttons[], flow?}."""
    given = {
        str(one.get("type", "")).lower(): one.get("parameters") or [] for one in components if not one.get("sub_type")
    }
    header = _part(template, "HEADER")
    parts: dict[str, Any] = {"text": _filled(_part(template, "BODY"), given.get("body", []))}
    if header.get("format") == "TEXT":
        parts["header"] = _filled(header, given.get("header", []))
    elif header.get("format") in _MEDIA:
        kind = _MEDIA[header["format"]]
        first = (given.get("header") or [{}])[0]
        parts["header_media"] = {"type": kind, **(first.get(kind) or {})}
    if footer := _part(template, "FOOTER").get("text"):
        parts["footer"] = footer
    parts["buttons"] = []
    for index, button in enumerate(_part(template, "BUTTONS").get("buttons", [])):
        if button["type"] == "FLOW":
            parts["flow"] = _flow(button, _given_buttons(components).get(index, {}))
        else:
            parts["buttons"].append({"type": button["type"].lower(), "title": button["text"], "id": button["text"]})
    return parts


def _flow(button: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What opens the Flow, as a message of its own would have it: how is the template's, the token and data the message's."""
    action: dict[str, Any] = next((one["action"] for one in given.get("parameters") or [] if one.get("action")), {})
    payload = {"screen": button.get("navigate_screen", ""), "data": action.get("flow_action_data") or {}}
    return {
        "flow_id": str(button.get("flow_id", "")),
        "flow_cta": button["text"],
        "flow_token": str(action.get("flow_token") or "unused"),
        "flow_action": str(button.get("flow_action") or "navigate").lower(),
        "flow_action_payload": payload,
    }


def _given_buttons(components: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {int(one.get("index") or 0): one for one in components if str(one.get("type", "")).lower() == "button"}


def body_of(template: Template) -> str:
    """Its words as Meta approved them, with their `{{…}}`."""
    return str(_part(template, "BODY").get("text", ""))


def _check_text(component: Template, kind: str, parameters: list[dict[str, Any]]) -> None:
    wanted_media = _MEDIA.get(component.get("format", ""))
    if wanted_media:
        if len(parameters) != 1 or parameters[0].get("type") != wanted_media:
            raise GraphError(132012, f"header: Format mismatch, expected {component['format']}, received UNKNOWN")
        return
    wanted = list(dict.fromkeys(_PLACEHOLDER.findall(component.get("text", ""))))
    if len(parameters) != len(wanted):
        raise GraphError(
            132000,
            f"{kind}: number of localizable_params ({len(parameters)}) does not match the expected number of params "
            f"({len(wanted)})",
        )
    named = {parameter.get("parameter_name") for parameter in parameters} - {None}
    if named and named != set(wanted):
        raise GraphError(100, f"{kind}: Parameter name is missing or empty", subcode=2494102)
    for parameter in parameters:
        text = parameter.get("text", "")
        if parameter.get("type", "text") == "text" and (not text or re.search(r"[\n\t]| {5,}", text)):
            raise GraphError(
                132018 if text else 131008,
                f"{kind}: Param text cannot be empty or have new-line/tab characters or more than 4 consecutive spaces",
            )


def _filled(component: Template, parameters: list[dict[str, Any]]) -> str:
    named = {one["parameter_name"]: _shown(one) for one in parameters if one.get("parameter_name")}
    position = itertools.count()

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in named:
            return named[name]
        index = int(name) - 1 if name.isdigit() else next(position)
        return _shown(parameters[index]) if index < len(parameters) else match.group(0)

    return _PLACEHOLDER.sub(value, component.get("text", ""))


def _shown(parameter: dict[str, Any]) -> str:
    kind = parameter.get("type", "text")
    if kind in {"currency", "date_time"}:
        return str((parameter.get(kind) or {}).get("fallback_value", ""))
    return str(parameter.get("text", ""))


def _part(template: Template, kind: str) -> Template:
    return next((one for one in template["components"] if one["type"] == kind), {})


def _is(template: Template, name: str, language: str) -> bool:
    return template["name"] == name and template["language"] == language
