"""Statuses of our messages: whatever their order, the row ends the same.

Each status has a timestamp of its own, written once with the earliest moment that was reported; the status that is
shown is a function of those timestamps. What is about a message we cannot find yet is parked.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from crm import costs
from crm.inbound import erased, people
from crm.inbound.directory import Line
from crm.inbound.reports import COLUMN, Report, facts_of, reports_of_parked
from crm.references import read_reference
from tenants.crash_points import crash_point
from whatsapp.errors import classify, handling
from whatsapp.events import StatusChanged
from whatsapp.statuses import Status

log = logging.getLogger(__name__)

Key = tuple[UUID, str]
"""(number, the provider's id of a message)."""

# Whose person or conversation a status will change, and not its message alone.
_PEOPLE = """
SELECT c.contact_id
FROM (
    SELECT m.conversation_id
    FROM unnest(%s::uuid[], %s::text[]) AS r (number_id, provider_message_id)
    JOIN crm_message m USING (number_id, provider_message_id)
    UNION
    SELECT m.conversation_id FROM crm_message m WHERE m.id = ANY(%s) AND m.number_id = ANY(%s)
) told JOIN crm_conversation c ON c.id = told.conversation_id
"""
_FREE_ENTRY = "free_entry_point"
# In lock order; by the provider's id, which the unique key serves.
_FIND_BY_ID = """
SELECT r.position, m.id
FROM unnest(%s::int[], %s::uuid[], %s::text[]) AS r (position, number_id, provider_message_id)
JOIN crm_message m ON m.number_id = r.number_id AND m.provider_message_id = r.provider_message_id
WHERE m.direction = 'outbound'
ORDER BY m.id FOR NO KEY UPDATE OF m
"""
# By our own reference: the webhook has beaten the answer to our request, or there never was one.
_FIND_BY_REFERENCE = """
SELECT r.position, m.id
FROM unnest(%s::int[], %s::uuid[], %s::uuid[]) AS r (position, number_id, id)
JOIN crm_message m ON m.id = r.id AND m.number_id = r.number_id
WHERE m.direction = 'outbound'
"""
_HOLD = "SELECT id, provider_message_id FROM crm_message WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_STATUS = """CASE
    WHEN n.played_at IS NOT NULL THEN 'played' WHEN n.read_at IS NOT NULL THEN 'read'
    WHEN n.delivered_at IS NOT NULL THEN 'delivered' WHEN n.failed_at IS NOT NULL THEN 'failed'
    WHEN n.left_at IS NOT NULL THEN 'sent' ELSE 'accepted' END"""
_MERGE = f"""
WITH report AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
        %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::int[], %s::text[], %s::text[],
        %s::text[], %s::bool[])
    AS r (id, provider_message_id, accepted_at, left_at, delivered_at, read_at, played_at, failed_at,
          error_reason, error_code, error_detail, pricing_category, pricing_type, billable)
), news AS (
    SELECT m.id,
        COALESCE(m.provider_message_id, r.provider_message_id) AS provider_message_id,
        LEAST(m.accepted_at, r.accepted_at) AS accepted_at,
        LEAST(m.left_at, r.left_at) AS left_at,
        LEAST(m.delivered_at, r.delivered_at) AS delivered_at,
        LEAST(m.read_at, r.read_at) AS read_at,
        LEAST(m.played_at, r.played_at) AS played_at,
        LEAST(m.failed_at, r.failed_at) AS failed_at,
        r.failed_at IS NOT NULL AND (
            m.failed_at IS NULL OR r.failed_at < m.failed_at OR (
                r.failed_at = m.failed_at
                AND (r.error_reason COLLATE "C", r.error_detail COLLATE "C") > (m.error_reason, m.error_detail)
            )
        ) AS fails,
        r.error_reason, r.error_code, r.error_detail,
        GREATEST(m.pricing_category, r.pricing_category) AS pricing_category,
        GREATEST(m.pricing_type, r.pricing_type) AS pricing_type,
        CASE WHEN r.billable IS NULL THEN m.billable ELSE COALESCE(m.billable, false) OR r.billable END AS billable
    FROM report r JOIN crm_message m ON m.id = r.id
)
UPDATE crm_message m
SET status = {_STATUS}, provider_message_id = n.provider_message_id, accepted_at = n.accepted_at, left_at = n.left_at,
    delivered_at = n.delivered_at, read_at = n.read_at, played_at = n.played_at, failed_at = n.failed_at,
    error_reason = CASE WHEN n.fails THEN n.error_reason WHEN n.failed_at IS NULL THEN '' ELSE m.error_reason END,
    error_code = CASE WHEN n.fails THEN n.error_code WHEN n.failed_at IS NULL THEN NULL ELSE m.error_code END,
    error_detail = CASE WHEN n.fails THEN n.error_detail WHEN n.failed_at IS NULL THEN '' ELSE m.error_detail END,
    pricing_category = n.pricing_category, pricing_type = n.pricing_type, billable = n.billable,
    lease_expires_at = NULL, next_attempt_at = NULL, unknown_at = NULL
FROM news n
WHERE m.id = n.id AND (n.fails OR (
        m.status, m.provider_message_id, m.accepted_at, m.left_at, m.delivered_at, m.read_at, m.played_at, m.failed_at,
        m.pricing_category, m.pricing_type, m.billable
    ) IS DISTINCT FROM (
        {_STATUS}, n.provider_message_id, n.accepted_at, n.left_at, n.delivered_at, n.read_at, n.played_at, n.failed_at,
        n.pricing_category, n.pricing_type, n.billable
    ))
RETURNING m.tenant_id, m.conversation_id
"""
# `facts` is a list of all that was said, each with its moment, so that it comes out as if it had been merged at once.
_PARK = """
INSERT INTO crm_unmatchedstatus AS u (id, tenant_id, number_id, provider_message_id, status, at, facts)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::jsonb[])
ON CONFLICT (number_id, provider_message_id, status) DO UPDATE
SET at = LEAST(u.at, EXCLUDED.at), facts = u.facts || EXCLUDED.facts
WHERE NOT u.facts @> EXCLUDED.facts
"""
# In the order in which they are parked, by the bytes of their keys as Python sorts them.
_HOLD_PARKED = """
SELECT u.number_id, u.provider_message_id
FROM unnest(%s::uuid[], %s::text[]) AS k (number_id, provider_message_id)
JOIN crm_unmatchedstatus u USING (number_id, provider_message_id)
ORDER BY u.number_id, u.provider_message_id COLLATE "C", u.status COLLATE "C" FOR UPDATE OF u
"""
_UNPARK = """
DELETE FROM crm_unmatchedstatus u
USING unnest(%s::uuid[], %s::text[]) AS known (number_id, provider_message_id)
WHERE u.number_id = known.number_id AND u.provider_message_id = known.provider_message_id
RETURNING u.number_id, u.tenant_id, u.provider_message_id, u.status, u.facts
"""
# Parked although their message is known by now.
_LATE = """
SELECT DISTINCT u.number_id, u.provider_message_id, m.id, c.contact_id
FROM crm_unmatchedstatus u
JOIN crm_message m ON m.number_id = u.number_id AND m.provider_message_id = u.provider_message_id
JOIN crm_conversation c ON c.id = m.conversation_id
"""
_PEOPLE_OF_PARKED = """
SELECT c.contact_id
FROM unnest(%s::text[], %s::uuid[]) AS accepted (provider_message_id, conversation_id)
JOIN crm_unmatchedstatus u ON u.number_id = %s AND u.provider_message_id = accepted.provider_message_id
JOIN crm_conversation c ON c.id = accepted.conversation_id
"""
# `people_of` said who these are, so they are held.
_OPT_OUT = """
UPDATE crm_contact k SET marketing_stopped = true, marketing_preference_at = said.at, marketing_source = 'whatsapp'
FROM (
    SELECT c.contact_id, max(f.at) AS at
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS f (number_id, provider_message_id, at)
    JOIN crm_message m ON m.number_id = f.number_id AND m.provider_message_id = f.provider_message_id
    JOIN crm_conversation c ON c.id = m.conversation_id GROUP BY c.contact_id
) said
WHERE k.id = said.contact_id AND (k.marketing_preference_at IS NULL OR k.marketing_preference_at < said.at)
"""


def people_of(cursor: Any, events: list[tuple[Line, StatusChanged]]) -> set[UUID]:
    """Whose contact or conversation will be changed by what is reported of a message: they are to be held first."""
    far = [(line, event) for line, event in events if _goes_beyond_the_message(line, event)]
    if not far:
        return set()
    marks = [mark for _, event in far if (mark := read_reference(event.reference))]
    cursor.execute(
        _PEOPLE,
        [
            [line.number_id for line, _ in far],
            [event.message_id[:200] for _, event in far],
            [message_id for message_id, _attempt in marks],
            list({line.number_id for line, _ in far}),
        ],
    )
    return {contact_id for (contact_id,) in cursor.fetchall()}


def _goes_beyond_the_message(line: Line, event: StatusChanged) -> bool:
    if event.pricing and event.pricing.type == _FREE_ENTRY:
        return True
    return bool(event.faults) and handling(classify(line.provider, event.faults[0].code)).suppresses_marketing


def hold_people_of_parked(cursor: Any, *, number_id: UUID, accepted: Mapping[str, UUID]) -> None:
    """Lock whom `match_parked` will write about: by provider id, the conversation. Before their messages are locked."""
    cursor.execute(_PEOPLE_OF_PARKED, [list(accepted), list(accepted.values()), number_id])
    people.hold(cursor, (contact_id for (contact_id,) in cursor.fetchall()))


def merge_statuses(
    cursor: Any,
    events: list[tuple[Line, StatusChanged]],
    changed: dict[UUID, set[UUID]],
    *,
    arrived: Collection[Key] = (),
) -> list[StatusChanged]:
    """Merge what was reported; park what is about a message we do not know yet, and take out what waited for `arrived`.

    Locks the messages, then what is parked. `arrived` are messages of this transaction. Returns what is of people who
    were erased.
    """
    known = [(line, event) for line, event in events if event.status in COLUMN or event.status == Status.ACCEPTED]
    if not known and not arrived:
        return []
    reports: dict[tuple[UUID, str], Report] = {}
    for line, event in known:
        key = line.number_id, event.message_id[:200]
        report = reports.setdefault(key, Report(line.number_id, line.tenant_id, key[1]))
        report.add(event.status, event.at, facts_of(line, event))
    unmatched = _apply(cursor, list(reports.values()), changed)
    crash_point("statuses.between")
    lost = {(report.number_id, report.provider_message_id) for report in unmatched}
    if arrived:
        held = _hold_parked(cursor, {*arrived, *lost})
        _unpark(cursor, [key for key in arrived if key in held])
    early = [(line, event) for line, event in known if (line.number_id, event.message_id[:200]) in lost]
    of_nobody = erased.receipts_of_nobody(cursor, early)
    unheard = {id(event) for event in of_nobody}
    _park(cursor, [(line, event) for line, event in early if id(event) not in unheard])
    return of_nobody


def match_parked(cursor: Any, *, number_id: UUID, provider_message_ids: list[str]) -> None:
    """Apply what was reported of these messages before we knew their ids."""
    _unpark(cursor, _hold_parked(cursor, {(number_id, wamid) for wamid in provider_message_ids}))


def match_all_parked(cursor: Any) -> int:
    """Sweep: apply every parked status whose message is known by now; how many messages that were."""
    cursor.execute(_LATE)
    late = cursor.fetchall()
    if not late:
        return 0
    people.hold(cursor, (contact_id for *_, contact_id in late))
    cursor.execute(_HOLD, [[message_id for _, _, message_id, _ in late]])
    return _unpark(cursor, _hold_parked(cursor, {(number_id, wamid) for number_id, wamid, *_ in late}))


def _hold_parked(cursor: Any, keys: Collection[Key]) -> set[Key]:
    """Lock what is parked for these; returns those for which there is something."""
    if not keys:
        return set()
    cursor.execute(_HOLD_PARKED, [[number_id for number_id, _ in keys], [wamid for _, wamid in keys]])
    return set(cursor.fetchall())


def _unpark(cursor: Any, keys: Collection[Key]) -> int:
    """Apply what is parked for messages that are known by now, all of it held; how many messages that were."""
    if not keys:
        return 0
    cursor.execute(_UNPARK, [[number_id for number_id, _ in keys], [wamid for _, wamid in keys]])
    reports = reports_of_parked(cursor.fetchall())
    _apply(cursor, reports, {})
    return len(reports)


def _apply(cursor: Any, reports: list[Report], changed: dict[UUID, set[UUID]]) -> list[Report]:
    """Merge into the messages that are found; returns the reports of those that are not."""
    if not reports:
        return []
    targets, foreign = _held_targets(cursor, reports)
    hits = sorted(targets.items(), key=lambda item: item[1])
    if hits:
        _merge(cursor, [(message_id, reports[position]) for position, message_id in hits], changed)
    return [report for position, report in enumerate(reports) if position not in targets and position not in foreign]


def _held_targets(cursor: Any, reports: list[Report]) -> tuple[dict[int, UUID], set[int]]:
    """By place: the message of each report that has one, locked; and the places of those that belong to none."""
    places = list(range(len(reports)))
    point = transaction.savepoint() if any(report.message_id for report in reports) else None
    cursor.execute(_FIND_BY_ID, [places, [r.number_id for r in reports], [r.provider_message_id for r in reports]])
    targets, foreign = dict(cursor.fetchall()), set()
    referred: dict[int, UUID] = {}
    if missing := [place for place in places if place not in targets and reports[place].message_id]:
        cursor.execute(
            _FIND_BY_REFERENCE,
            [missing, [reports[p].number_id for p in missing], [reports[p].message_id for p in missing]],
        )
        referred = dict(cursor.fetchall())
    if referred and point:
        # Another worker may find the same messages the other way: let go of the first ones, and take all in one order.
        transaction.savepoint_rollback(point)
        cursor.execute(_HOLD, [[*targets.values(), *referred.values()]])
        held = dict(cursor.fetchall())
        targets = {place: message_id for place, message_id in targets.items() if message_id in held}
        taken = set(targets.values())
        for place, message_id in referred.items():
            if message_id not in held:
                continue
            if held[message_id] in (None, reports[place].provider_message_id) and message_id not in taken:
                targets[place] = message_id
                taken.add(message_id)
            else:
                # Two attempts of one message were accepted. The row follows one of them.
                foreign.add(place)
                log.warning("a message was accepted twice", extra={"message_id": str(message_id)})
    elif point:
        transaction.savepoint_commit(point)
    return targets, foreign


def _merge(cursor: Any, hits: list[tuple[UUID, Report]], changed: dict[UUID, set[UUID]]) -> None:
    columns = (
        "provider_message_id", "accepted_at", "left_at", "delivered_at", "read_at", "played_at", "failed_at",
        "error_reason", "error_code", "error_detail", "pricing_category", "pricing_type", "billable",
    )  # fmt: skip
    values = [[getattr(report, column) for _, report in hits] for column in columns]
    cursor.execute(_MERGE, [[message_id for message_id, _ in hits], *values])
    for tenant_id, conversation_id in cursor.fetchall():
        changed.setdefault(tenant_id, set()).add(conversation_id)
    costs.settle(cursor, [message_id for message_id, r in hits if r.pricing_category or r.pricing_type])
    opted_out = [r for _, r in hits if r.error_reason and handling(r.error_reason).suppresses_marketing]  # type: ignore[arg-type]
    if opted_out:
        cursor.execute(
            _OPT_OUT,
            [
                [r.number_id for r in opted_out],
                [r.provider_message_id for r in opted_out],
                [r.failed_at for r in opted_out],
            ],
        )


def _park(cursor: Any, events: list[tuple[Line, StatusChanged]]) -> None:
    parked: dict[tuple[UUID, str, str], list[tuple[Line, StatusChanged]]] = {}
    for line, event in events:
        parked.setdefault((line.number_id, event.message_id[:200], event.status), []).append((line, event))
    if parked:
        keys = sorted(parked)
        cursor.execute(
            _PARK,
            [
                [uuid7() for _ in keys],
                [parked[key][0][0].tenant_id for key in keys],
                [key[0] for key in keys],
                [key[1] for key in keys],
                [key[2] for key in keys],
                [min(event.at for _, event in parked[key]) for key in keys],
                [
                    Jsonb([{"at": event.at.timestamp(), **facts_of(line, event)} for line, event in parked[key]])
                    for key in keys
                ],
            ],
        )
