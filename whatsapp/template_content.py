"""What a template says, as a value: as a person writes it, and as Meta's components, each into the other.

Meta's shapes: developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

import re
from dataclasses import dataclass, field
from typing import Any

VARIABLE = re.compile(r"\{\{\s*([^{}\s]*)\s*\}\}")

NONE, TEXT, IMAGE, VIDEO, DOCUMENT = "NONE", "TEXT", "IMAGE", "VIDEO", "DOCUMENT"
HEADERS = (NONE, TEXT, IMAGE, VIDEO, DOCUMENT)
MEDIA_HEADERS = (IMAGE, VIDEO, DOCUMENT)
QUICK_REPLY, URL, PHONE, COPY_CODE, FLOW, OTP = "QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "FLOW", "OTP"
BUTTONS = (QUICK_REPLY, URL, PHONE, COPY_CODE, FLOW, OTP)
MARKETING, UTILITY, AUTHENTICATION = "MARKETING", "UTILITY", "AUTHENTICATION"
CATEGORIES = (MARKETING, UTILITY, AUTHENTICATION)

_TARGET = {URL: "url", PHONE: "phone_number", FLOW: "flow_id"}


@dataclass(frozen=True, slots=True)
class Button:
    """One button. `kind` is Meta's word; `target` the address, phone or Flow it leads to; `example` what fills it.

    `more` holds what Meta has of it and nobody edits here.
    """

    kind: str
    text: str = ""
    target: str = ""
    example: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def as_meta(self) -> dict[str, Any]:
        button: dict[str, Any] = {**self.more, "type": self.kind}
        if self.text and self.kind != COPY_CODE:  # Meta writes that one's words itself
            button["text"] = self.text
        if self.kind in _TARGET:
            button[_TARGET[self.kind]] = self.target
        if self.kind == URL and VARIABLE.search(self.target):
            button["example"] = [VARIABLE.sub(lambda _: self.example, self.target)]
        if self.kind == COPY_CODE:
            button["example"] = self.example
        if self.kind == FLOW:
            button.setdefault("flow_action", "navigate")
        if self.kind == OTP:
            button.setdefault("otp_type", "COPY_CODE")
        return button

    @classmethod
    def of_meta(cls, button: dict[str, Any]) -> "Button":
        kind = str(button.get("type", "")).upper()
        target = str(button.get(_TARGET.get(kind, ""), "") or "")
        given = button.get("example")
        example = str((given[0] if given else "") if isinstance(given, list) else given or "")
        if kind == URL:
            example = example.removeprefix(target[: found.start()]) if (found := VARIABLE.search(target)) else ""
        known = {"type", "text", "example", _TARGET.get(kind, "type")}
        more = {name: value for name, value in button.items() if name not in known}
        return cls(kind, str(button.get("text") or ""), target, example, more)


@dataclass(frozen=True, slots=True)
class Wording:
    """Everything a template says. `examples` holds what Meta's reviewer reads in the body's variables, by their names.

    `header_handle` names the example file once Meta has it. `warns` and `expires_minutes` belong to templates for codes,
    whose words are Meta's. `others` are parts that are shown and not edited here: a carousel, an offer that ends.
    """

    header: str = NONE
    header_text: str = ""
    header_example: str = ""
    header_handle: str = ""
    body: str = ""
    examples: dict[str, str] = field(default_factory=dict)
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    warns: bool = True
    expires_minutes: int | None = None
    others: tuple[dict[str, Any], ...] = ()

    @property
    def variables(self) -> list[str]:
        """The body's, in order of first appearance."""
        return variables_of(self.body)

    @property
    def header_variables(self) -> list[str]:
        return variables_of(self.header_text) if self.header == TEXT else []

    @property
    def is_named(self) -> bool:
        return any(not name.isdigit() for name in (*self.variables, *self.header_variables))

    @property
    def can_be_edited(self) -> bool:
        """Whether all of it is something that can be written here."""
        return not self.others and self.header in HEADERS and all(button.kind in BUTTONS for button in self.buttons)

    def as_json(self) -> dict[str, Any]:
        return {
            "header": self.header, "header_text": self.header_text, "header_example": self.header_example,
            "header_handle": self.header_handle, "body": self.body, "examples": self.examples, "footer": self.footer,
            "buttons": [
                {"kind": each.kind, "text": each.text, "target": each.target, "example": each.example, "more": each.more}
                for each in self.buttons
            ],
            "warns": self.warns, "expires_minutes": self.expires_minutes, "others": list(self.others),
        }  # fmt: skip

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "Wording":
        """What `as_json` wrote."""
        return cls(
            **stored
            | {
                "buttons": tuple(Button(**each) for each in stored.get("buttons", ())),
                "others": tuple(stored.get("others", ())),
            }
        )


def variables_of(text: str) -> list[str]:
    return list(dict.fromkeys(VARIABLE.findall(text)))


def as_components(wording: Wording, *, category: str) -> list[dict[str, Any]]:
    """What `POST /{waba}/message_templates` takes."""
    buttons = [button.as_meta() for button in wording.buttons]
    if category == AUTHENTICATION:
        parts: list[dict[str, Any]] = [{"type": "BODY", "add_security_recommendation": wording.warns}]
        if wording.expires_minutes:
            parts.append({"type": "FOOTER", "code_expiration_minutes": wording.expires_minutes})
        return [*parts, {"type": "BUTTONS", "buttons": buttons}]
    parts = [*_header(wording), _body(wording)]
    if wording.footer:
        parts.append({"type": "FOOTER", "text": wording.footer})
    if buttons:
        parts.append({"type": "BUTTONS", "buttons": buttons})
    return [*parts, *wording.others]


def _header(wording: Wording) -> list[dict[str, Any]]:
    if wording.header in MEDIA_HEADERS:
        example = {"example": {"header_handle": [wording.header_handle]}} if wording.header_handle else {}
        return [{"type": "HEADER", "format": wording.header, **example}]
    if wording.header != TEXT:
        return []
    part: dict[str, Any] = {"type": "HEADER", "format": TEXT, "text": wording.header_text}
    for name in wording.header_variables[:1]:
        named = [{"param_name": name, "example": wording.header_example}]
        part["example"] = {"header_text_named_params": named} if wording.is_named else {
            "header_text": [wording.header_example]
        }  # fmt: skip
    return [part]


def _body(wording: Wording) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "BODY", "text": wording.body}
    if wording.is_named and wording.variables:
        part["example"] = {
            "body_text_named_params": [
                {"param_name": name, "example": wording.examples.get(name, "")} for name in wording.variables
            ]
        }
    elif wording.variables:
        in_order = sorted(wording.variables, key=int)
        part["example"] = {"body_text": [[wording.examples.get(name, "") for name in in_order]]}
    return part


def of_components(components: list[Any]) -> Wording:
    """Meta's components as a wording; what cannot be written here ends in `others`."""
    said: dict[str, Any] = {}
    others: list[dict[str, Any]] = []
    for part in components:
        if not isinstance(part, dict):
            continue
        kind = str(part.get("type", "")).upper()
        example = part["example"] if isinstance(part.get("example"), dict) else {}
        if kind == "HEADER":
            said |= _header_of(part, example)
        elif kind == "BODY":
            said |= {"body": str(part.get("text") or ""), "examples": _body_examples(part, example)}
            said["warns"] = part.get("add_security_recommendation", True) is not False
        elif kind == "FOOTER":
            said |= {"footer": str(part.get("text") or ""), "expires_minutes": part.get("code_expiration_minutes")}
        elif kind == "BUTTONS":
            given = part.get("buttons")
            said["buttons"] = tuple(Button.of_meta(each) for each in given if isinstance(each, dict)) if given else ()
        else:
            others.append(part)
    return Wording(**said, others=tuple(others))


def _header_of(part: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    text = example.get("header_text") or [each.get("example") for each in _named(example, "header_text_named_params")]
    handle = example.get("header_handle") or [""]
    return {
        "header": str(part.get("format") or TEXT).upper(),
        "header_text": str(part.get("text") or ""),
        "header_example": str(text[0] or "") if isinstance(text, list) and text else "",
        "header_handle": str(handle[0] or "") if isinstance(handle, list) and handle else "",
    }


def _body_examples(part: dict[str, Any], example: dict[str, Any]) -> dict[str, str]:
    if named := _named(example, "body_text_named_params"):
        return {str(each.get("param_name")): str(each.get("example") or "") for each in named}
    given = example.get("body_text")
    first = given[0] if isinstance(given, list) and given else []
    return {str(place): str(value) for place, value in enumerate(first if isinstance(first, list) else [first], 1)}


def _named(example: dict[str, Any], key: str) -> list[dict[str, Any]]:
    given = example.get(key)
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def normalised_language(written: str) -> str:
    """As Meta spells it, however it was typed: `es-pe`, `ES_PE` and `es PE` are `es_PE`."""
    parts = [part for part in re.split(r"[-_\s]+", written.strip()) if part]
    return "_".join([parts[0].lower(), *(part.upper() for part in parts[1:])]) if parts else ""
