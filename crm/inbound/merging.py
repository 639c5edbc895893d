"""A batch of events is one merge: a handful of set-based statements, whatever the batch holds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from crm import bells, live
from crm.flows import answers
from crm.inbound import conversations, erased, groups, notices, optouts, people, reactions, relinking, statuses
from crm.inbound.directory import Line, find_lines, mark_seen
from crm.inbound.entries import Entry, entries
from crm.models import Attachment, Message
from tenants import clock
from tenants.bulk import bulk_cursor
from whatsapp.events import (
    ContactNamed,
    Event,
    Happening,
    IdentityChanged,
    Notice,
    PreferenceChanged,
    Reacted,
    StatusChanged,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one stored webhook said. `provider` is who said it, `received_at` when we stored it (database time)."""

    provider: str
    happenings: Sequence[Happening]
    received_at: datetime


@dataclass(slots=True)
class Merged:
    """What a merge did: who must look again, who wrote, what was not heard, and which numbers nobody has."""

    changed: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))  # tenant → conversations
    replied: dict[UUID, dict[UUID, datetime]] = field(
        default_factory=lambda: defaultdict(dict)
    )  # tenant → contact → at
    inserted: int = 0
    erased: list[Event] = field(default_factory=list)  # of people who were erased, and not heard
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)


def merge(deliveries: Iterable[Delivery]) -> Merged:
    """Merge what the deliveries say; call it in a system transaction.

    Idempotent and commutative. Takes locks in one order (identities, contacts, conversations, messages, statuses that
    are parked; by key within each), so that parallel merges wait for each other and never in a circle. Live pages are
    told after commit.
    """
    deliveries = list(deliveries)
    merged = Merged()
    with bulk_cursor() as cursor:
        merged.lines = find_lines(
            cursor,
            {
                (delivery.provider, happening.number_id)
                for delivery in deliveries
                for happening in delivery.happenings
                if isinstance(happening, Event) and happening.number_id
            },
        )
        events = [
            (line, happening, delivery.received_at)
            for delivery in deliveries
            for happening in delivery.happenings
            if isinstance(happening, Event) and (line := merged.lines.get((delivery.provider, happening.number_id)))
        ]
        events, merged.erased = erased.sift(cursor, events)
        changes = relinking.changes_of(cursor, [(line, e) for line, e, _ in events if isinstance(e, IdentityChanged)])
        found = _one_each(entry for line, e, at in events for entry in entries(line, e, received_at=at))
        reported = [(line, e) for line, e, _ in events if isinstance(e, StatusChanged)]
        wishes = [(line, e) for line, e, _ in events if isinstance(e, PreferenceChanged)]
        names = people.newest_names((line.tenant_id, e) for line, e, _ in events if isinstance(e, ContactNamed))
        # Everybody about whom something will be written, before anything is.
        owners = people.resolve(
            cursor,
            [
                *((entry.line.tenant_id, entry.person, entry.sent_at) for entry in found),
                *((tenant_id, event.person, event.at) for tenant_id, event in names),
            ],
            changes=changes,
            also={
                *relinking.people_of(cursor, wishes),
                *statuses.people_of(cursor, reported),
            },
        )
        relinking.renumber(cursor, changes)
        people.merge_names(cursor, names, owners)
        relinking.merge_preferences(cursor, wishes)
        ours = _merge_messages(cursor, found, owners, merged)
        reactions.merge_reactions(
            cursor, [(line, e) for line, e, _ in events if isinstance(e, Reacted)], merged.changed
        )
        merged.erased += statuses.merge_statuses(cursor, reported, merged.changed, arrived=ours)
        groups.tell((line, e) for line, e, _ in events)
        notices.merge_notices(
            cursor,
            [
                (h, delivery.received_at)
                for delivery in deliveries
                for h in delivery.happenings
                if isinstance(h, Notice)
            ],
        )
        # By the database's clock, also where the demonstration's is ahead.
        mark_seen(cursor, {(line.number_id, received_at - clock.ahead()) for line, _, received_at in events})
        _tell_pages(cursor, merged.changed)
    return merged


# DO NOTHING: Meta repeats deliveries for up to 7 days, and the second one is no news. Only rows really inserted count.
_INSERT = """
INSERT INTO crm_message (id, tenant_id, conversation_id, number_id, direction, source, type, text, payload,
    provider_message_id, quoted_message_id, cue, sent_at, status, accepted_at,
    error_reason, error_detail, priority, attempt, resent, template_category, country, pricing_category, pricing_type, cost_currency)
SELECT m.*, CASE WHEN m.direction = 'outbound' THEN m.sent_at END, '', '', 0, 0, false, '', '', '', '', ''
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[],
            %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
     AS m (id, tenant_id, conversation_id, number_id, direction, source, type, text, payload,
           provider_message_id, quoted_message_id, cue, sent_at, status)
ON CONFLICT (number_id, provider_message_id) DO NOTHING
RETURNING id
"""
_INSERT_ATTACHMENTS = """
INSERT INTO crm_attachment (id, tenant_id, message_id, media_id, mime_type, sha256, filename, is_voice, is_animated)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bool[], %s::bool[])
"""


def _one_each(found: Iterable[Entry]) -> list[Entry]:
    """One row a message id, in key order; within one batch the first mention wins, and all mentions say the same."""
    unique = {(entry.line.number_id, entry.provider_message_id): entry for entry in reversed(list(found))}
    return [unique[key] for key in sorted(unique)]


def _merge_messages(
    cursor: Any, found: list[Entry], owners: Mapping[people.Key, UUID], merged: Merged
) -> list[statuses.Key]:
    """Place and insert what `_one_each` left; returns the keys of those of our side that were new."""
    if not found:
        return []
    placed = [
        (entry, contact_id)
        for entry in found
        if (contact_id := people.contact_of(owners, entry.line.tenant_id, entry.person))
    ]
    wanted = {(entry.line, contact_id) for entry, contact_id in placed}
    homes = conversations.ensure(cursor, wanted, past=_only_past(placed))
    rows = [
        conversations.Arrival(entry, uuid7(), homes[entry.line.number_id, contact_id], contact_id)
        for entry, contact_id in placed
    ]
    inserted = _insert(cursor, rows)
    arrivals = [row for row in rows if row.message_id in inserted]
    filled = _fill_placeholders(cursor, [row for row in rows if row.message_id not in inserted])
    _insert_attachments(cursor, arrivals + filled)
    conversations.see(cursor, arrivals)
    optouts.merge_words(cursor, arrivals)
    conversations.absorb(cursor, arrivals)
    forms = [(row.entry.line.tenant_id, row.conversation_id, row.entry.payload) for row in _answers(arrivals)]
    answers.merge(forms, now=clock.now())
    merged.inserted += len(arrivals)
    for row in arrivals:
        tenant_id = row.entry.line.tenant_id
        if not row.entry.is_past:
            merged.changed[tenant_id].add(row.conversation_id)
        if row.entry.opens_window:
            latest = merged.replied[tenant_id].get(row.contact_id, row.entry.sent_at)
            merged.replied[tenant_id][row.contact_id] = max(latest, row.entry.sent_at)
    return [
        (row.entry.line.number_id, row.entry.provider_message_id[:200]) for row in arrivals if row.entry.is_outbound
    ]


def _only_past(placed: Iterable[tuple[Entry, UUID]]) -> dict[tuple[UUID, UUID], datetime]:
    """(number, contact) → the earliest moment, of those of whom all entries are of the past."""
    found: dict[tuple[UUID, UUID], list[Entry]] = defaultdict(list)
    for entry, contact_id in placed:
        found[entry.line.number_id, contact_id].append(entry)
    return {
        pair: min(entry.sent_at for entry in of_it)
        for pair, of_it in found.items()
        if all(entry.is_past for entry in of_it)
    }


def _answers(arrivals: list[conversations.Arrival]) -> list[conversations.Arrival]:
    """Those that may be the answer of a Flow, in the order in which they were given."""
    found = [row for row in arrivals if row.entry.type == "interactive" and not row.entry.is_outbound]
    return sorted(found, key=lambda row: row.entry.sent_at)


def _insert(cursor: Any, rows: list[conversations.Arrival]) -> set[UUID]:
    text, payload = Message._meta.get_field("text"), Message._meta.get_field("payload")
    cursor.execute(
        _INSERT,
        [
            [row.message_id for row in rows],
            [row.entry.line.tenant_id for row in rows],
            [row.conversation_id for row in rows],
            [row.entry.line.number_id for row in rows],
            [row.entry.direction.value for row in rows],
            [row.entry.source.value for row in rows],
            [row.entry.type for row in rows],
            [bytes(text.sealed(row.entry.text, tenant_id=row.entry.line.tenant_id)) for row in rows],  # type: ignore[union-attr]
            [bytes(payload.sealed(row.entry.payload, tenant_id=row.entry.line.tenant_id)) for row in rows],  # type: ignore[union-attr]
            [row.entry.provider_message_id[:200] for row in rows],
            [row.entry.quoted_id[:200] for row in rows],
            [row.entry.cue for row in rows],
            [row.entry.sent_at for row in rows],
            [row.entry.status.value for row in rows],
        ],
    )
    return {row[0] for row in cursor.fetchall()}


def _insert_attachments(cursor: Any, arrivals: list[conversations.Arrival]) -> None:
    filename = Attachment._meta.get_field("filename")
    files = [(row, row.entry.media) for row in arrivals if row.entry.media]
    if files:
        cursor.execute(
            _INSERT_ATTACHMENTS,
            [
                [uuid7() for _ in files],
                [row.entry.line.tenant_id for row, _ in files],
                [row.message_id for row, _ in files],
                [(media.id or "")[:200] for _, media in files],
                [(media.mime_type or "")[:120] for _, media in files],
                [(media.sha256 or "")[:88] for _, media in files],
                [
                    bytes(filename.sealed(media.filename or "", tenant_id=row.entry.line.tenant_id))
                    for row, media in files
                ],  # type: ignore[union-attr]
                [media.voice for _, media in files],
                [media.animated for _, media in files],
            ],
        )
        bells.ring_media()


# The past names a file first, and brings it days later as the same message.
_FILL = """
WITH news AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::bytea[])
           AS n (number_id, provider_message_id, type, text, payload)
), locked AS (
    SELECT m.id, n.type, n.text, n.payload FROM news n JOIN crm_message m USING (number_id, provider_message_id)
    WHERE m.type = 'media_placeholder' ORDER BY m.id FOR NO KEY UPDATE OF m
)
UPDATE crm_message m SET type = locked.type, text = locked.text, payload = locked.payload FROM locked WHERE m.id = locked.id
RETURNING m.number_id, m.provider_message_id, m.id
"""


def _fill_placeholders(cursor: Any, known: list[conversations.Arrival]) -> list[conversations.Arrival]:
    """Let files of the past take the places that were kept for them; returns the messages that got theirs."""
    late = [row for row in known if row.entry.is_past and row.entry.media]
    if not late:
        return []
    text, payload = Message._meta.get_field("text"), Message._meta.get_field("payload")
    cursor.execute(
        _FILL,
        [
            [row.entry.line.number_id for row in late],
            [row.entry.provider_message_id[:200] for row in late],
            [row.entry.type for row in late],
            [bytes(text.sealed(row.entry.text, tenant_id=row.entry.line.tenant_id)) for row in late],  # type: ignore[union-attr]
            [bytes(payload.sealed(row.entry.payload, tenant_id=row.entry.line.tenant_id)) for row in late],  # type: ignore[union-attr]
        ],
    )
    filled = {(number_id, wamid): id for number_id, wamid, id in cursor.fetchall()}
    return [
        replace(row, message_id=filled[key])
        for row in late
        if (key := (row.entry.line.number_id, row.entry.provider_message_id[:200])) in filled
    ]


_AUDIENCES = "SELECT id, queue_id, assignee_id FROM crm_conversation WHERE id = ANY(%s)"


def _tell_pages(cursor: Any, changed: dict[UUID, set[UUID]]) -> None:
    for tenant_id, conversation_ids in changed.items():
        cursor.execute(_AUDIENCES, [list(conversation_ids)])
        live.publish(tenant_id, [live.Change(row[0], (row[1],), (row[2],)) for row in cursor.fetchall()])
