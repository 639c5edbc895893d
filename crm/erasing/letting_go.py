"""What points at a conversation from other layers, and must not once its person is erased."""

from datetime import datetime
from uuid import UUID

from crm.models import Erasure
from crm.signals import contacts_erased
from whatsapp.models import FlowToken


def let_go(erasure: Erasure, talks: list[UUID], now: datetime) -> None:
    """Whoever points at the conversations, in other layers, points nowhere."""
    contacts_erased.send(sender=None, tenant_id=erasure.tenant_id, conversations=talks, at=now)
    FlowToken.objects.filter(tenant_id=erasure.tenant_id, holder__in=talks).delete()
