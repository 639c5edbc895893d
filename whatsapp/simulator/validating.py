"""Whether the body of a send is one that Meta takes: required fields, lengths and limits of each type. Pure.

Source: developers.facebook.com/docs/whatsapp/cloud-api/reference/messages and its page per message type.
"""

from collections.abc import Callable
from typing import Any

from .errors import GraphError

Body = dict[str, Any]

MEDIA_TYPES = ("image", "video", "audio", "document", "sticker")
TYPES = ("text", "template", "reaction", "interactive", "location", "contacts", *MEDIA_TYPES)
MAX_REFERENCE = 512


def check(body: Body) -> str:
    """Give the message's type. Raises GraphError 100, 131008, 131009 or 131051 for what Meta refuses."""
    if body.get("messaging_product") != "whatsapp":
        raise GraphError(100, "The parameter messaging_product is required.")
    if not (body.get("to") or body.get("recipient")):
        raise GraphError(131008, "The parameter to is required.")
    kind = str(body.get("type") or "text")
    if kind not in TYPES:
        raise GraphError(131009, f"Param type must be one of {{{', '.join(name.upper() for name in TYPES)}}}")
    content: Any = body.get(kind)
    if not isinstance(content, list if kind == "contacts" else dict) or not content:
        raise GraphError(131008, f"The parameter {kind} is required.")
    if len(str(body.get("biz_opaque_callback_data") or "")) > MAX_REFERENCE:
        raise GraphError(131009, f"biz_opaque_callback_data must be at most {MAX_REFERENCE} characters long.")
    if kind in MEDIA_TYPES:
        _check_media(kind, dict(content))
    elif kind in _CHECKS:
        _CHECKS[kind](content)
    return kind


def shown(kind: str, content: Any) -> str:
    """The line by which a person recognises the message (a template's is filled in elsewhere)."""
    if kind == "text":
        return str(content.get("body", ""))
    if kind == "interactive":
        return str((content.get("body") or {}).get("text", ""))
    if kind == "contacts":
        return ", ".join(str(one.get("name", {}).get("formatted_name", "")) for one in content)
    for key in ("caption", "name", "filename", "emoji", "address"):
        if content.get(key):
            return str(content[key])
    return ""


def _limit(value: Any, most: int, name: str, *, required: bool = True) -> None:
    text = str(value or "")
    if required and not text.strip():
        raise GraphError(131008, f"The parameter {name} is required.")
    if len(text) > most:
        raise GraphError(100, f"Param {name} must be at most {most} characters long.")


def _check_text(content: Body) -> None:
    _limit(content.get("body"), 4096, "text['body']")


def _check_media(kind: str, content: Body) -> None:
    if bool(content.get("id")) == bool(content.get("link")):
        raise GraphError(131009 if content.get("id") else 131008, f"{kind}: exactly one of id or link is required.")
    if kind == "audio" and content.get("caption"):
        raise GraphError(100, 'Unexpected key "caption" on param "audio".')
    _limit(content.get("caption"), 1024, f"{kind}['caption']", required=False)


def _check_template(content: Body) -> None:
    _limit(content.get("name"), 512, "template['name']")
    _limit((content.get("language") or {}).get("code"), 15, "template['language']['code']")


def _check_reaction(content: Body) -> None:
    if "emoji" not in content:
        raise GraphError(131008, "The parameter reaction['emoji'] is required.")
    if not str(content.get("message_id", "")).startswith("wamid."):
        raise GraphError(131009, "Invalid message_id: the message to react to was not found.")


def _check_location(content: Body) -> None:
    for key in ("latitude", "longitude"):
        try:
            float(content[key])
        except (KeyError, TypeError, ValueError):
            raise GraphError(131009, f"location['{key}'] must be a number.") from None


def _check_contacts(content: list[Body]) -> None:
    for one in content:
        _limit((one.get("name") or {}).get("formatted_name"), 512, "contacts['name']['formatted_name']")


def _check_interactive(content: Body) -> None:
    kind, action = content.get("type"), content.get("action") or {}
    most = 4096 if kind == "list" else 1024
    _limit((content.get("body") or {}).get("text"), most, "interactive['body']", required=kind != "product")
    _limit((content.get("footer") or {}).get("text"), 60, "interactive['footer']", required=False)
    header = content.get("header") or {}
    if header.get("type") == "text":
        _limit(header.get("text"), 60, "interactive['header']['text']")
    if kind == "button":
        buttons = action.get("buttons") or []
        if not 1 <= len(buttons) <= 3:
            raise GraphError(131009, "interactive['action']['buttons'] must have between 1 and 3 buttons.")
        for button in buttons:
            _limit((button.get("reply") or {}).get("title"), 20, "button['title']")
            _limit((button.get("reply") or {}).get("id"), 256, "button['id']")
    elif kind == "list":
        _limit(action.get("button"), 20, "interactive['action']['button']")
        _check_rows(action.get("sections") or [])
    elif kind == "cta_url":
        parameters = action.get("parameters") or {}
        _limit(parameters.get("display_text"), 20, "parameters['display_text']")
        _limit(parameters.get("url"), 2000, "parameters['url']")
    elif kind == "product":
        _limit(action.get("catalog_id"), 64, "interactive['action']['catalog_id']")
        _limit(action.get("product_retailer_id"), 100, "interactive['action']['product_retailer_id']")
    elif kind == "flow":
        _check_flow(action)
    elif not kind:
        raise GraphError(131008, "The parameter interactive['type'] is required.")


def _check_flow(action: Body) -> None:
    parameters = action.get("parameters") or {}
    if action.get("name") != "flow" or str(parameters.get("flow_message_version")) != "3":
        raise GraphError(131009, "interactive['action'] must be a flow with flow_message_version 3.")
    _limit(parameters.get("flow_cta"), 30, "parameters['flow_cta']")
    if parameters.get("flow_action", "navigate") not in ("navigate", "data_exchange"):
        raise GraphError(131009, "parameters['flow_action'] must be navigate or data_exchange.")
    payload = parameters.get("flow_action_payload")
    if payload is not None and (not payload.get("screen") or payload.get("data") == {}):
        raise GraphError(131009, "parameters['flow_action_payload'] needs a screen, and its data may not be empty.")


def _check_rows(sections: list[Body]) -> None:
    rows = [row for section in sections for row in section.get("rows") or []]
    if not rows or len(rows) > 10 or len(sections) > 10:
        raise GraphError(131009, "A list has between 1 and 10 rows in all.")
    for section in sections:
        _limit(section.get("title"), 24, "section['title']", required=len(sections) > 1)
    for row in rows:
        _limit(row.get("title"), 24, "row['title']")
        _limit(row.get("id"), 200, "row['id']")
        _limit(row.get("description"), 72, "row['description']", required=False)
    if len({row["id"] for row in rows}) < len(rows):
        raise GraphError(131009, "Row ids of a list must be unique.")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "text": _check_text,
    "template": _check_template,
    "reaction": _check_reaction,
    "location": _check_location,
    "contacts": _check_contacts,
    "interactive": _check_interactive,
}
