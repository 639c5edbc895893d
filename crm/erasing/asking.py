"""Asking for an erasure: what would go, and how somebody is gone from every page at once. Done while a person waits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from crm import bells, live, moving, tombstones
from crm.erasing.letting_go import let_go
from crm.explanations import ERASED
from crm.models import Attachment, Contact, Conversation, Erasure, ErasureDoor, ErasureReason, IdentityKind, Message
from crm.words import folded
from tenants import clock
from tenants.context import system_transaction
from tenants.models import Membership
from whatsapp import phones

MOST_COUNTED = 10_000


class CannotErase(Exception):
    """There is nobody to erase; `explanation` is for the person who asked."""

    def __init__(self, explanation: Any) -> None:
        super().__init__(str(explanation))
        self.explanation = explanation


class NotNow(CannotErase):
    """Somebody is there to be erased, and it can be asked for again soon."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How much would go with a contact; `messages` stops at MOST_COUNTED."""

    conversations: int
    messages: int
    files: int


def forecast(contact: Contact) -> Forecast:
    """What erasing this contact would take with it, in the tenant's transaction."""
    talks = list(Conversation.objects.filter(contact=contact).values_list("pk", flat=True))
    said = Message.objects.filter(conversation__in=talks).order_by()
    return Forecast(
        conversations=len(talks),
        messages=said.values("pk")[:MOST_COUNTED].count(),
        files=Attachment.objects.filter(message__conversation__in=talks).exclude(stored_as="").count(),
    )


# What had been merged into the contact, and into what had been merged into it.
_MERGED = """
WITH RECURSIVE part AS (
    SELECT %s::uuid AS id
    UNION SELECT unnest(m.merged_ids) FROM crm_contactmerge m JOIN part ON part.id = m.contact_id
    WHERE m.tenant_id = %s AND m.undone_at IS NULL
) SELECT id FROM part
"""
_CONTACT = "SELECT id, phone, username, email, marketing_stopped, marketing_source FROM crm_contact WHERE id = %s AND tenant_id = %s AND erased_at IS NULL FOR UPDATE"
_ADDRESSES = (
    "SELECT kind, value, address FROM crm_identity WHERE contact_id = %s ORDER BY tenant_id, kind, value FOR UPDATE"
)
_TALKS = """
SELECT id, queue_id, assignee_id, last_inbound_at FROM crm_conversation WHERE contact_id = %s ORDER BY id FOR UPDATE
"""
_HIDE_TALKS = "UPDATE crm_conversation SET erased_at = %s WHERE id = ANY(%s)"
# Nothing of it is left to be found while the rest is being erased, neither by a name nor by a phone.
_HIDE_CONTACT = """
UPDATE crm_contact
SET erased_at = %s, name = '', profile_name = '', username = '', phone = '', email = '', labels = '{}', attributes = '{}'
WHERE id = %s
"""
# What waits does not go out; what is on its way cannot be called back.
_CANCEL = """
WITH waiting AS (
    SELECT id FROM crm_message WHERE conversation_id = ANY(%s) AND status IN ('queued', 'unknown') ORDER BY id FOR UPDATE
)
UPDATE crm_message m SET status = 'failed', failed_at = %s, error_reason = %s, next_attempt_at = NULL, lease_expires_at = NULL
FROM waiting WHERE m.id = waiting.id
"""


def ask(
    contact_id: UUID,
    *,
    tenant_id: UUID,
    reason: ErasureReason,
    door: ErasureDoor,
    by: Membership | None,
    now: datetime,
    until: datetime | None = None,
) -> Erasure:
    """Let this person be gone from every page at once, and the rest soon. It cannot be taken back. Raises CannotErase.

    What was said or stored `until` then is old, usually until now. Waits a few seconds for what is being merged for the
    company, no longer (NotNow), as others wait meanwhile; locks as the merge of contacts does.
    """
    with system_transaction(), connection.cursor() as cursor:
        try:
            tombstones.lock(cursor, tenant_id)
        except tombstones.Busy:
            raise NotNow(
                _("A list is being made or imported just now. Erase them once that is done, in a few minutes.")
            ) from None
        moving.lock_tokens(cursor, [contact_id])
        cursor.execute(_ADDRESSES, [contact_id])
        identities = cursor.fetchall()
        cursor.execute(_CONTACT, [contact_id, tenant_id])
        found = cursor.fetchone()
        if found is None:
            raise CannotErase(_("This contact is no longer there."))
        _id, phone, username, email, stopped, source = found
        cursor.execute(_TALKS, [contact_id])
        talks = cursor.fetchall()
        cursor.execute(_MERGED, [contact_id, tenant_id])
        erasure = Erasure.objects.create(
            tenant_id=tenant_id,
            contact_ids=[contact_id, *sorted({row[0] for row in cursor.fetchall()} - {contact_id})],
            reason=reason,
            door=door,
            asked_by=by,
            asked_at=now,
            # A phone may be ahead of us: what it has said already is old, whatever moment it claims.
            until=until or max([_moment(cursor), *(talk[3] for talk in talks if talk[3])]),
            marketing_stopped=stopped,
            marketing_source=source if stopped else "",
            addresses=_as_addresses(identities, phone=phone, username=username, email=email),
            counts={"conversations": len(talks)},
        )
        tombstones.raise_stone(
            cursor, tenant_id=tenant_id, erasure_id=erasure.pk, addresses=_as_keys(identities, phone=phone, email=email)
        )
        ids = [talk[0] for talk in talks]
        cursor.execute(_CANCEL, [ids, now, ERASED])
        let_go(erasure, ids, now)
        cursor.execute("DELETE FROM crm_identity WHERE contact_id = %s", [contact_id])
        cursor.execute(_HIDE_TALKS, [now, ids])
        cursor.execute(_HIDE_CONTACT, [now, contact_id])
        live.publish(tenant_id, [live.Change(id, (queue,), (assignee,)) for id, queue, assignee, _at in talks])
        bells.ring_erase()
    return erasure


def _moment(cursor: Any) -> datetime:
    """Now by the clock that webhooks are stored by, and the demonstration's where that is ahead."""
    cursor.execute("SELECT statement_timestamp()")
    return cursor.fetchone()[0] + clock.ahead()


def _as_keys(identities: list[tuple[str, str, str]], *, phone: str, email: str) -> set[tuple[str, str]]:
    """By what they are known again: (kind, canonical value)."""
    keys = {(kind, value) for kind, value, _address in identities}
    keys |= {(IdentityKind.PHONE.value, phones.canonical(phone))} if phone else set()
    return keys | ({(tombstones.EMAIL, folded(email))} if email else set())


def _as_addresses(
    identities: list[tuple[str, str, str]], *, phone: str, username: str, email: str
) -> dict[str, list[str]]:
    """What to look for in webhooks and lists while the work lasts."""
    numbers = {each for kind, *both in identities if kind == IdentityKind.PHONE for each in both} | {phone}
    others = {each for kind, *both in identities if kind != IdentityKind.PHONE for each in both} | {username}
    spelled = {spelling for number in numbers if number for spelling in phones.variants(number)}
    return {
        "phones": sorted(spelled | numbers - {""}),
        "ids": sorted(others - {""}),
        "emails": [folded(email)] if email else [],
    }
