"""Making one contact of several, in one transaction, and taking them apart again within a week.

What arrives meanwhile lands right: the identities point at the one contact before the others are gone, and a merge of
webhooks that had found one of those fails at its commit, is done again and finds the one that stayed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from crm import contacts, moving, rows
from crm.models import Activity, ActivityKind, Contact, ContactMerge, Conversation
from crm.models.merges import KEPT_FOR
from crm.signals import contacts_merged, contacts_unmerged
from tenants.models import Membership

MOST = 10


class CannotMerge(Exception):
    """They cannot be made one, or not be taken apart; `explanation` is for the person who asked."""

    def __init__(self, explanation: Any) -> None:
        super().__init__(str(explanation))
        self.explanation = explanation


@dataclass(frozen=True, slots=True)
class Result:
    """What a merge leaves: the fields of the one contact. Labels and attributes add up, the strictest wish counts."""

    name: str
    email: str
    phone: str
    labels: list[str]
    attributes: dict[str, Any]
    marketing_stopped: bool
    marketing_consent_at: datetime | None
    marketing_preference_at: datetime | None
    marketing_source: str


def result(
    found: Sequence[Contact], *, name: str | None = None, email: str | None = None, phone: str | None = None
) -> Result:
    """What becomes of these, of which the first stays; a name, e-mail or phone that is not chosen is the first there is."""
    labels: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    for contact in found:
        for label in contact.labels:
            labels.setdefault(label.casefold(), label)
        attributes = (contact.attributes if isinstance(contact.attributes, dict) else {}) | attributes
    stopped = [contact for contact in found if contact.marketing_stopped]
    decisive = max(
        stopped or found,
        key=lambda each: (each.marketing_preference_at is not None, each.marketing_preference_at or each.created_at),
    )
    agreed = [contact.marketing_consent_at for contact in found if contact.marketing_consent_at]
    return Result(
        name=_first(each.name for each in found) if name is None else name,
        email=_first(each.email for each in found) if email is None else email,
        phone=_first(each.phone for each in found) if phone is None else phone,
        labels=list(labels.values())[: contacts.MOST_LABELS],
        attributes=attributes,
        marketing_stopped=bool(stopped),
        marketing_consent_at=max(agreed) if len(agreed) == len(found) else None,
        marketing_preference_at=decisive.marketing_preference_at,
        marketing_source=decisive.marketing_source,
    )


def merge(
    ids: Sequence[UUID],
    *,
    tenant_id: UUID,
    by: Membership | None,
    now: datetime,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
) -> ContactMerge:
    """Make the first of these contacts of them all; call it in a transaction of the tenant.

    Conversations with the same number of ours become one. Locks in the order of the inbound merge. Raises CannotMerge.
    """
    unique = list(dict.fromkeys(ids))
    if not 2 <= len(unique) <= MOST:
        raise CannotMerge(_("Choose between 2 and %(most)d contacts.") % {"most": MOST})
    kept, *others = unique
    with connection.cursor() as cursor:
        before = _lock(cursor, unique)
        found = [Contact.objects.get(pk=each) for each in unique]
        joined = _joined(before["crm_conversation"], kept)
        answers = _followed(
            contacts_merged.send(
                sender=None, tenant_id=tenant_id, contact_id=kept, merged_ids=others, conversations=joined, at=now
            )
        )
        moved = moving.move(cursor, joined, now=now)
        _unite_conversations(cursor, before["crm_conversation"], joined)
        cursor.execute("DELETE FROM crm_conversation WHERE id = ANY(%s)", [list(joined)])
        moved["tables"] |= moving.take_over(cursor, kept, others)
        _unite_contacts(found, result(found, name=name, email=email, phone=phone))
        cursor.execute("DELETE FROM crm_contact WHERE id = ANY(%s)", [others])
        moved["notes"] = _note(tenant_id, kept, before, others, by=by, now=now)
        stays = [UUID(each) for each in before["crm_conversation"] if UUID(each) not in joined]
        after = {
            "crm_contact": rows.read(cursor, Contact, [kept]),
            "crm_conversation": rows.read(cursor, Conversation, stays),
        }
    contacts.tell_changed_ids([kept], tenant_id=tenant_id, now=now)
    return ContactMerge.objects.create(
        tenant_id=tenant_id,
        contact_id=kept,
        merged_ids=others,
        rows={"before": before, "after": after},
        moved=moved | {"joined": {str(old): str(new) for old, new in joined.items()}},
        followed=answers,
        merged_at=now,
        merged_by=by,
    )


def undo(merged: ContactMerge, *, by: Membership | None, now: datetime) -> None:
    """Take them apart: every row that went back where it was, the contacts as they were.

    What was changed since, on the contact or in the conversations, stays with the one that stayed. Raises CannotMerge.
    """
    locked = ContactMerge.objects.select_for_update().get(pk=merged.pk)
    if not locked.can_be_undone(now):
        raise CannotMerge(_("This can no longer be undone."))
    with connection.cursor() as cursor:
        moving.lock_tokens(cursor, [locked.contact_id])
    if not Contact.objects.select_for_update().filter(pk=locked.contact_id).exists():
        raise CannotMerge(_("This contact was merged again since. Undo that first."))
    before, after, moved = locked.rows["before"], locked.rows["after"], locked.moved
    joined = {UUID(old): UUID(new) for old, new in moved["joined"].items()}
    with connection.cursor() as cursor:
        _restore(cursor, locked, before, after, joined)
        moving.move_back(cursor, moved, joined)
    answered = {"conversations": joined, "answers": locked.followed}
    contacts_unmerged.send(
        sender=None,
        tenant_id=locked.tenant_id,
        contact_id=locked.contact_id,
        merged_ids=locked.merged_ids,
        at=now,
        **answered,
    )
    locked.undone_at, locked.undone_by = now, by
    locked.save(update_fields=["undone_at", "undone_by"])
    contacts.tell_changed_ids([locked.contact_id, *locked.merged_ids], tenant_id=locked.tenant_id, now=now)


def forget(now: datetime) -> int:
    """Drop what is kept for undoing of merges that are too old for it; call it in a system transaction."""
    old = ContactMerge.objects.filter(merged_at__lt=now - KEPT_FOR).exclude(moved={})
    return old.update(rows=None, moved={}, followed={})


# --- Merging ----------------------------------------------------------------------------------------------------------


def _lock(cursor: Any, ids: list[UUID]) -> dict[str, dict[str, Any]]:
    """The contacts and their conversations as they are, locked: tokens, identities, contacts, conversations, each in one order."""
    moving.lock_tokens(cursor, ids)
    cursor.execute(
        "SELECT FROM crm_identity WHERE contact_id = ANY(%s) ORDER BY tenant_id, kind, value FOR UPDATE", [ids]
    )
    cursor.execute("SELECT FROM crm_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
    if cursor.rowcount != len(ids):
        raise CannotMerge(_("One of these contacts is no longer there."))
    cursor.execute("SELECT id FROM crm_conversation WHERE contact_id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
    talks = [row[0] for row in cursor.fetchall()]
    return {"crm_contact": rows.read(cursor, Contact, ids), "crm_conversation": rows.read(cursor, Conversation, talks)}


def _joined(talks: dict[str, Any], kept: UUID) -> dict[UUID, UUID]:
    """Old conversation → the one with the same number that it becomes part of: the kept contact's, else the newest."""
    by_number: dict[str, list[dict[str, Any]]] = {}
    for talk in talks.values():
        by_number.setdefault(talk["number_id"], []).append(talk)
    joined: dict[UUID, UUID] = {}
    for same in by_number.values():
        same.sort(key=lambda each: (each["contact_id"] != str(kept), each["last_message_at"] is None, each["id"]))
        stays, *others = same
        joined |= {UUID(each["id"]): UUID(stays["id"]) for each in others}
    return joined


def _followed(answers: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {receiver.__module__: answer for receiver, answer in answers if answer is not None}


# As the inbound merge moves them, by functions that do not care for order. Who answers is the one that stays's.
_UNITE = f"""
WITH pair AS (SELECT * FROM {moving.PAIRS}), part AS (
    SELECT pair.new_id, c.* FROM pair JOIN crm_conversation c ON c.id = pair.old_id
    UNION ALL SELECT DISTINCT pair.new_id, c.* FROM pair JOIN crm_conversation c ON c.id = pair.new_id
), whole AS (
    SELECT new_id, max(last_message_at) AS last_message_at,
           (array_agg(last_message_id ORDER BY last_message_at DESC NULLS LAST, last_message_id DESC))[1] AS last_message_id,
           max(last_inbound_at) AS last_inbound_at, max(last_echo_at) AS last_echo_at, min(waiting_since) AS waiting_since,
           max(window_expires_at) AS window_expires_at, max(free_entry_expires_at) AS free_entry_expires_at,
           sum(unread_count) AS unread_count, min(created_at) AS created_at, min(snoozed_until) AS snoozed_until,
           (array_agg(status ORDER BY array_position(ARRAY['open', 'pending', 'snoozed', 'closed'], status::text)))[1] AS status,
           max(suspicion) AS suspicion
    FROM part GROUP BY new_id
)
UPDATE crm_conversation c
SET last_message_at = whole.last_message_at, last_message_id = whole.last_message_id,
    last_inbound_at = whole.last_inbound_at, last_echo_at = whole.last_echo_at, waiting_since = whole.waiting_since,
    window_expires_at = whole.window_expires_at, free_entry_expires_at = whole.free_entry_expires_at,
    unread_count = whole.unread_count, created_at = whole.created_at, status = whole.status,
    snoozed_until = CASE WHEN whole.status = 'snoozed' THEN whole.snoozed_until END,
    suspicion = CASE WHEN c.suspicion <> '' THEN c.suspicion ELSE whole.suspicion END
FROM whole WHERE c.id = whole.new_id
"""


def _unite_conversations(cursor: Any, talks: dict[str, Any], joined: dict[UUID, UUID]) -> None:
    if joined:
        cursor.execute(_UNITE, [list(joined), list(joined.values())])


def _unite_contacts(found: list[Contact], wanted: Result) -> None:
    kept = found[0]
    for name in Result.__dataclass_fields__:
        setattr(kept, name, getattr(wanted, name))
    told = [each for each in found if each.profile_at]
    newest = max(told, key=lambda each: each.profile_at) if told else kept  # type: ignore[arg-type,return-value]
    kept.profile_name, kept.profile_at = newest.profile_name, newest.profile_at
    kept.username = _first([newest.username, *(each.username for each in found)])
    kept.timezone = _first(each.timezone for each in found)
    kept.seen_at = max(each.seen_at for each in found)
    fields = [*Result.__dataclass_fields__, "profile_name", "profile_at", "username", "timezone", "seen_at"]
    kept.save(update_fields=fields)


def _note(
    tenant_id: UUID, kept: UUID, before: dict[str, Any], others: list[UUID], *, by: Membership | None, now: datetime
) -> list[str]:
    names = ", ".join(_shown_name(before["crm_contact"][str(each)]) for each in others)
    lines = [
        Activity(
            id=uuid7(),
            tenant_id=tenant_id,
            conversation_id=talk,
            kind=ActivityKind.MERGED,
            actor=by,
            facts={"name": names},
            at=now,
        )
        for talk in Conversation.objects.filter(contact=kept).values_list("pk", flat=True)
    ]
    Activity.objects.bulk_create(lines)
    return [str(line.pk) for line in lines]


def _shown_name(row: dict[str, Any]) -> str:
    known = {name: row[name] for name in ("name", "profile_name", "username", "phone")}
    return Contact(**known).shown_name


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


# --- Taking apart -----------------------------------------------------------------------------------------------------


def _restore(
    cursor: Any, merged: ContactMerge, before: dict[str, Any], after: dict[str, Any], joined: dict[UUID, UUID]
) -> None:
    """The rows that went come back as they were; of those that stayed, what nobody has changed since."""
    gone = [before["crm_contact"][str(id)] for id in merged.merged_ids]
    rows.insert(cursor, Contact, gone)
    rows.insert(cursor, Conversation, [before["crm_conversation"][str(id)] for id in joined])
    for model, table in ((Contact, "crm_contact"), (Conversation, "crm_conversation")):
        rows.revert(cursor, model, before=before[table], after=after[table])
