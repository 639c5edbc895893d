"""Putting a message into the outbox: the rules are checked here, and nowhere else."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from crm import bells, costs, live
from crm.explanations import (
    CAPTION_TOO_LONG,
    EMPTY,
    FLOW_WITHOUT_KEY,
    INACTIVE,
    INCOMPLETE_TEMPLATE,
    NO_ADDRESS,
    NO_CARDS,
    NO_CATALOGUE,
    NO_FILES,
    NO_FLOWS,
    NO_LOCATIONS,
    NO_OPTIONS,
    TEST_MODE,
    TOO_LONG,
    UNKNOWN_FLOW,
    UNKNOWN_TEMPLATE,
    UNREADABLE,
    sentence,
)
from crm.flows import sending
from crm.media.outgoing import NewFile
from crm.models import (
    Attachment,
    Contact,
    Conversation,
    ConversationStatus,
    Direction,
    Episode,
    IdentityKind,
    Message,
    MessageStatus,
    Priority,
    Reaction,
    Source,
)
from crm.template_words import why_not
from tenants.models import Membership
from whatsapp import cards, interactive, places, template_filling
from whatsapp.capabilities import CAPABILITIES
from whatsapp.errors import Reason
from whatsapp.flows import exchanging
from whatsapp.models import Flow, Number
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Contacts, Interactive, Location, Media, Outgoing, Template, Text
from whatsapp.outgoing import Reaction as ReactionContent

_PRIORITY = {Source.SEQUENCE: Priority.SEQUENCE, Source.BROADCAST: Priority.CAMPAIGN}
_PEOPLE = frozenset({Source.AGENT, Source.API, Source.PHONE})
_MOVED = (
    "last_message", "last_message_at", "last_inbound_at", "waiting_since", "unread_count", "status", "snoozed_until",
    "assignee",
)  # fmt: skip
# What a number must be able to, what is said where it is not, and the rules of the content.
_SHAPES: dict[str, tuple[str, str, Callable[[Any], str]]] = {
    Interactive.type: ("interactive", NO_OPTIONS, interactive.fault),
    Location.type: ("locations", NO_LOCATIONS, places.fault),
    Contacts.type: ("contact_cards", NO_CARDS, cards.fault),
}
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
_NUL_WRITTEN = rb"\u0000"


class CannotSend(Exception):
    """The message may not go out; `explanation` says why and what to do, to the person who wrote it."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.said = str(reason), said

    @property
    def explanation(self) -> Any:
        return self.said or sentence(self.reason)


def compose(
    *,
    conversation: Conversation,
    content: Outgoing,
    source: Source,
    client_id: UUID,
    now: datetime,
    author: Membership | None = None,
    quoted_message_id: str = "",
    priority: Priority | None = None,
    file: NewFile | None = None,
) -> Message:
    """Queue a message to the contact; sending happens after commit.

    The same `client_id` in the same conversation returns the message that is already there, also when two requests
    race. Raises CannotSend with a reason a person can read (window closed, opted out, template not approved, …).
    `file` belongs to content that is Media; the message goes once the file has been handed over.
    """
    with transaction.atomic():
        if existing := Message.objects.filter(conversation=conversation, client_id=client_id).first():
            return existing
        content, invitation = sending.invited(checked(conversation, content, now), conversation)
        price = costs.expected(conversation, content, now)
        message = Message(
            id=uuid7(),
            tenant_id=conversation.tenant_id,
            conversation=conversation,
            number_id=conversation.number_id,
            direction=Direction.OUTBOUND,
            source=source,
            type=content.type,
            text=content.text_shown,
            payload=content.as_payload(),
            author=author,
            client_id=client_id,
            quoted_message_id=quoted_message_id,
            sent_at=now,
            status=MessageStatus.QUEUED,
            next_attempt_at=None if file else now,
            template_category=content.category.lower() if isinstance(content, Template) else "",
            country=price.country,
            cost_amount=price.amount,
            cost_currency=price.currency,
            priority=_PRIORITY.get(source, Priority.PERSON) if priority is None else priority,
        )
        inserted = Message.objects.bulk_create([message], ignore_conflicts=True)
        stored = Message.objects.get(conversation=conversation, client_id=client_id)
        if stored.pk != inserted[0].pk:
            return stored  # the other click of a double click was first
        if invitation:
            exchanging.invite([invitation], now=now)
        if file:
            _attach(stored, file)
        else:
            # Due by the database's clock: this machine's may run ahead of it.
            Message.objects.filter(pk=stored.pk).update(next_attempt_at=Now())
        if isinstance(content, ReactionContent):
            _react(conversation, content, now)
        else:
            _move_conversation(conversation, stored, author, source, now)
        live.publish(
            conversation.tenant_id,
            [live.Change(conversation.pk, (conversation.queue_id,), (conversation.assignee_id,))],
        )
        bells.ring_dispatch(conversation.tenant_id, conversation.number_id)
        return stored


def _attach(message: Message, file: NewFile) -> None:
    Attachment.objects.create(
        tenant_id=message.tenant_id,
        message=message,
        mime_type=file.mime_type,
        filename=file.filename,
        source_url=file.source_url or None,
        stored_as=file.stored_as,
        size=file.size,
        is_voice=file.is_voice,
    )
    bells.ring_media()


def check(*, conversation: Conversation, content: Outgoing, now: datetime) -> None:
    """Whether `compose` would take this now. Raises CannotSend as it would."""
    checked(conversation, content, now)


def price(*, conversation: Conversation, content: Outgoing, now: datetime) -> costs.Price:
    """What it would cost to send this now. Raises CannotSend as `compose` would."""
    return costs.expected(conversation, checked(conversation, content, now), now)


class Lookups:
    """What the rules ask the database for; a batch asks once for all of it."""

    def template(self, waba_id: str, name: str, language: str) -> StoredTemplate | None:
        """The template of this name and language, approved or not."""
        return StoredTemplate.objects.filter(waba_id=waba_id, name=name, language=language).first()

    def flow(self, number: Number, id: Any) -> Flow | None:
        """The Flow of the number's account, whether or not it may be sent now."""
        return sending.find(number, id)

    def has_flow_key(self, number: Number) -> bool:
        """Whether phones can seal what they say to this number's endpoint."""
        return sending.has_key(number)

    def has_user_id(self, contact: Contact) -> bool:
        return contact.identities.filter(kind=IdentityKind.BSUID).exists()


_ASK = Lookups()


def checked(conversation: Conversation, content: Outgoing, now: datetime, lookups: Lookups = _ASK) -> Outgoing:
    """The content as it may go out, a template with its category and filled preview. Raises CannotSend."""
    number = conversation.number
    capabilities = CAPABILITIES[number.provider]
    if not number.is_active:
        raise CannotSend(INACTIVE)
    if not number.may_reach(conversation.contact.phone or ""):
        raise CannotSend(TEST_MODE)
    if not _is_readable(content.as_payload()):
        raise CannotSend(UNREADABLE)
    if isinstance(content, Text) and len(content.body) > capabilities.max_text_length:
        raise CannotSend(TOO_LONG)
    if isinstance(content, Media):
        if content.type not in capabilities.media:
            raise CannotSend(NO_FILES)
        if len(content.caption) > capabilities.max_caption_length:
            raise CannotSend(CAPTION_TOO_LONG)
    if content.type in _SHAPES and not getattr(capabilities, _SHAPES[content.type][0]):
        raise CannotSend(_SHAPES[content.type][1])
    if isinstance(content, Interactive) and content.kind == interactive.FLOW:
        content = _checked_flow(conversation, content, lookups)
    if isinstance(content, Interactive) and content.kind == interactive.PRODUCT:
        if not number.catalog_id:
            raise CannotSend(NO_CATALOGUE)
        content = replace(content, product=content.product | {"catalog": number.catalog_id})
    check_shape(content)
    if isinstance(content, Template):
        content = _checked_template(conversation, content, lookups)
    elif capabilities.has_window and not conversation.window(now).can_send_free_form:
        raise CannotSend(Reason.WINDOW_CLOSED)
    if not conversation.contact.phone and not (
        capabilities.sends_to_user_ids and lookups.has_user_id(conversation.contact)
    ):
        raise CannotSend(NO_ADDRESS)
    return content


def check_shape(content: Outgoing) -> None:
    """Whether WhatsApp takes content of this shape at all, whoever it goes to. Raises CannotSend."""
    if isinstance(content, Text) and not content.body.strip():
        raise CannotSend(EMPTY)
    if isinstance(content, Text) and len(content.body) > Text.MAX_LENGTH:
        raise CannotSend(TOO_LONG)
    if content.type in _SHAPES and (found := _SHAPES[content.type][2](content)):
        raise CannotSend(found)


def _checked_template(conversation: Conversation, content: Template, lookups: Lookups) -> Template:
    stored = lookups.template(conversation.number.waba_id, content.name, content.language)
    if stored is None:
        raise CannotSend(UNKNOWN_TEMPLATE)
    if not stored.is_approved:
        raise CannotSend(Reason.TEMPLATE_STATE, why_not(stored))
    if stored.category == "MARKETING" and conversation.contact.marketing_stopped:
        raise CannotSend(Reason.OPTED_OUT)
    if not template_filling.is_complete(stored.slots, content.components, has_file=content.has_file):
        raise CannotSend(INCOMPLETE_TEMPLATE)
    content = _with_flow(conversation, content, stored.flow_button, lookups)
    given = template_filling.body_of(content.components)
    preview = stored.filled(template_filling.named(stored.variables, given))
    return replace(content, category=stored.category, preview=preview)


def _checked_flow(conversation: Conversation, content: Interactive, lookups: Lookups) -> Interactive:
    number = conversation.number
    if not CAPABILITIES[number.provider].flows:
        raise CannotSend(NO_FLOWS)
    flow = lookups.flow(number, content.flow.get("id", ""))
    if flow is None:
        raise CannotSend(UNKNOWN_FLOW)
    _check_opens(flow, number, lookups)
    return sending.filled(content, flow, conversation)


def _with_flow(
    conversation: Conversation, content: Template, button: template_filling.FlowButton | None, lookups: Lookups
) -> Template:
    """The template with what its button opens, for this conversation's person alone, whatever token came with it.

    A Flow that we have not heard of goes as Meta would have it: its answer is read, and written on nobody.
    """
    if button is None:
        return replace(content, flow={})
    flow = lookups.flow(conversation.number, button.flow_id) if button.flow_id else None
    others = [component for component in content.components if not template_filling.is_of_flow(component)]
    if flow is None:
        is_given = len(others) < len(content.components)
        return replace(content, flow={} if is_given else {"index": button.index})
    _check_opens(flow, conversation.number, lookups)
    given = template_filling.flow_data(content.components)
    return sending.with_button(replace(content, components=others), button, flow, conversation, given)


def _check_opens(flow: Flow, number: Number, lookups: Lookups) -> None:
    if not flow.is_sendable:
        raise CannotSend(UNKNOWN_FLOW)
    if flow.form.uses_endpoint and not lookups.has_flow_key(number):
        raise CannotSend(FLOW_WITHOUT_KEY)


def _move_conversation(
    conversation: Conversation, message: Message, author: Membership | None, source: Source, now: datetime
) -> None:
    """Put the message on top; a person's answer also ends the customer's waiting and takes an unowned conversation.

    Under the row's lock, because a merge may be adding a customer's message: one that the writer has not seen stays
    unanswered, and one that is newer stays on top.
    """
    seen_until = conversation.last_inbound_at
    locked = Conversation.objects.select_for_update(no_key=True)
    conversation.refresh_from_db(fields=_MOVED, from_queryset=locked)
    changed = []
    if conversation.last_message_at is None or conversation.last_message_at <= now:
        conversation.last_message, conversation.last_message_at = message, now
        changed += ["last_message", "last_message_at"]
    if source in _PEOPLE:
        if conversation.last_inbound_at == seen_until:
            conversation.waiting_since, conversation.unread_count = None, 0
            changed += ["waiting_since", "unread_count"]
        if conversation.status != ConversationStatus.OPEN:
            conversation.status, conversation.snoozed_until = ConversationStatus.OPEN, None
            changed += ["status", "snoozed_until"]
        if author and conversation.assignee_id is None:
            conversation.assignee = author
            changed.append("assignee")
    conversation.save(update_fields=changed)
    if source in _PEOPLE:
        episode, _created = Episode.objects.get_or_create(
            conversation=conversation,
            closed_at=None,
            defaults={
                "tenant_id": conversation.tenant_id,
                "queue_id": conversation.queue_id,
                "opened_at": now,
                "opened_by_customer": False,
            },
        )
        Episode.objects.filter(pk=episode.pk, first_reply_at=None).update(first_reply_at=now, first_reply_by=author)


def _react(conversation: Conversation, content: ReactionContent, now: datetime) -> None:
    reaction, created = Reaction.objects.get_or_create(
        number_id=conversation.number_id,
        target_message_id=content.target_id,
        ours=True,
        defaults={"tenant_id": conversation.tenant_id, "emoji": content.emoji, "at": now},
    )
    if not created:
        reaction.emoji, reaction.at = content.emoji, now
        reaction.save(update_fields=["emoji", "at"])


def _is_readable(payload: Any) -> bool:
    """Whether a payload holds no character that JSON or the database does not take."""
    with suppress(orjson.JSONEncodeError):  # of half a character, or of what this writer does not know
        if _NUL_WRITTEN not in orjson.dumps(payload):
            return True
    return not _UNREADABLE.search(_all_text(payload))


def _all_text(value: Any) -> str:
    """Every string inside a payload, joined."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_all_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return "".join(map(_all_text, value))
    return ""
