"""An erasure must be complete within a day: one that is not is an alert of the company's, until it is."""

from datetime import datetime, timedelta

from crm.models import Erasure
from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.models import Severity
from whatsapp.alerting import resolve_others

LATE = "erasure-late"
PATIENCE = timedelta(hours=24)


def watch(now: datetime) -> int:
    """Raise the alert of each erasure that is late, and resolve those of the others; returns how many are late."""
    with system_transaction():
        late = Erasure.objects.filter(done_at=None, asked_at__lte=now - PATIENCE).order_by("asked_at", "pk")
        found = list(late.values_list("pk", "tenant_id", "asked_at", "step"))
        for pk, tenant_id, asked_at, step in found:
            raise_alert(
                tenant_id=tenant_id,
                kind=LATE,
                subject=str(pk),
                severity=Severity.CRITICAL,
                facts={"asked_at": asked_at.isoformat(), "step": step},
            )
        resolve_others(LATE, [str(pk) for pk, *_facts in found])
    return len(found)
