"""What a person decides about a message that failed or of which nobody knows."""

from datetime import datetime
from uuid import uuid5

from django.db.models.functions import Now

from crm import bells, live
from crm.explanations import NOT_FAILED, NOT_UNKNOWN
from crm.media.outgoing import NewFile
from crm.models import Attachment, FileState, Message, MessageStatus, Source
from crm.outbound.composing import CannotSend, check, compose
from tenants.models import Membership
from whatsapp.outgoing import from_payload


def retry(*, message: Message, actor: Membership | None, now: datetime) -> Message:
    """Send a failed message again, under today's rules; returns the message that will go out.

    One that WhatsApp had accepted keeps its id and its history, and a new message goes out instead; asking twice gives
    the same one. Raises CannotSend.
    """
    if message.status != MessageStatus.FAILED:
        raise CannotSend(NOT_FAILED)
    content = from_payload(message.type, message.payload)
    attachment = Attachment.objects.filter(message=message).first() if content.has_file else None
    if message.provider_message_id:
        return compose(
            conversation=message.conversation,
            content=content,
            source=Source.AGENT if actor else Source(message.source),
            client_id=uuid5(message.pk, "retry"),
            now=now,
            author=actor,
            quoted_message_id=message.quoted_message_id,
            file=NewFile.of(attachment) if attachment else None,
        )
    check(conversation=message.conversation, content=content, now=now)
    changed = Message.objects.filter(pk=message.pk, status=MessageStatus.FAILED).update(
        status=MessageStatus.QUEUED,
        next_attempt_at=None if attachment else Now(),
        failed_at=None,
        error_reason="",
        error_code=None,
        error_detail="",
    )
    if changed:
        if attachment:  # handed over anew: what the provider had of it may be gone, or be what it could not take
            Attachment.objects.filter(pk=attachment.pk).update(
                state=FileState.WAITING, attempts=0, failure="", media_id="", next_attempt_at=Now()
            )
            bells.ring_media()
        _go_on(message)
    message.refresh_from_db()
    return message


def decide_unknown(*, message: Message, resend: bool, actor: Membership | None, now: datetime) -> Message:
    """Say that a message of unknown outcome shall be sent again, or that it arrived and is to be left alone.

    Statuses that come later still count in both cases. Raises CannotSend when it was decided already.
    """
    if resend:
        check(conversation=message.conversation, content=from_payload(message.type, message.payload), now=now)
        fields = {"status": MessageStatus.QUEUED, "resent": True, "next_attempt_at": Now(), "unknown_at": None}
    else:
        fields = {"status": MessageStatus.ACCEPTED, "accepted_at": message.unknown_at or now, "unknown_at": None}
    changed = Message.objects.filter(pk=message.pk, status=MessageStatus.UNKNOWN).update(
        **fields, lease_expires_at=None, error_detail=""
    )
    if not changed:
        raise CannotSend(NOT_UNKNOWN)
    _go_on(message)
    message.refresh_from_db()
    return message


def _go_on(message: Message) -> None:
    conversation = message.conversation
    live.publish(
        message.tenant_id, [live.Change(conversation.pk, (conversation.queue_id,), (conversation.assignee_id,))]
    )
    bells.ring_dispatch(message.tenant_id, message.number_id)
