"""What a person must know of numbers and webhooks before customers notice; seen by a sweep over all companies."""

from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext_noop

from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.models import Alert, Severity
from whatsapp.checking import WITHOUT_QUEUE, tell
from whatsapp.connecting import announce
from whatsapp.models import Number, TokenState

UNROUTED = gettext_noop("unrouted-webhooks")  # the operator's; its subject is the id that no number has
UNUSABLE_FILE = gettext_noop("connections-file-unusable")
CHECK_EVERY = timedelta(days=1)
_MOST_CHECKS = 200
_MOST_UNROUTED = 200

_UNROUTED_IDS = """
SELECT waiting.number_id, count(*), min(event.received_at), number.tenant_id, number.id
FROM whatsapp_webhookevent event
CROSS JOIN LATERAL unnest(event.unrouted_number_ids) AS waiting (number_id)
LEFT JOIN whatsapp_number number
  ON number.phone_number_id = waiting.number_id AND number.provider = event.provider
WHERE event.state = 'unrouted'
GROUP BY waiting.number_id, number.tenant_id, number.id
ORDER BY 2 DESC
LIMIT %s
"""


def watch(*, now: datetime) -> list[tuple[UUID, UUID]]:
    """Bring the alerts up to date; returns the (tenant id, number id) that WhatsApp should be asked about again."""
    with system_transaction():
        _watch_queues()
        _watch_unrouted()
        return _due_for_a_check(now=now)


def _watch_queues() -> None:
    waiting = list(Number.objects.filter(is_active=True, queue=None))
    for number in waiting:
        tell(number, WITHOUT_QUEUE, True)
    _resolve_others(WITHOUT_QUEUE, [str(number.pk) for number in waiting])


def _watch_unrouted() -> None:
    """One alert for the operator per id that no number has. Where the number exists by now, its webhooks are let go on:
    what should have told that (a process killed in between) may have been lost."""
    with connection.cursor() as cursor:
        cursor.execute(_UNROUTED_IDS, [_MOST_UNROUTED])
        rows = cursor.fetchall()
    unknown, arrived = [], defaultdict(list)
    for phone_number_id, count, since, tenant_id, number_id in rows:
        if number_id:
            arrived[tenant_id].append(number_id)
            continue
        unknown.append(phone_number_id)
        facts = {"events": count, "since": since.isoformat()}
        raise_alert(tenant_id=None, kind=UNROUTED, subject=phone_number_id, severity=Severity.CRITICAL, facts=facts)
    _resolve_others(UNROUTED, unknown)
    for tenant_id, number_ids in arrived.items():
        announce(tenant_id=tenant_id, number_ids=number_ids)


def _resolve_others(kind: str, subjects: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Alert._meta.db_table} SET resolved_at = now()"
            " WHERE kind = %s AND resolved_at IS NULL AND subject <> ALL(%s)",
            [kind, subjects],
        )


def _due_for_a_check(*, now: datetime) -> list[tuple[UUID, UUID]]:
    """Active numbers that were never asked about, not for a day, or that have a new token; the longest-waiting first."""
    due = Q(checked_at=None) | Q(checked_at__lt=now - CHECK_EVERY) | Q(token_state=TokenState.UNKNOWN)
    numbers = Number.objects.filter(due, is_active=True).order_by("checked_at", "pk")
    return list(numbers.values_list("tenant_id", "pk")[:_MOST_CHECKS])
