"""Hourly figures of messages, kept in the background: always what the messages themselves say, counted again.
What was erased with its person is counted from what was kept of it, `crm.models.ErasedHour`.

Nothing is ever added to an hour; it is counted anew, so that doing it twice, late or at the same time gives the same.
Statuses change what an hour looks like long after it is over: the last hours are counted every minute, the last days
every hour, the last weeks every night.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tenants.context import system_transaction

OPEN_HOURS = 2
"""How far back every run goes."""

_LOCK = "SELECT pg_advisory_xact_lock(4202)"
_PROGRESS = "SELECT complete_until FROM crm_rollupprogress"
_FIRST = "SELECT min(first) FROM tenants_tenant t, LATERAL (SELECT min(sent_at) AS first FROM crm_message m WHERE m.tenant_id = t.id) f"
_DROP = "DELETE FROM crm_messagehour WHERE hour >= %s"
_COLUMNS = """hour, number_id, queue_id, direction, source, category, country, messages,
    accepted, delivered, read, failed, unknown, amount, unpriced"""
_FIGURES = """
    SELECT date_trunc('hour', m.sent_at, 'UTC'), m.number_id, c.queue_id, m.direction, m.source,
           CASE WHEN m.direction = 'outbound'
                THEN COALESCE(NULLIF(m.pricing_category, ''), NULLIF(m.template_category, ''), 'service') ELSE '' END,
           m.country,
           count(*),
           count(*) FILTER (WHERE m.direction = 'outbound' AND m.accepted_at IS NOT NULL),
           count(*) FILTER (WHERE m.status IN ('delivered', 'read', 'played')),
           count(*) FILTER (WHERE m.status IN ('read', 'played')),
           count(*) FILTER (WHERE m.status = 'failed'),
           count(*) FILTER (WHERE m.status = 'unknown'),
           COALESCE(sum(m.cost_amount) FILTER (WHERE m.status <> 'failed'), 0),
           count(*) FILTER (WHERE m.cost_amount IS NULL AND m.cost_currency <> '' AND m.status <> 'failed')
    FROM crm_message m JOIN crm_conversation c ON c.id = m.conversation_id
"""
_COUNT = f"""
INSERT INTO crm_messagehour (id, tenant_id, {_COLUMNS})
SELECT gen_random_uuid(), t.id, s.*
FROM tenants_tenant t, LATERAL ({_FIGURES}
    WHERE m.tenant_id = t.id AND m.sent_at >= %s
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) s
"""
# What erased people wrote and got is in no message any more.
_COUNT_ERASED = f"""
INSERT INTO crm_messagehour (id, tenant_id, {_COLUMNS})
SELECT gen_random_uuid(), tenant_id, {_COLUMNS} FROM crm_erasedhour WHERE hour >= %s
"""
_KEEP = f"""
INSERT INTO crm_erasedhour (id, tenant_id, {_COLUMNS})
SELECT gen_random_uuid(), t.id, s.*
FROM (SELECT DISTINCT tenant_id AS id FROM crm_message WHERE id = ANY(%s)) t, LATERAL ({_FIGURES}
    WHERE m.tenant_id = t.id AND m.id = ANY(%s)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) s
"""
_MARK = """
INSERT INTO crm_rollupprogress (id, complete_until, refreshed_at) VALUES (1, %s, %s)
ON CONFLICT (id) DO UPDATE SET complete_until = EXCLUDED.complete_until, refreshed_at = EXCLUDED.refreshed_at
"""


def refresh(now: datetime, *, hours: int = OPEN_HOURS) -> datetime:
    """Count the last `hours` anew, and whatever was missed since the last run; returns since when it counted."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_PROGRESS)
        known = cursor.fetchone()
        since = this_hour - timedelta(hours=hours)
        if known:
            since = min(since, known[0])
        else:
            cursor.execute(_FIRST)
            since = min(since, cursor.fetchone()[0] or since)
        since = since.replace(minute=0, second=0, microsecond=0)
        cursor.execute(_DROP, [since])
        cursor.execute(_COUNT, [since])
        cursor.execute(_COUNT_ERASED, [since])
        cursor.execute(_MARK, [this_hour, now])
    return since


def keep(cursor: Any, message_ids: list[UUID]) -> None:
    """Keep the figures of messages that are erased in this transaction, the system's; call it before anything is locked.

    Hours are not counted meanwhile, or these would count twice.
    """
    cursor.execute(_LOCK)
    cursor.execute(_KEEP, [message_ids, message_ids])
