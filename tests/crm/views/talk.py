"""Conversations as the inbox meets them, made row by row."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from crm.models import Contact, Conversation, Direction, Identity, Message, MessageStatus, Source
from tests.cast import Company

FRAGMENT = {"HX-Request": "true"}
NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # 12:00 in Lima


def conversation(company: Company, name: str = "Rosa Quispe", *, now: datetime = NOON, **fields: Any) -> Conversation:
    """An open conversation in sales in which the customer wrote an hour ago and waits; `identified` by their phone."""
    contact = Contact.objects.create(tenant=company.tenant, name=name, phone=str(51900000000 + uuid4().int % 10**8))
    if fields.pop("identified", False):
        Identity.objects.create(
            tenant=company.tenant, contact=contact, kind="phone", value=contact.phone, address=contact.phone
        )
    wrote_at = fields.pop("wrote_at", now - timedelta(hours=1))
    defaults = {
        "queue": company.sales,
        "last_message_at": wrote_at,
        "last_inbound_at": wrote_at,
        "waiting_since": wrote_at,
        "window_expires_at": wrote_at + timedelta(hours=24),
        "unread_count": 1,
    }
    return Conversation.objects.create(
        tenant=company.tenant, contact=contact, number=company.number, **defaults | fields
    )


def inbound(conversation: Conversation, text: str = "Hola", *, at: datetime | None = None, **fields: Any) -> Message:
    return _message(
        conversation,
        direction=Direction.INBOUND,
        source=Source.CUSTOMER,
        status=MessageStatus.RECEIVED,
        text=text,
        at=at or conversation.last_inbound_at,
        **fields,
    )


def outbound(
    conversation: Conversation, text: str = "¡Claro!", *, at: datetime | None = None, **fields: Any
) -> Message:
    defaults = {"source": Source.AGENT, "status": MessageStatus.DELIVERED, "client_id": uuid4()}
    return _message(
        conversation,
        direction=Direction.OUTBOUND,
        text=text,
        at=at or conversation.last_message_at,
        **defaults | fields,
    )


def _message(conversation: Conversation, *, text: str, at: datetime, **fields: Any) -> Message:
    defaults = {"type": "text", "payload": {"body": text}, "provider_message_id": f"wamid.{uuid4().hex}"}
    message = Message.objects.create(
        tenant_id=conversation.tenant_id,
        conversation=conversation,
        number_id=conversation.number_id,
        text=text,
        sent_at=at,
        **defaults | fields,
    )
    if conversation.last_message is None or at >= conversation.last_message.sent_at:
        conversation.last_message, conversation.last_message_at = message, at
        conversation.save(update_fields=["last_message", "last_message_at"])
    return message
