"""What a message holds: its object, its file, and the words of it that lists and searches show.

Sending and receiving use the same shapes (Cloud API, "Messages" and "messages webhook reference").
"""

import json
from collections.abc import Callable
from typing import Any

from whatsapp.events import MediaReference
from whatsapp.providers.cloud.values import clean_text, identifier, name_of, object_of, objects_of, text_of

MEDIA_TYPES = frozenset({"image", "video", "audio", "document", "sticker"})


def payload(kind: str, content: Any) -> dict[str, Any]:
    """A type's own object; what is none (contacts are a list) is kept under the type's name."""
    if isinstance(content, dict):
        return content
    return {} if content is None else {kind: content}


def media(kind: str, content: Any) -> MediaReference | None:
    """The file of a media message; its name is whatever the sender wrote, so never a path of ours."""
    if kind not in MEDIA_TYPES or not isinstance(content, dict):
        return None
    return MediaReference(
        id=identifier(content.get("id")),
        mime_type=name_of(content.get("mime_type")),
        sha256=name_of(content.get("sha256")),
        filename=name_of(content.get("filename")),
        url=text_of(content.get("url")) or None,
        voice=content.get("voice") is True,
        animated=content.get("animated") is True,
    )


def text_shown(kind: str, content: Any) -> str:
    """What lists and searches show of a message's object."""
    if kind == "contacts":
        return ", ".join(name for card in objects_of(content) if (name := _card_name(card)))
    reader = _SHOWN.get(kind)
    return reader(content) if reader and isinstance(content, dict) else ""


def _interactive(content: dict[str, Any]) -> str:
    kind = content.get("type")
    reply = object_of(content.get(kind)) if isinstance(kind, str) else {}
    if kind == "nfm_reply":
        return _form(reply)
    return text_of(reply.get("title"))  # whether they may be called is a word of WhatsApp's, not of theirs


def _form(reply: dict[str, Any]) -> str:
    """The answers of a form, one a line; its `body` only says "Sent". `response_json` is JSON in a string."""
    try:
        answers = json.loads(text_of(reply.get("response_json")))
    except (ValueError, RecursionError):
        answers = None
    if not isinstance(answers, dict):
        return text_of(reply.get("body"))
    lines = [f"{name}: {_answer(value)}" for name, value in answers.items() if name != "flow_token"]
    return clean_text("\n".join(lines)) or text_of(reply.get("body"))


def _answer(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if isinstance(item, str | int | float))
    return str(value) if isinstance(value, str | int | float) else ""


def _card_name(card: dict[str, Any]) -> str:
    name = object_of(card.get("name"))
    return text_of(name.get("formatted_name")) or text_of(name.get("first_name"))


_SHOWN: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": lambda content: text_of(content.get("body")),
    "image": lambda content: text_of(content.get("caption")),
    "video": lambda content: text_of(content.get("caption")),
    "document": lambda content: text_of(content.get("caption")) or text_of(content.get("filename")),
    "location": lambda content: text_of(content.get("name")) or text_of(content.get("address")),
    "button": lambda content: text_of(content.get("text")),
    "interactive": _interactive,
    "order": lambda content: text_of(content.get("text")),
    "system": lambda content: text_of(content.get("body")),
}
