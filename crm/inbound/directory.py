"""Which of our numbers a webhook is about, and with it the tenant and the queue."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID


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
# Once in a while is enough to know that the webhooks of a number arrive; more would make one row hot.
_SEEN = """
UPDATE whatsapp_number SET last_webhook_at = statement_timestamp()
WHERE id IN (
    SELECT id FROM whatsapp_number
    WHERE id = ANY(%s) AND (last_webhook_at IS NULL OR last_webhook_at < statement_timestamp() - interval '5 seconds')
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
"""


def find_lines(cursor: Any, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Line]:
    """(provider, phone_number_id) → line, for those that exist; switched-off numbers too, so that nothing is lost."""
    pairs = sorted(set(wanted))
    cursor.execute(_FIND, [[provider for provider, _ in pairs], [number for _, number in pairs]])
    return {
        (provider, phone_number_id): Line(number_id, tenant_id, queue_id, provider)
        for phone_number_id, number_id, tenant_id, queue_id, provider in cursor.fetchall()
    }


def mark_seen(cursor: Any, number_ids: Iterable[UUID]) -> None:
    """Remember that webhooks of these numbers reach us."""
    ids = sorted(set(number_ids))
    if ids:
        cursor.execute(_SEEN, [ids])
