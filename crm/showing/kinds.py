"""Which kind of message it is, and what it is called where it has no words."""

from django.utils.translation import gettext as _

from crm import formatting
from crm.models import Message, MessageStatus
from crm.views.log import Bubble

# Icon and name of what is not text; the name is what a row and a quote say of it.
_KINDS = {
    "image": ("image", lambda: _("Photo")),
    "video": ("video", lambda: _("Video")),
    "audio": ("play", lambda: _("Audio")),
    "voice": ("mic", lambda: _("Voice message")),
    "document": ("file", lambda: _("Document")),
    "sticker": ("smile", lambda: _("Sticker")),
    "location": ("pin", lambda: _("Location")),
    "contacts": ("user", lambda: _("Contact")),
    "order": ("cart", lambda: _("Order from the catalogue")),
    "interactive": ("reply", lambda: _("Answer")),
    "button": ("reply", lambda: _("Button")),
    "template": ("template", lambda: _("Template")),
    "reaction": ("smile", lambda: _("Reaction")),
    "poll": ("poll", lambda: _("Poll")),
    "system": ("info", lambda: _("Notice from WhatsApp")),
    "call": ("phone", lambda: _("Call")),
    "request_welcome": ("chat", lambda: _("Opened the chat")),
    "deleted": ("trash", lambda: _("Deleted message")),
}
# What `unsupported` says that it was.
_NOT_HANDED_ON = {
    "poll_creation": lambda: _("Poll"),
    "poll_update": lambda: _("Vote in a poll"),
    "group_invite": lambda: _("Invitation to a group"),
    "gif": lambda: _("GIF"),
    "image": lambda: _("Photo"),
    "location": lambda: _("Location"),
    "list": lambda: _("List"),
    "product": lambda: _("Product"),
    "order": lambda: _("Order from the catalogue"),
    "reaction": lambda: _("Reaction"),
    "link_preview": lambda: _("Link"),
    "edit": lambda: _("Edited message"),
    "media_placeholder": lambda: _("Photo or video seen once"),
    "pin": lambda: _("Pinned message"),
    "keep_in_chat": lambda: _("Message kept in the chat"),
}
_UNKNOWN_KIND = ("poll", lambda: _("Message WhatsApp does not hand on"))


def kind_icon(kind: str) -> str:
    return _KINDS.get(kind, _UNKNOWN_KIND)[0]


def kind_name(kind: str) -> str:
    return _KINDS.get(kind, _UNKNOWN_KIND)[1]()


def preview(message: Message) -> str:
    """One line of it for a row, without WhatsApp's marks; what has no words is named."""
    return formatting.plain(_words(message)) or kind_name(_kind(message))


def quote(message: Message) -> str:
    """One line of it for a quote, as safe HTML with WhatsApp's marks shown; what has no words is named."""
    return formatting.quoted(_words(message)) or kind_name(_kind(message))


def _words(message: Message) -> str:
    return "" if _kind(message) == "deleted" else message.words


def _kind(message: Message) -> str:
    return "deleted" if message.amendment and message.amendment.deleted_at else message.type


_WORDS = frozenset({"text", "button", "interactive", "template", "reaction"})
_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
_OWN_LOOK = frozenset({"location", "contacts", "order"})


def content_kind(item: Bubble) -> str:
    """Which branch of `_content.html` shows it; what we do not know is named as such, with its words if it has any."""
    kind = item.message.type
    if item.answers:
        return "answers"
    if kind == "template" and item.attachment:
        return "file"
    if kind in _WORDS and item.message.words:
        return "text"
    if kind in _FILES:
        return "file"
    return kind if kind in _OWN_LOOK else "unsupported"


def ends_below(item: Bubble) -> bool:
    """Whether the time stands below what is shown, and not beside the last line of the words."""
    message = item.message
    return (
        content_kind(item) not in ("text", "unsupported")
        or message.amendment is not None
        or message.status in (MessageStatus.FAILED, MessageStatus.UNKNOWN)
        or bool(message.payload.get("errors"))
        or (message.is_outbound and message.type == "interactive" and bool(message.payload.get("kind")))
    )


def unsupported_name(item: Bubble) -> str:
    """What it was that WhatsApp does not hand on; of a type nobody knows yet, WhatsApp's own word."""
    message = item.message
    if message.type in _KINDS:
        return kind_name(message.type)
    was = str(message.payload.get("type") or "")
    if message.type not in ("unsupported", "unknown"):
        return f"{kind_name(message.type)} · {message.type}"
    return _NOT_HANDED_ON[was]() if was in _NOT_HANDED_ON else kind_name(message.type)
