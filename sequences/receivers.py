"""What happens when a lower layer says that customers wrote."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from crm.signals import contacts_replied
from sequences import enrolling
from tenants.context import tenant_transaction


@receiver(contacts_replied)
def pause(sender: Any, tenant_id: UUID, contact_ids: list[UUID], at: datetime, **kwargs: Any) -> None:
    """A reply pauses at once, before anybody looks at what is due."""
    with tenant_transaction(tenant_id):
        enrolling.pause_replied(tenant_id=tenant_id, contact_ids=contact_ids, at=at)
