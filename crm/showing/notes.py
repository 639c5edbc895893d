"""Lines among the bubbles that tell of a message or a person: an edit, a deletion, a call, a new phone."""

from typing import Any

from django.utils.translation import gettext as _

from crm.showing.files import minutes
from crm.showing.kinds import kind_icon, kind_name
from crm.views.log import CALL_PERMISSION, Bubble
from whatsapp import phones

_SYSTEM = {
    "user_changed_number": lambda: _("They changed their phone number. What they wrote and write stays together."),
    "user_changed_user_id": lambda: _("Their WhatsApp id changed. What they wrote and write stays together."),
    "customer_identity_changed": lambda: _("They use WhatsApp on another device now. Make sure that it is still them."),
}


def note_icon(item: Bubble) -> str:
    if item.message.payload.get("type") == CALL_PERMISSION:
        return kind_icon("call")
    kind = item.message.type
    return {"edit": "pencil", "revoke": "trash", "call_end": "phone"}.get(kind) or kind_icon(kind)


def note_words(item: Bubble) -> str:
    """What a line among the bubbles says."""
    message, content = item.message, item.message.payload
    who = _("On the phone, we") if message.is_outbound else _("They")
    if message.type == "call":
        return _call(message.amendment.call if message.amendment else None)
    if message.type == "call_end":
        return _call(content)
    if content.get("type") == CALL_PERMISSION:
        return _call_permission(content.get(CALL_PERMISSION))
    if message.type == "request_welcome":
        return _("They opened the chat and have not written yet.")
    if message.type == "edit":
        return _("%(who)s changed an earlier message: “%(words)s”") % {"who": who, "words": message.text}
    if message.type == "revoke":
        return _("%(who)s deleted an earlier message") % {"who": who}
    known = _SYSTEM.get(str(content.get("kind") or content.get("type") or ""))
    said = known() if known else message.text or kind_name("system")
    new_phone = str(content.get("phone") or "") if content.get("kind") == "user_changed_number" else ""
    return f"{said} {phones.display(new_phone)}" if new_phone else said


def _call_permission(reply: Any) -> str:
    accepts = isinstance(reply, dict) and reply.get("response") == "accept"
    return _("They let us call them.") if accepts else _("They do not want us to call them.")


def _call(ending: dict[str, Any] | None) -> str:
    if ending is None:
        return _("They called. The window is open again.")
    seconds = ending.get("seconds")
    if not ending.get("answered"):
        return _("They called and nobody answered. The window is open again.")
    return (
        _("They called: %(length)s") % {"length": minutes(seconds)} if seconds else _("They called and talked to us.")
    )
