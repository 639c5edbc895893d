"""What a message, an activity line and an episode show; `{% load thread %}`."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm import formatting
from crm.explanations import sentence
from crm.models import Activity, ActivityKind, Attachment, Episode, FileState, Message, MessageStatus, Source
from crm.templatetags.drawing import drawn
from crm.templatetags.inbox import moment_in_words, span
from crm.views.log import Bubble
from whatsapp import phones
from whatsapp.outgoing import KINDS

register = template.Library()


register.filter("formatted", formatting.formatted)


@register.filter
def element_id(message: Message) -> str:
    """Ours carry the id their form gave them, so that the server's bubble replaces the one the page showed at once."""
    return f"message-{message.client_id or message.pk}"


_TICKS = {
    MessageStatus.QUEUED: ("queued", "clock"),
    MessageStatus.SENDING: ("queued", "clock"),
    MessageStatus.UNKNOWN: ("unknown", "question"),
    MessageStatus.ACCEPTED: ("accepted", "tick"),
    MessageStatus.SENT: ("accepted", "tick"),
    MessageStatus.DELIVERED: ("delivered", "ticks"),
    MessageStatus.READ: ("read", "ticks-read"),
    MessageStatus.PLAYED: ("read", "ticks-read"),
    MessageStatus.FAILED: ("failed", "alert-circle"),
}


@register.filter
def tick(message: Message) -> SafeString:
    """How far a message of ours got: shape first, colour second, and the word for those who hear it."""
    state, drawing = _TICKS.get(MessageStatus(message.status), ("queued", "clock"))
    return drawn("crm/inbox/_tick.html", state=state, drawing=drawing, word=str(message.get_status_display()))


# Icon and name of what is not text; the name is what a row and a quote say of it.
_KINDS = {
    "image": ("image", lambda: _("Photo")),
    "video": ("video", lambda: _("Video")),
    "audio": ("mic", lambda: _("Audio")),
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


@register.filter
def kind_icon(kind: str) -> str:
    return _KINDS.get(kind, _UNKNOWN_KIND)[0]


@register.filter
def kind_name(kind: str) -> str:
    return _KINDS.get(kind, _UNKNOWN_KIND)[1]()


@register.filter
def preview(message: Message) -> str:
    """One line of it, for a row or a quote; what has no words is named."""
    if message.amendment and message.amendment.deleted_at:
        return kind_name("deleted")
    return " ".join(message.words.split()) or kind_name(message.type)


@register.filter
def can_retry(message: Message) -> bool:
    """Whether it is something that we can say again."""
    return message.type in KINDS and message.type != "reaction" and message.source != Source.PHONE


@register.filter
def failure(message: Message) -> str:
    """Why it did not go out, in plain words."""
    return str(sentence(message.error_reason, message.error_code))


_WORDS = frozenset({"text", "button", "interactive", "template", "reaction"})
_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
_OWN_LOOK = frozenset({"location", "contacts", "order"})


@register.filter
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


@register.filter
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


@register.filter
def file_kind(item: Bubble) -> str:
    is_voice = item.attachment.is_voice if item.attachment else False
    kind = item.message.payload.get("media_kind") or item.message.type
    return "voice" if kind == "audio" and is_voice else kind


@register.filter
def file_name(item: Bubble) -> str:
    """The sender's name of the file, else what kind of file it is."""
    return (item.attachment.filename if item.attachment else "") or kind_name(file_kind(item))


_LOOKS = {"image": "image", "video": "video", "audio": "audio", "sticker": "sticker"}
_PLAYED = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "video/mp4", "video/webm"})


@register.filter
def file_look(item: Bubble) -> str:
    """How a file is shown: as picture, sticker, video or sound; as a `file` to download; `failed`; or `coming`."""
    attachment = item.attachment
    if attachment is None:
        return "coming"
    if not attachment.stored_as:
        return "failed" if attachment.state == FileState.FAILED else "coming"
    look = _LOOKS.get(file_kind(item), "file")
    family, _slash, _rest = attachment.mime_type.partition("/")
    bare = attachment.mime_type.partition(";")[0].strip().lower()
    if look in ("image", "sticker"):
        return look if family == "image" and (attachment.thumbnail or bare in _DRAWN) else "file"
    return look if look in ("video", "audio") and bare in _PLAYED else "file"


_DRAWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})


@register.filter
def file_failure(attachment: Attachment) -> str:
    return str(sentence(attachment.failure))


@register.filter
def minutes(seconds: int) -> str:
    """“0:34”."""
    return f"{seconds // 60}:{seconds % 60:02}"


@register.filter
def file_word(attachment: Attachment | None) -> str:
    """“PDF”, “XLSX”: at most four letters, for the little sheet of paper."""
    name = attachment.filename if attachment else ""
    ending = name.rpartition(".")[2] if "." in name else (attachment.mime_type if attachment else "").rpartition("/")[2]
    return ending.upper() if 0 < len(ending) <= 4 and ending.isalnum() else ""


@register.filter
def place(content: dict[str, Any]) -> dict[str, str]:
    """Title, details and map address of a location; the object is whatever the customer's WhatsApp wrote."""
    name, address = str(content.get("name") or ""), str(content.get("address") or "")
    try:
        point = f"{float(content['latitude']):.6f}, {float(content['longitude']):.6f}"
    except (KeyError, TypeError, ValueError):
        point = ""
    latitude, _comma, longitude = point.partition(", ")
    details = [part for part in (address if name else "", point) if part]
    return {
        "title": name or address or _("Location"),
        "details": " · ".join(details),
        "url": f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"
        if point
        else "",
    }


@register.filter
def cards(content: dict[str, Any]) -> list[dict[str, str]]:
    """Name and phones of each shared contact."""
    found = content.get("contacts")
    return [
        {
            "name": str(name.get("formatted_name") or name.get("first_name") or _("Contact")),
            "phones": ", ".join(
                str(each.get("phone") or each.get("wa_id") or "") for each in _objects(card.get("phones"))
            ),
        }
        for card in _objects(found)
        if isinstance(name := card.get("name") or {}, dict)
    ]


@register.filter
def products(content: dict[str, Any]) -> list[dict[str, str]]:
    """Count, name and price (“PEN 389.90”) of each line of an order."""
    return [
        {
            "quantity": str(line.get("quantity") or 1),
            "name": str(line.get("product_retailer_id") or ""),
            "price": f"{line.get('currency') or ''} {_amount(line.get('item_price'))}".strip(),
        }
        for line in _objects(content.get("product_items"))
    ]


def _amount(value: Any) -> str:
    try:
        return f"{Decimal(str(value)):.2f}"
    except ArithmeticError:
        return ""


@register.filter
def order_total(content: dict[str, Any]) -> str:
    """“PEN 438.90”; empty where a price is missing or there are several currencies."""
    lines = _objects(content.get("product_items"))
    try:
        total = sum(
            (Decimal(str(line["item_price"])) * Decimal(str(line.get("quantity") or 1)) for line in lines), Decimal(0)
        )
    except (KeyError, ArithmeticError):
        return ""
    currencies = {str(line.get("currency") or "") for line in lines}
    return f"{currencies.pop()} {total:.2f}".strip() if len(currencies) == 1 and total.is_finite() else ""


@register.filter
def advert(content: dict[str, Any]) -> dict[str, str]:
    """The ad or post that led to the message: headline, words, where it leads, and Meta's ids for whoever counts ads."""
    referral = content.get("referral")
    if not isinstance(referral, dict):
        return {}
    url = str(referral.get("source_url") or "")
    return {
        "kind": _("Post") if referral.get("source_type") == "post" else _("Ad"),
        "headline": str(referral.get("headline") or ""),
        "body": str(referral.get("body") or ""),
        "url": url if url.startswith(("https://", "http://")) else "",
        "id": str(referral.get("source_id") or ""),
        "click": str(referral.get("ctwa_clid") or ""),
    }


@register.filter
def asked_about(content: dict[str, Any]) -> str:
    """The catalogue's name of the product that a question is about."""
    product = content.get("product")
    return str(product.get("product_retailer_id") or "") if isinstance(product, dict) else ""


@register.filter
def meta_says(content: dict[str, Any]) -> list[str]:
    """What WhatsApp said was wrong with a message that a customer sent, in its own words."""
    return [
        f"{said} ({fault.get('code')})"
        for fault in _objects(content.get("errors"))
        if (said := str(fault.get("detail") or fault.get("title") or ""))
    ]


@register.filter
def unsupported_name(item: Bubble) -> str:
    """What it was that WhatsApp does not hand on; of a type nobody knows yet, WhatsApp's own word."""
    message = item.message
    if message.type in _KINDS:
        return kind_name(message.type)
    was = str(message.payload.get("type") or "")
    if message.type not in ("unsupported", "unknown"):
        return f"{kind_name(message.type)} · {message.type}"
    return _NOT_HANDED_ON[was]() if was in _NOT_HANDED_ON else kind_name(message.type)


_SYSTEM = {
    "user_changed_number": lambda: _("They changed their phone number. What they wrote and write stays together."),
    "user_changed_user_id": lambda: _("Their WhatsApp id changed. What they wrote and write stays together."),
    "customer_identity_changed": lambda: _("They use WhatsApp on another device now. Make sure that it is still them."),
}


@register.filter
def note_icon(item: Bubble) -> str:
    return {"edit": "pencil", "revoke": "trash", "call_end": "phone"}.get(item.message.type) or kind_icon(
        item.message.type
    )


@register.filter
def note_words(item: Bubble) -> str:
    """What a line among the bubbles says."""
    message, content = item.message, item.message.payload
    who = _("On the phone, we") if message.is_outbound else _("They")
    if message.type == "call":
        return _call(message.amendment.call if message.amendment else None)
    if message.type == "call_end":
        return _call(content)
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


def _call(ending: dict[str, Any] | None) -> str:
    if ending is None:
        return _("They called. The window is open again.")
    seconds = ending.get("seconds")
    if not ending.get("answered"):
        return _("They called and nobody answered. The window is open again.")
    return (
        _("They called: %(length)s") % {"length": minutes(seconds)} if seconds else _("They called and talked to us.")
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


@register.filter
def phone(digits: str) -> str:
    return phones.display(digits)


_ACTIVITIES = {
    ActivityKind.ASSIGNED: lambda: _("%(actor)s assigned it to %(assignee)s"),
    ActivityKind.UNASSIGNED: lambda: _("%(actor)s released it"),
    ActivityKind.TRANSFERRED: lambda: _("%(actor)s transferred it to %(queue)s"),
    ActivityKind.CLOSED: lambda: _("%(actor)s closed the conversation"),
    ActivityKind.REOPENED: lambda: _("%(actor)s reopened the conversation"),
    ActivityKind.SNOOZED: lambda: _("%(actor)s put it aside until %(until)s"),
    ActivityKind.WOKEN: lambda: _("It is back: the time put aside is over"),
    ActivityKind.SUSPECTED: lambda: _("They have probably blocked this number: %(percent)s"),
    ActivityKind.REACHED: lambda: _("They were reached again: the suspicion of a block is over"),
    ActivityKind.DISMISSED: lambda: _("%(actor)s says that they have not blocked us"),
    ActivityKind.CONFIRMED: lambda: _("%(actor)s says that they have blocked us"),
    ActivityKind.OPTED_OUT: lambda: _("They wrote “%(word)s”: they get no more marketing from us"),
    ActivityKind.OPTED_IN: lambda: _("They wrote “%(word)s”: they take our marketing again"),
    ActivityKind.MERGED: lambda: _("%(actor)s merged %(name)s into this contact"),
}


@register.filter
def activity_words(activity: Activity, now: datetime) -> str:
    """“Ana closed the conversation”."""
    sentence_of = _ACTIVITIES.get(ActivityKind(activity.kind))
    if sentence_of is None:
        return activity.get_kind_display()
    facts = activity.facts
    if activity.kind == ActivityKind.ASSIGNED and activity.actor and facts.get("assignee") == str(activity.actor):
        return _("%(actor)s took it") % {"actor": activity.actor}
    words = sentence_of() % {
        "actor": activity.actor or _("Ventana"),
        "assignee": facts.get("assignee", ""),
        "queue": facts.get("queue", ""),
        "until": _moment(facts.get("until", ""), now),
        "percent": facts.get("percent", ""),
        "word": facts.get("word", ""),
        "name": facts.get("name", ""),
    }
    has_both = activity.kind == ActivityKind.TRANSFERRED and facts.get("assignee")
    return f"{words} · {facts['assignee']}" if has_both else words


@register.filter
def length(episode: Episode) -> str:
    return span(episode.closed_at - episode.opened_at) if episode.closed_at else ""


def _moment(text: str, now: datetime) -> str:
    try:
        return moment_in_words(datetime.fromisoformat(text), now)
    except ValueError:
        return text
