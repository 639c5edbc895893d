"""Putting many messages into the outbox at once: the rules of `compose`, and a handful of statements for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from crm import bells, costs, live
from crm.flows import sending
from crm.media.outgoing import NewFile
from crm.models import Attachment, Contact, Conversation, Identity, IdentityKind, Message, Priority, Source
from crm.outbound.composing import CannotSend, Lookups, checked
from crm.rows import as_parameter
from tenants.context import current_tenant_id
from whatsapp.flows import exchanging
from whatsapp.flows.exchanging import Invitation
from whatsapp.models import Flow, Number
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Outgoing, Template


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to be; the conversation comes with its contact and number. The `client_id` makes it one message.

    `file` belongs to content that is Media; such a message goes once its file has been handed over.
    """

    conversation: Conversation
    content: Outgoing
    client_id: UUID
    file: NewFile | None = None


_TEXT: Any = Message._meta.get_field("text")
_PAYLOAD: Any = Message._meta.get_field("payload")
# What is there already stays as it is: the same draft twice, also by two workers at once, is one message.
_INSERT = """
INSERT INTO crm_message (id, tenant_id, conversation_id, number_id, direction, source, type, text, payload, client_id,
    quoted_message_id, sent_at, status, next_attempt_at, error_reason, error_detail, priority, attempt, resent,
    template_category, country, pricing_category, pricing_type, cost_amount, cost_currency)
SELECT m.id, %s, m.conversation_id, m.number_id, 'outbound', %s, m.type, decode(m.text, 'hex'), decode(m.payload, 'hex'), m.client_id,
       '', %s, 'queued', CASE WHEN NOT m.has_file THEN statement_timestamp() END, '', '', %s, 0, false, m.category,
       m.country, '', '', m.amount, m.currency
FROM json_to_recordset(%s) AS m (id uuid, conversation_id uuid, number_id uuid, type text, text text, payload text,
    client_id uuid, category text, country text, amount numeric, currency text, has_file bool)
ON CONFLICT (conversation_id, client_id) DO NOTHING
RETURNING id
"""
_STORED = "SELECT client_id, id FROM crm_message WHERE (conversation_id, client_id) IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[]))"
# Locked by id, as every other writer of many conversations does. Nobody's waiting ends by what no person wrote.
_MOVE = """
WITH locked AS (SELECT id FROM crm_conversation WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)
UPDATE crm_conversation c SET last_message_id = m.id, last_message_at = %s
FROM unnest(%s::uuid[], %s::uuid[]) AS m (id, conversation_id) JOIN locked ON locked.id = m.conversation_id
WHERE c.id = m.conversation_id AND (c.last_message_at IS NULL OR c.last_message_at <= %s)
"""


def compose_many(
    drafts: Sequence[Draft], *, source: Source, now: datetime, priority: Priority = Priority.SEQUENCE
) -> dict[UUID, UUID | CannotSend]:
    """Queue messages of one tenant, in its transaction; by client id the message's id, or why it may not go out.

    At most one draft a conversation. Running it again gives the same messages; sending happens after commit.
    """
    tenant_id, results = current_tenant_id(), dict[UUID, UUID | CannotSend]()
    lookups = _Gathered(drafts)
    ready: list[tuple[Draft, Outgoing, UUID]] = []
    invitations: dict[UUID, Invitation] = {}
    currency = costs.currency_of(tenant_id) if drafts else ""
    for draft in drafts:
        try:
            content = checked(draft.conversation, draft.content, now, lookups)
        except CannotSend as refusal:
            results[draft.client_id] = refusal
            continue
        id = uuid7()
        content, invitation = sending.invited(content, draft.conversation)
        if invitation:
            invitations[id] = invitation
        ready.append((draft, content, id))
    if not ready:
        return results
    rows = as_parameter(_row(*each, currency=currency, tenant_id=tenant_id, now=now) for each in ready)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [tenant_id, source.value, now, priority.value, rows])
        inserted = {row[0] for row in cursor.fetchall()}
        exchanging.invite([each for id, each in invitations.items() if id in inserted], now=now)
        _attach({id: draft.file for draft, _, id in ready if draft.file and id in inserted}, tenant_id)
        results |= {draft.client_id: id for draft, _, id in ready if id in inserted}
        there = [draft for draft, _, id in ready if id not in inserted]
        if there:
            cursor.execute(_STORED, [[draft.conversation.pk for draft in there], [draft.client_id for draft in there]])
            results |= dict(cursor.fetchall())
        moved = [(id, draft.conversation.pk) for draft, _, id in ready if id in inserted]
        if moved:
            conversation_ids = [conversation_id for _, conversation_id in moved]
            cursor.execute(_MOVE, [conversation_ids, now, [id for id, _ in moved], conversation_ids, now])
    _announce(tenant_id, [draft.conversation for draft, _, id in ready if id in inserted])
    return results


def _row(draft: Draft, content: Outgoing, id: UUID, *, currency: str, tenant_id: UUID, now: datetime) -> dict[str, Any]:
    """What the statement reads of one message."""
    conversation, price = draft.conversation, costs.expected(draft.conversation, content, now, currency)
    return {
        "id": id,
        "conversation_id": conversation.pk,
        "number_id": conversation.number_id,
        "type": content.type,
        "text": _TEXT.sealed(content.text_shown, tenant_id=tenant_id).hex(),
        "payload": _PAYLOAD.sealed(content.as_payload(), tenant_id=tenant_id).hex(),
        "client_id": draft.client_id,
        "category": content.category.lower() if isinstance(content, Template) else "",
        "country": price.country,
        "amount": price.amount,
        "currency": price.currency,
        "has_file": draft.file is not None,
    }


def _attach(files: dict[UUID, NewFile], tenant_id: UUID) -> None:
    """Put what is to be handed over into the queue of files."""
    if files:
        Attachment.objects.bulk_create(
            Attachment(
                tenant_id=tenant_id,
                message_id=id,
                mime_type=file.mime_type,
                filename=file.filename,
                stored_as=file.stored_as,
                size=file.size,
                is_voice=file.is_voice,
            )
            for id, file in files.items()
        )
        bells.ring_media()


def _announce(tenant_id: UUID, conversations: Iterable[Conversation]) -> None:
    conversations = list(conversations)
    live.publish(tenant_id, [live.Change(each.pk, (each.queue_id,), (each.assignee_id,)) for each in conversations])
    for number_id in {each.number_id for each in conversations}:
        bells.ring_dispatch(tenant_id, number_id)


class _Gathered(Lookups):
    """The answers for a whole batch: by two queries, and one or two for each Flow and number."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        names = {draft.content.name for draft in drafts if isinstance(draft.content, Template)}
        stored = StoredTemplate.objects.filter(name__in=names) if names else ()
        self._templates = {(each.waba_id, each.name, each.language): each for each in stored}
        without_phone = [draft.conversation.contact_id for draft in drafts if not draft.conversation.contact.phone]
        known: Any = Identity.objects.filter(contact__in=without_phone, kind=IdentityKind.BSUID)
        self._flows: dict[tuple[UUID, str], Flow | None] = {}
        self._keyed: dict[UUID, bool] = {}
        self._with_user_id = set(known.values_list("contact_id", flat=True)) if without_phone else set()

    def template(self, waba_id: str, name: str, language: str) -> StoredTemplate | None:
        return self._templates.get((waba_id, name, language))

    def flow(self, number: Number, id: Any) -> Flow | None:
        key = number.pk, str(id)
        if key not in self._flows:
            self._flows[key] = super().flow(number, id)
        return self._flows[key]

    def has_flow_key(self, number: Number) -> bool:
        if number.pk not in self._keyed:
            self._keyed[number.pk] = super().has_flow_key(number)
        return self._keyed[number.pk]

    def has_user_id(self, contact: Contact) -> bool:
        return contact.pk in self._with_user_id
