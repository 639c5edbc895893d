"""What a customer can write: Meta's object for each message type, made from a few words or given whole.

Every builder takes the request of `POST /control/inbound` and gives the object under the type's own key. An object given
under that key wins, so any shape Meta may send can be sent from here too.
"""

import json
from collections.abc import Callable
from typing import Any

from .errors import as_status_error
from .media import MediaStore

Spec = dict[str, Any]

MEDIA_TYPES = {"image", "video", "audio", "document", "sticker"}
SILENT = {"system", "unsupported", "request_welcome", "edit", "revoke", "reaction"}  # these open no window
ALIASES = {"voice": "audio", "photo": "image", "button_reply": "interactive", "list_reply": "interactive",
           "nfm_reply": "interactive", "flow": "interactive"}  # fmt: skip


def parts_of(spec: Spec, *, media: MediaStore, now: float) -> Spec:
    """The parts of a message that its type asks for: `{"type": …, "<type>": {…}}`, and `errors` for unsupported."""
    asked = str(spec.get("type") or "text")
    kind = ALIASES.get(asked, asked)
    given = spec.get(kind)
    if isinstance(given, dict | list):
        parts: Spec = {"type": kind, kind: given}
    elif kind in MEDIA_TYPES:
        parts = {"type": kind, kind: _media(spec, kind, voice=asked == "voice" or bool(spec.get("voice")), media=media)}
    elif kind in _BUILDERS:
        parts = {"type": kind, kind: _BUILDERS[kind](spec, now)}
    else:
        parts = {"type": kind}  # a type of tomorrow, or request_welcome, which carries nothing
    if kind == "unsupported":
        parts["errors"] = spec.get("errors") or [as_status_error(int(spec.get("error_code") or 131051))]
    elif spec.get("errors"):
        parts["errors"] = spec["errors"]
    return parts


def shown(parts: Spec) -> str:
    """The line by which a person recognises the message."""
    kind = parts["type"]
    content = parts.get(kind) or {}
    if kind == "contacts":
        return ", ".join(str(one.get("name", {}).get("formatted_name", "")) for one in content)
    if kind == "interactive":
        inner = content.get(content.get("type", ""), {})
        return str(inner.get("title") or inner.get("body") or inner.get("response") or "")
    if kind == "edit":
        return str((content.get("message") or {}).get("text", {}).get("body", ""))
    for key in ("body", "caption", "text", "name", "filename", "emoji"):
        if content.get(key):
            return str(content[key])
    return ""


def _text(spec: Spec, now: float) -> Spec:
    return {"body": str(spec.get("text", "") or spec.get("body", "") or "Hola")}


def _media(spec: Spec, kind: str, *, voice: bool, media: MediaStore) -> Spec:
    media_id = str(spec.get("media_id") or "")
    if media_id and media.holds(media_id):
        file = media.get(media_id)
    else:
        sample_id, file = media.sample(str(spec.get("sample") or kind))
        media_id = media_id or sample_id
    content: Spec = {"id": media_id, "mime_type": file.mime_type, "sha256": file.sha256_base64}
    if spec.get("url"):
        content["url"] = spec["url"]
    if kind == "audio":
        content["voice"] = voice
    elif kind == "sticker":
        content["animated"] = bool(spec.get("animated"))
    elif kind == "document":
        content["filename"] = str(spec.get("filename") or file.filename)
    caption = spec.get("caption") or spec.get("text")
    if caption and kind in {"image", "video", "document"}:
        content["caption"] = str(caption)
    return content


def _location(spec: Spec, now: float) -> Spec:
    place = {
        "latitude": float(spec.get("latitude", -12.1219)),
        "longitude": float(spec.get("longitude", -77.0297)),
        "name": spec.get("place", spec.get("text") or "Parque Kennedy"),
        "address": spec.get("address", "Miraflores, Lima"),
    }
    return {key: value for key, value in place.items() if value}


def _contacts(spec: Spec, now: float) -> list[Spec]:
    phone = str(spec.get("phone") or "+51 987 111 222")
    name = str(spec.get("text") or "Rosa Quispe")
    first, _, last = name.partition(" ")
    digits = "".join(character for character in phone if character.isdigit())
    return [
        {
            "name": {"formatted_name": name, "first_name": first, **({"last_name": last} if last else {})},
            "phones": [{"phone": phone, "wa_id": digits, "type": "CELL"}],
            "origin": str(spec.get("origin") or "other"),
        }
    ]


def _button(spec: Spec, now: float) -> Spec:
    text = str(spec.get("text") or "Hablar con una persona")
    return {"payload": str(spec.get("payload") or text), "text": text}


def _interactive(spec: Spec, now: float) -> Spec:
    asked = str(spec.get("type"))
    kind = str(spec.get("interactive_type") or (asked if asked != "interactive" else ""))
    kind = {"flow": "nfm_reply", "": "button_reply"}.get(kind, kind)
    title = str(spec.get("title") or spec.get("text") or "Sí")
    if kind == "nfm_reply":
        answers = {"flow_token": spec.get("flow_token", "unused"), **(spec.get("response") or {"talla": "43"})}
        return {"type": kind, kind: {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}}
    if kind == "call_permission_reply":
        answer = str(spec.get("response") or "accept")
        until = {"expiration_timestamp": int(now) + 7 * 86400} if answer == "accept" else {}
        return {"type": kind, kind: {"response": answer, "response_source": "user_action", **until}}
    reply: Spec = {"id": str(spec.get("reply_id") or spec.get("payload") or title), "title": title}
    if kind == "list_reply" and spec.get("description"):
        reply["description"] = str(spec["description"])
    return {"type": kind, kind: reply}


def _reaction(spec: Spec, now: float) -> Spec:
    reaction: Spec = {"message_id": _target(spec)}
    if spec.get("emoji", "👍"):
        reaction["emoji"] = str(spec.get("emoji", "👍"))
    return reaction


def _order(spec: Spec, now: float) -> Spec:
    items = spec.get("product_items") or [
        {"product_retailer_id": "TRAIL-ANDINA-2-43", "quantity": 1, "item_price": 389.9, "currency": "PEN"},
        {"product_retailer_id": "MEDIAS-LANA", "quantity": 2, "item_price": 24.5, "currency": "PEN"},
    ]
    return {"catalog_id": "194836987003835", "text": str(spec.get("text") or ""), "product_items": items}


def _system(spec: Spec, now: float) -> Spec:
    kind = str(spec.get("system_type") or "user_changed_number")
    content: Spec = {"type": kind, "body": str(spec.get("text") or _SYSTEM_TEXTS.get(kind, "System message"))}
    for key in ("wa_id", "user_id", "previous_user_id", "parent_user_id", "previous_parent_user_id", "identity"):
        if spec.get(key):
            content[key] = spec[key]
    if kind == "user_changed_number" and spec.get("new_phone"):
        content["wa_id"] = str(spec["new_phone"]).lstrip("+")
    return content


def _edit(spec: Spec, now: float) -> Spec:
    return {"original_message_id": _target(spec), "message": {"type": "text", "text": _text(spec, now)}}


def _revoke(spec: Spec, now: float) -> Spec:
    return {"original_message_id": _target(spec)}


def _unsupported(spec: Spec, now: float) -> Spec:
    return {"type": str(spec.get("unsupported_type") or "poll_creation")}


def _target(spec: Spec) -> str:
    return str(spec.get("message_id") or spec.get("target") or spec.get("reply_to") or "")


_SYSTEM_TEXTS = {
    "user_changed_number": "User changed their phone number",
    "user_changed_user_id": "User changed their user id",
    "customer_identity_changed": "User's security code changed",
}

_BUILDERS: dict[str, Callable[[Spec, float], Any]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "reaction": _reaction,
    "order": _order,
    "system": _system,
    "edit": _edit,
    "revoke": _revoke,
    "unsupported": _unsupported,
}
