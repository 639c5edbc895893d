"""What happens when a lower layer says that customers wrote."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from crm.signals import contacts_replied, suspicion_changed
from sequences import enrolling
from tenants.context import tenant_transaction


@receiver(contacts_replied)
def pause(sender: Any, tenant_id: UUID, contact_ids: list[UUID], at: datetime, **kwargs: Any) -> None:
    """A reply pauses at once, before anybody looks at what is due."""
    with tenant_transaction(tenant_id):
        enrolling.pause_replied(tenant_id=tenant_id, contact_ids=contact_ids, at=at)


@receiver(suspicion_changed)
def hold_back(sender: Any, tenant_id: UUID, levels: dict[UUID, str], at: datetime, **kwargs: Any) -> None:
    """Probably blocked pauses, very likely stops; when nothing speaks for it any more, what it paused goes on."""
    enrolling.hold_back(tenant_id=tenant_id, levels=levels, at=at)
