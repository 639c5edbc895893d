"""Which of our numbers a webhook is about, and with it the tenant and the queue."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from tenants.context import system_transaction


@dataclass(frozen=True, slots=True)
class Line:
    """One of our numbers, as far as routing needs it. `queue_id` is the triage queue when the number has none."""

    number_id: UUID
    tenant_id: UUID
    queue_id: UUID
    provider: str


_FIND = """
SELECT n.phone_number_id, n.id, n.tenant_id, COALESCE(n.queue_id, triage.id), n.provider
FROM whatsapp_number n
JOIN unnest(%s::text[], %s::text[]) AS wanted (provider, phone_number_id)
  ON n.provider = wanted.provider AND n.phone_number_id = wanted.phone_number_id
JOIN tenants_queue triage ON triage.tenant_id = n.tenant_id AND triage.is_triage
"""
# Once in a while is enough to know that the webhooks of a number arrive; more would make one row hot. The moment is when
# it was stored, not when it was merged: old ones that are merged late, or again, do not show that any arrive now.
_SEEN = """
WITH due AS MATERIALIZED (
    SELECT known.id, s.at FROM whatsapp_number known JOIN unnest(%s::uuid[], %s::timestamptz[]) AS s (id, at) ON s.id = known.id
    WHERE known.last_webhook_at IS NULL OR known.last_webhook_at < s.at - interval '5 seconds'
), free AS MATERIALIZED (
    SELECT known.id FROM whatsapp_number known WHERE known.id IN (SELECT id FROM due)
    ORDER BY known.id FOR NO KEY UPDATE SKIP LOCKED
), seen AS (
    UPDATE whatsapp_number n SET last_webhook_at = due.at FROM due JOIN free USING (id) WHERE n.id = due.id
)
SELECT id FROM due WHERE id NOT IN (SELECT id FROM free)
"""
# Of those whom somebody else is changing: waited for once nothing else is held, so that nobody waits in a circle.
_SEEN_AFTER_ALL = """
UPDATE whatsapp_number n SET last_webhook_at = seen.at
FROM (
    SELECT known.id, s.at FROM whatsapp_number known JOIN unnest(%s::uuid[], %s::timestamptz[]) AS s (id, at) ON s.id = known.id
    ORDER BY known.id FOR NO KEY UPDATE OF known
) AS seen
WHERE n.id = seen.id AND (n.last_webhook_at IS NULL OR n.last_webhook_at < seen.at)
"""


def find_lines(cursor: Any, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Line]:
    """(provider, phone_number_id) → line, for those that exist; switched-off numbers too, so that nothing is lost."""
    pairs = sorted(set(wanted))
    cursor.execute(_FIND, [[provider for provider, _ in pairs], [number for _, number in pairs]])
    return {
        (provider, phone_number_id): Line(number_id, tenant_id, queue_id, provider)
        for phone_number_id, number_id, tenant_id, queue_id, provider in cursor.fetchall()
    }


def mark_seen(cursor: Any, seen: Iterable[tuple[UUID, datetime]]) -> None:
    """Remember when a webhook of each number was last stored: (number, moment), in any order."""
    latest = dict(sorted(seen, key=lambda pair: pair[1]))
    if latest:
        cursor.execute(_SEEN, [list(latest), list(latest.values())])
        if busy := {number_id: latest[number_id] for (number_id,) in cursor.fetchall()}:
            transaction.on_commit(partial(_mark_after_all, busy))


def _mark_after_all(busy: dict[UUID, datetime]) -> None:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_SEEN_AFTER_ALL, [list(busy), list(busy.values())])
