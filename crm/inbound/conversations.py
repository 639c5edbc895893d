"""One contact × one number is one conversation, for ever; new messages move its counters, its window and its status."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from crm.inbound.directory import Line
from crm.inbound.entries import Entry


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message row with the place it belongs to."""

    entry: Entry
    message_id: UUID
    conversation_id: UUID
    contact_id: UUID


_FIND = """
SELECT c.number_id, c.contact_id, c.id
FROM crm_conversation c
JOIN unnest(%s::uuid[], %s::uuid[]) AS wanted (number_id, contact_id) USING (number_id, contact_id)
"""
# One that only the past speaks of is as old as that, and waits for nobody.
_CREATE = """
INSERT INTO crm_conversation (id, tenant_id, number_id, contact_id, queue_id, status, unread_count, created_at)
SELECT n.id, n.tenant_id, n.number_id, n.contact_id, n.queue_id,
       CASE WHEN n.past IS NULL THEN 'open' ELSE 'closed' END, 0, COALESCE(n.past, statement_timestamp())
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[])
     AS n (id, tenant_id, number_id, contact_id, queue_id, past)
ON CONFLICT (number_id, contact_id) DO NOTHING
"""
# Every column moves by a function that does not care for order: greatest, sum, least. `waiting_since` is the customer's
# first message that nobody has answered. An answer typed on the phone counts by its time (it may come late); one written
# here ended the waiting when it was written, so that a customer's message that was under way then still counts as new.
# A conversation that lay in triage because its number had no queue moves on once the number has one.
_ABSORB = """
WITH arrived AS (
    SELECT conversation_id,
           max(sent_at) AS last_at,
           (array_agg(message_id ORDER BY sent_at DESC, message_id DESC))[1] AS last_id,
           max(sent_at) FILTER (WHERE NOT is_echo) AS last_inbound_at,
           max(sent_at) FILTER (WHERE is_echo) AS last_echo_at,
           max(window_expires_at) AS window_expires_at,
           array_agg(sent_at) FILTER (WHERE is_unread) AS written_at,
           count(*) FILTER (WHERE is_unread) AS unread,
           (array_agg(queue_id))[1] AS queue_id
    FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::bool[], %s::bool[], %s::timestamptz[], %s::uuid[])
         AS a (conversation_id, message_id, sent_at, is_echo, is_unread, window_expires_at, queue_id)
    GROUP BY conversation_id
), locked AS (
    SELECT c.id, COALESCE(GREATEST(c.last_echo_at, a.last_echo_at), '-infinity') AS answered_at
    FROM crm_conversation c JOIN arrived a ON a.conversation_id = c.id
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE crm_conversation c
SET last_message_id = CASE WHEN c.last_message_at IS NULL OR (a.last_at, a.last_id) > (c.last_message_at, c.last_message_id)
                           THEN a.last_id ELSE c.last_message_id END,
    last_message_at = GREATEST(c.last_message_at, a.last_at),
    last_inbound_at = GREATEST(c.last_inbound_at, a.last_inbound_at),
    last_echo_at = GREATEST(c.last_echo_at, a.last_echo_at),
    window_expires_at = GREATEST(c.window_expires_at, a.window_expires_at),
    unread_count = CASE
        WHEN a.last_echo_at IS NULL
        THEN c.unread_count + (SELECT count(*) FROM unnest(a.written_at) w WHERE w > locked.answered_at)
        ELSE LEAST(c.unread_count + a.unread, (
            SELECT count(*) FROM crm_message m
            WHERE m.conversation_id = c.id AND m.direction = 'inbound' AND m.sent_at > locked.answered_at
              AND m.type NOT IN ('edit', 'revoke', 'call_end', 'system')))
        END,
    waiting_since = LEAST(
        CASE WHEN c.waiting_since > locked.answered_at THEN c.waiting_since
             WHEN c.waiting_since IS NOT NULL THEN (
                SELECT m.sent_at FROM crm_message m
                WHERE m.conversation_id = c.id AND m.direction = 'inbound' AND m.sent_at > locked.answered_at
                  AND m.type NOT IN ('edit', 'revoke', 'call_end', 'system')
                ORDER BY m.sent_at LIMIT 1)
        END,
        (SELECT min(w) FROM unnest(a.written_at) w WHERE w > locked.answered_at)),
    status = CASE WHEN a.unread > 0 THEN 'open' ELSE c.status END,
    snoozed_until = CASE WHEN a.unread > 0 THEN NULL ELSE c.snoozed_until END,
    queue_id = CASE WHEN triage.is_triage THEN a.queue_id ELSE c.queue_id END
FROM arrived a JOIN locked ON locked.id = a.conversation_id, tenants_queue triage
WHERE c.id = a.conversation_id AND triage.id = c.queue_id
"""
_OPEN_EPISODES = """
INSERT INTO crm_episode (id, tenant_id, conversation_id, queue_id, opened_at, opened_by_customer)
SELECT gen_random_uuid(), c.tenant_id, c.id, c.queue_id, a.opened_at, true
FROM (
    SELECT conversation_id, min(sent_at) AS opened_at
    FROM unnest(%s::uuid[], %s::timestamptz[], %s::bool[]) AS a (conversation_id, sent_at, is_unread)
    WHERE is_unread GROUP BY conversation_id
) a JOIN crm_conversation c ON c.id = a.conversation_id
ON CONFLICT (conversation_id) WHERE closed_at IS NULL DO NOTHING
"""
# When a person was last seen, for the page of contacts. Five minutes late at most, so that a talk under way does not
# write its contact with every message; `people` holds the rows.
_SEE = """
UPDATE crm_contact c SET seen_at = seen.at
FROM (
    SELECT contact_id AS id, max(sent_at) AS at FROM unnest(%s::uuid[], %s::timestamptz[]) AS s (contact_id, sent_at)
    GROUP BY contact_id
) seen
WHERE c.id = seen.id AND c.seen_at < seen.at - interval '5 minutes'
"""


def see(cursor: Any, arrivals: list[Arrival]) -> None:
    """Remember when the people were last seen who wrote by themselves."""
    written = [row for row in arrivals if row.entry.opens_window]
    if written:
        cursor.execute(_SEE, [[row.contact_id for row in written], [row.entry.sent_at for row in written]])


def ensure(
    cursor: Any, wanted: Iterable[tuple[Line, UUID]], *, past: Mapping[tuple[UUID, UUID], datetime] | None = None
) -> dict[tuple[UUID, UUID], UUID]:
    """(number, contact) → conversation, creating what is missing in the line's queue.

    `past` says since when those go that only the past speaks of.
    """
    pairs = {(line.number_id, contact_id): line for line, contact_id in wanted}
    past = past or {}
    found = _find(cursor, list(pairs))
    missing = sorted(pair for pair in pairs if pair not in found)
    if missing:
        cursor.execute(
            _CREATE,
            [
                [uuid7() for _ in missing],
                [pairs[pair].tenant_id for pair in missing],
                [number_id for number_id, _ in missing],
                [contact_id for _, contact_id in missing],
                [pairs[pair].queue_id for pair in missing],
                [past.get(pair) for pair in missing],
            ],
        )
        found |= _find(cursor, missing)
    return found


def _find(cursor: Any, pairs: list[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], UUID]:
    cursor.execute(_FIND, [[number_id for number_id, _ in pairs], [contact_id for _, contact_id in pairs]])
    return {(number_id, contact_id): id_ for number_id, contact_id, id_ in cursor.fetchall()}


def absorb(cursor: Any, arrivals: list[Arrival]) -> None:
    """Let the conversations take in messages that were really inserted."""
    # Edits, deletions and changes of number are events in the thread, not messages on top of it.
    arrivals = [row for row in arrivals if row.entry.moves_conversation]
    if not arrivals:
        return
    ids = [row.conversation_id for row in arrivals]
    times = [row.entry.sent_at for row in arrivals]
    unread = [row.entry.is_unread for row in arrivals]
    cursor.execute(
        _ABSORB,
        [
            ids,
            [row.message_id for row in arrivals],
            times,
            [row.entry.is_outbound for row in arrivals],
            unread,
            [row.entry.window_expires_at for row in arrivals],
            [row.entry.line.queue_id for row in arrivals],
        ],
    )
    cursor.execute(_OPEN_EPISODES, [ids, times, unread])
