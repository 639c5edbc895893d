"""What Meta finds wrong in a Flow's JSON, with the lines: a part of its rules, in its words. Pure.

Source: developers.facebook.com/docs/whatsapp/flows/reference/flowjson and /reference/error-codes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

Fault = dict[str, Any]

VERSIONS = ("5.0", "5.1", "6.0", "6.1", "6.2", "6.3", "7.0", "7.1", "7.2", "7.3")
COMPONENTS = frozenset(
    {"TextHeading", "TextSubheading", "TextBody", "TextCaption", "RichText", "TextInput", "TextArea", "Dropdown",
     "RadioButtonsGroup", "CheckboxGroup", "ChipsSelector", "DatePicker", "CalendarPicker", "OptIn", "EmbeddedLink",
     "Image", "ImageCarousel", "PhotoPicker", "DocumentPicker", "NavigationList", "If", "Switch", "Form", "Footer"}
)  # fmt: skip
_NAMED = frozenset(
    {"TextInput", "TextArea", "Dropdown", "RadioButtonsGroup", "CheckboxGroup", "ChipsSelector", "DatePicker", "OptIn"}
)
_ACTIONS = frozenset({"navigate", "complete", "data_exchange", "update_data", "open_url"})
_REFERENCE = re.compile(r"\$\{(data|form)\.(\w+)[^}]*\}")


def faults(source: str) -> list[Fault]:
    """Everything that is found, in the order of the file."""
    try:
        definition = json.loads(source)
    except json.JSONDecodeError as error:
        return [_fault("INVALID_JSON", f"Invalid JSON: {error.msg}", error.lineno, error.colno, error.colno)]
    if not isinstance(definition, dict):
        return [_fault("INVALID_PROPERTY_TYPE", "The Flow JSON must be an object.", 1, 1, 1)]
    found = [_at(source, error, message, mark) for error, message, mark in _all(definition)]
    return sorted(found, key=lambda fault: (fault["line_start"], fault["column_start"]))


def _all(definition: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(error, message, the text that marks the place)."""
    version = definition.get("version")
    if version not in VERSIONS:
        yield "INVALID_PROPERTY_VALUE", f"Invalid value for property 'version': {version}.", '"version"'
    screens = definition.get("screens")
    if not isinstance(screens, list) or not screens or not all(isinstance(one, dict) for one in screens):
        yield "MISSING_REQUIRED_PROPERTY", "Required property 'screens' is missing or empty.", '"screens"'
        return
    ids = [str(screen.get("id", "")) for screen in screens]
    for screen in screens:
        yield from _screen(screen, definition)
    for repeated in {id for id in ids if ids.count(id) > 1}:
        yield "DUPLICATE_SCREEN_ID", f"Screen id '{repeated}' is used more than once.", f'"{repeated}"'
    if not any(screen.get("terminal") for screen in screens):
        yield "MISSING_TERMINAL_SCREEN", "At least one screen must have the property 'terminal' set.", '"screens"'
    model = definition.get("routing_model")
    if definition.get("data_api_version") and not isinstance(model, dict):
        yield "MISSING_REQUIRED_PROPERTY", "Required property 'routing_model' is missing.", '"data_api_version"'
    for origin, targets in (model if isinstance(model, dict) else {}).items():
        for id in [origin, *(targets if isinstance(targets, list) else [])]:
            if id not in ids:
                yield "INVALID_ROUTING_MODEL", f"Following screen is missing: {id}.", f'"{id}"'


def _screen(screen: dict[str, Any], definition: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    id = str(screen.get("id", ""))
    mark = f'"{id}"' if id else '"screens"'
    if not re.fullmatch(r"[A-Za-z_]+", id) or id == "SUCCESS":
        yield "INVALID_PROPERTY_VALUE", f"Screen id '{id}' is invalid: letters and underscores, and not SUCCESS.", mark
    layout = screen.get("layout")
    if not isinstance(layout, dict) or not isinstance(layout.get("children"), list):
        yield "MISSING_REQUIRED_PROPERTY", f"Required property 'layout' is missing for the screen {id}.", mark
        return
    parts = list(components(layout))
    for part in parts:
        yield from _component(part, definition, mark)
    if screen.get("terminal") and not any(part.get("type") == "Footer" for part in parts):
        yield "MISSING_FOOTER", f"Footer component is missing on the terminal screen {id}.", mark
    declared = screen.get("data") if isinstance(screen.get("data"), dict) else {}
    names = {str(part.get("name")) for part in parts if part.get("type") in _NAMED}
    for kind, name in _REFERENCE.findall(json.dumps(layout)):
        if kind == "data" and name not in (declared or {}):
            message = f"Missing dynamic data '${{data.{name}}}' in the data model of the screen {id}."
            yield "INVALID_DYNAMIC_DATA", message, f"${{data.{name}"
        elif kind == "form" and name not in names:
            message = f"Missing form component '${{form.{name}}}' on the screen {id}."
            yield "INVALID_FORM_REFERENCE", message, f"${{form.{name}"


def _component(part: dict[str, Any], definition: dict[str, Any], screen: str) -> Iterator[tuple[str, str, str]]:
    kind = str(part.get("type", ""))
    if kind not in COMPONENTS:
        yield "INVALID_PROPERTY_VALUE", f"Invalid value '{kind}' for the property 'type' of a component.", f'"{kind}"'
    if kind in _NAMED:
        for name in ("name", "label"):
            if not part.get(name):
                mark = f'"{part.get("name")}"' if part.get("name") else f'"{kind}"'
                yield "MISSING_REQUIRED_PROPERTY", f"Required property '{name}' is missing for {kind}.", mark
    if kind == "Footer":
        action = part.get("on-click-action")
        done = action.get("name") if isinstance(action, dict) else None
        if done not in _ACTIONS:
            yield "INVALID_PROPERTY_VALUE", f"Invalid action '{done}' of the Footer.", '"Footer"'
        if done == "data_exchange" and not definition.get("data_api_version"):
            message = "Action 'data_exchange' needs the property 'data_api_version'."
            yield "MISSING_REQUIRED_PROPERTY", message, '"data_exchange"'


def components(part: Any) -> Iterator[dict[str, Any]]:
    """Every component of a layout in reading order, also those inside forms and conditions."""
    if isinstance(part, list):
        for each in part:
            if isinstance(each, dict) and "type" in each:
                yield each
            yield from components(each)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name in ("children", "then", "else", "cases") and isinstance(value, list | dict):
                yield from components(list(value.values()) if isinstance(value, dict) else value)


def _at(source: str, error: str, message: str, mark: str) -> Fault:
    place = max(source.find(mark), 0)
    line = source.count("\n", 0, place) + 1
    column = place - (source.rfind("\n", 0, place) + 1) + 1
    return _fault(error, message, line, column, column + len(mark) - 1)


def _fault(error: str, message: str, line: int, column_start: int, column_end: int) -> Fault:
    return {
        "error": error, "error_type": "FLOW_JSON_ERROR", "message": message, "line_start": line, "line_end": line,
        "column_start": column_start, "column_end": column_end,
    }  # fmt: skip
