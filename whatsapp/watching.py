"""What a person must know of numbers and webhooks before customers notice; seen by a sweep over all companies."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext_noop

from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.models import Severity
from whatsapp.alerting import resolve_others, tell
from whatsapp.checking import WITHOUT_QUEUE
from whatsapp.models import Number, TokenState

# The operator's, also raised while merging; their subjects are the id that no number has, and the event's.
UNROUTED = gettext_noop("webhook-unrouted")
DEAD = gettext_noop("webhook-dead")
UNUSABLE_FILE = gettext_noop("connections-file-unusable")
CHECK_EVERY = timedelta(hours=1)
_MOST_CHECKS = 200
_MOST_UNROUTED = 200

_UNROUTED_IDS = """
SELECT waiting.number_id, count(*), min(event.received_at)
FROM whatsapp_webhookevent event
CROSS JOIN LATERAL unnest(event.unrouted_number_ids) AS waiting (number_id)
WHERE event.state = 'unrouted' AND NOT EXISTS (
    SELECT FROM whatsapp_number number
    WHERE number.phone_number_id = waiting.number_id AND number.provider = event.provider)
GROUP BY waiting.number_id
ORDER BY 2 DESC
LIMIT %s
"""

_RESOLVE_DEAD = """
UPDATE tenants_alert SET resolved_at = now()
WHERE kind = %s AND resolved_at IS NULL AND NOT EXISTS (
    SELECT FROM whatsapp_webhookevent event WHERE event.id = subject::bigint AND event.state = 'dead')
"""


def watch(*, now: datetime) -> list[tuple[UUID, UUID]]:
    """Bring the alerts up to date; returns the (tenant id, number id) that WhatsApp should be asked about again."""
    with system_transaction():
        _watch_queues()
        _watch_webhooks()
        return _due_for_a_check(now=now)


def _watch_queues() -> None:
    waiting = list(Number.objects.filter(is_active=True, queue=None))
    for number in waiting:
        tell(number, WITHOUT_QUEUE, True)
    resolve_others(WITHOUT_QUEUE, [str(number.pk) for number in waiting])


def _watch_webhooks() -> None:
    """One alert for the operator per id that no number has; alerts of dead events go when they are dead no more."""
    with connection.cursor() as cursor:
        cursor.execute(_UNROUTED_IDS, [_MOST_UNROUTED])
        unknown = cursor.fetchall()
        cursor.execute(_RESOLVE_DEAD, [DEAD])
    for phone_number_id, count, since in unknown:
        facts = {"phone_number_id": phone_number_id, "events": count, "since": since.isoformat()}
        raise_alert(tenant_id=None, kind=UNROUTED, subject=phone_number_id, severity=Severity.CRITICAL, facts=facts)
    resolve_others(UNROUTED, [phone_number_id for phone_number_id, _count, _since in unknown])


def _due_for_a_check(*, now: datetime) -> list[tuple[UUID, UUID]]:
    """Active numbers that were never asked about, not for an hour, or that have a new token; the longest-waiting first."""
    due = Q(checked_at=None) | Q(checked_at__lt=now - CHECK_EVERY) | Q(token_state=TokenState.UNKNOWN)
    numbers = Number.objects.filter(due, is_active=True).order_by("checked_at", "pk")
    return list(numbers.values_list("tenant_id", "pk")[:_MOST_CHECKS])
