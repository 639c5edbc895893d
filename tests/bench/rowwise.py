"""The merge as it is usually written: one event, one transaction, one row after the other through the ORM.

It does the same work as `crm.inbound` for texts and statuses, so that the two can be compared: merging the same events
again afterwards must change nothing, and `merging` checks that.
"""

from datetime import timedelta

from django.db.models import F

from crm import live
from crm.models import (
    Contact,
    Conversation,
    ConversationStatus,
    Direction,
    Episode,
    Identity,
    IdentityKind,
    Message,
    MessageStatus,
    Source,
)
from tenants.context import system_transaction
from whatsapp import phones
from whatsapp.events import MessageReceived, StatusChanged
from whatsapp.models import EventState, Number, WebhookEvent
from whatsapp.providers import get_provider
from whatsapp.statuses import Status, merged

_MOMENT = {Status.SENT: "left_at", Status.DELIVERED: "delivered_at", Status.READ: "read_at"}


def merge_one(event_id: int) -> None:
    """Merge one stored webhook and finish it."""
    with system_transaction():
        event = WebhookEvent.objects.select_for_update().get(pk=event_id)
        for happening in get_provider(event.provider).parse(event.body):
            number = Number.objects.get(provider=event.provider, phone_number_id=happening.number_id)
            merge = _receive if isinstance(happening, MessageReceived) else _report
            conversation = merge(number, happening)
            live.publish(
                number.tenant_id,
                [live.Change(conversation.pk, (conversation.queue_id,), (conversation.assignee_id,))],
            )
        event.state, event.tenant_id = EventState.DONE, number.tenant_id
        event.save(update_fields=["state", "tenant_id"])


def _receive(number: Number, received: MessageReceived) -> Conversation:
    contact = _contact(number, received)
    conversation, _created = Conversation.objects.get_or_create(
        number=number, contact=contact, defaults={"tenant_id": number.tenant_id, "queue_id": number.queue_id}
    )
    message, is_new = Message.objects.get_or_create(
        number=number,
        provider_message_id=received.message_id,
        defaults={
            "tenant_id": number.tenant_id,
            "conversation": conversation,
            "direction": Direction.INBOUND,
            "source": Source.CUSTOMER,
            "type": received.type,
            "text": received.text,
            "payload": received.payload,
            "sent_at": received.sent_at,
            "status": MessageStatus.RECEIVED,
        },
    )
    if is_new:
        _move(conversation, message)
    return conversation


def _contact(number: Number, received: MessageReceived) -> Contact:
    person = received.sender
    value = phones.canonical(person.phone or "")
    identity = Identity.objects.filter(kind=IdentityKind.PHONE, value=value).select_related("contact").first()
    if identity is None:
        contact = Contact.objects.create(
            tenant_id=number.tenant_id,
            profile_name=person.profile_name or "",
            phone=person.phone or "",
            profile_at=received.sent_at,
        )
        Identity.objects.create(
            tenant_id=number.tenant_id,
            contact=contact,
            kind=IdentityKind.PHONE,
            value=value,
            address=person.phone or "",
        )
        return contact
    contact = identity.contact
    if person.profile_name and (contact.profile_at is None or received.sent_at > contact.profile_at):
        contact.profile_name, contact.profile_at = person.profile_name, received.sent_at
        contact.save(update_fields=["profile_name", "profile_at"])
    return contact


def _move(conversation: Conversation, message: Message) -> None:
    at = message.sent_at
    if conversation.last_message_at is None or at >= conversation.last_message_at:
        conversation.last_message, conversation.last_message_at = message, at
    conversation.last_inbound_at = max(conversation.last_inbound_at or at, at)
    conversation.window_expires_at = conversation.last_inbound_at + timedelta(hours=24)
    conversation.waiting_since = min(conversation.waiting_since or at, at)
    conversation.unread_count = F("unread_count") + 1
    conversation.status, conversation.snoozed_until = ConversationStatus.OPEN, None
    conversation.save(
        update_fields=["last_message", "last_message_at", "last_inbound_at", "window_expires_at", "waiting_since",
                       "unread_count", "status", "snoozed_until"]
    )  # fmt: skip
    Episode.objects.get_or_create(
        conversation=conversation,
        closed_at=None,
        defaults={
            "tenant_id": conversation.tenant_id,
            "queue_id": conversation.queue_id,
            "opened_at": at,
            "opened_by_customer": True,
        },
    )


def _report(number: Number, report: StatusChanged) -> Conversation:
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation")
        .get(number=number, provider_message_id=report.message_id, direction=Direction.OUTBOUND)
    )
    column = _MOMENT[Status(report.status)]
    setattr(message, column, min(getattr(message, column) or report.at, report.at))
    message.status = merged(message.status, report.status)
    if report.pricing:
        message.pricing_category = report.pricing.category or ""
        message.pricing_type = report.pricing.type or ""
        message.billable = report.pricing.billable
    message.save(update_fields=["status", column, "pricing_category", "pricing_type", "billable"])
    return message.conversation
