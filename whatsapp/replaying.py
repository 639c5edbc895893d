"""Stored webhook events put back into the queue. Merging one again changes nothing, so too many is only work."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from tenants.context import system_transaction, tenant_transaction
from whatsapp.models import EventState, Number, WebhookEvent

_PAGE = 500


def requeue(events: QuerySet[WebhookEvent]) -> int:
    """Put these events back into the queue, as if they had just come; the sweep finds them. Waiting ones are left alone."""
    stored = events.exclude(state=EventState.NEW)
    return stored.order_by().update(state=EventState.NEW, attempts=0, next_attempt_at=Now(), reason="")


def requeue_number(*, tenant_id: UUID, number_id: UUID) -> int:
    """Put back every stored event that speaks of the number. Raises Number.DoesNotExist.

    Which ones do is only written in their sealed bodies, so all events of the company, and those that belong to no one
    company, are read: page by page, each in its own transaction, so that nothing is held up meanwhile.
    """
    with tenant_transaction(tenant_id):
        number = Number.objects.get(pk=number_id)
    name, last, count = number.phone_number_id.encode(), 0, 0
    while True:
        with system_transaction():
            stored = WebhookEvent.objects.filter(
                Q(tenant=tenant_id) | Q(tenant=None), provider=number.provider, pk__gt=last
            )
            page = list(stored.exclude(state=EventState.NEW).order_by("pk")[:_PAGE])
            if not page:
                return count
            count += requeue(WebhookEvent.objects.filter(pk__in=[event.pk for event in page if name in event.body]))
        last = page[-1].pk
