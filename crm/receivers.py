"""What crm does when a lower layer announces something. Connected in `crm.apps`."""

from datetime import date
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from crm import bells, costs, routing, suspecting
from crm.signals import contacts_replied
from tenants import clock
from tenants.context import tenant_transaction
from whatsapp.signals import numbers_routed, rates_loaded


@receiver(numbers_routed)
def take_conversations_along(sender: Any, tenant_id: UUID, number_ids: list[UUID], **kwargs: Any) -> None:
    """A number got a queue: what waited for it in triage moves there, and deliveries nobody had are merged."""
    with tenant_transaction(tenant_id):
        routing.leave_triage(number_ids=number_ids, now=clock.now())
    bells.ring_sweep()


@receiver(contacts_replied)
def hear(sender: Any, tenant_id: UUID, contact_ids: list[UUID], **kwargs: Any) -> None:
    """Whoever writes has not blocked the number they write to."""
    with tenant_transaction(tenant_id):
        suspecting.hear(contact_ids=contact_ids, now=clock.now())


@receiver(contacts_replied)
def give_out(sender: Any, **kwargs: Any) -> None:
    """What somebody wrote may be nobody's yet."""
    bells.ring_distribute()


@receiver(rates_loaded)
def reckon_anew(sender: Any, since: date, **kwargs: Any) -> None:
    """Other rates: what was sent since then has another price."""
    costs.settle_since(since)
