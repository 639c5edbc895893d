"""What a message, an activity line and an episode show; `{% load thread %}`. `crm.showing` has it by kind of message."""

from django import template
from django.utils.safestring import SafeString

from crm import formatting
from crm.explanations import sentence
from crm.models import Episode, Message, MessageStatus, Source
from crm.showing import activities, contents, files, kinds, notes
from crm.templatetags.drawing import drawn
from crm.templatetags.inbox import span
from whatsapp import phones
from whatsapp.outgoing import KINDS

register = template.Library()

register.filter("formatted", formatting.formatted)
register.filter(kinds.kind_icon)
register.filter(kinds.kind_name)
register.filter(kinds.preview)
register.filter(kinds.quote)
register.filter(kinds.content_kind)
register.filter(kinds.ends_below)
register.filter(kinds.unsupported_name)
register.filter(files.file_kind)
register.filter(files.file_name)
register.filter(files.file_look)
register.filter(files.file_failure)
register.filter(files.minutes)
register.filter(files.file_word)
register.filter(contents.place)
register.filter(contents.cards)
register.filter(contents.products)
register.filter(contents.order_total)
register.filter(contents.advert)
register.filter(contents.tapped)
register.filter(contents.asked_about)
register.filter(contents.meta_says)
register.filter(notes.note_icon)
register.filter(notes.note_words)
register.filter(activities.activity_words)


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


@register.filter
def can_retry(message: Message) -> bool:
    """Whether it is something that we can say again."""
    return message.type in KINDS and message.type != "reaction" and message.source != Source.PHONE


@register.filter
def failure(message: Message) -> str:
    """Why it did not go out, in plain words."""
    return str(sentence(message.error_reason, message.error_code))


@register.filter
def phone(digits: str) -> str:
    return phones.display(digits)


@register.filter
def length(episode: Episode) -> str:
    return span(episode.closed_at - episode.opened_at) if episode.closed_at else ""
