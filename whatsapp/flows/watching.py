"""What Meta says of a Flow without being asked (webhook field `flows`): its status, and how the endpoint fares."""

from django.utils.translation import gettext_noop

from tenants.alerts import raise_alert, resolve_alert
from tenants.models import Severity
from whatsapp.events import Notice
from whatsapp.models import Flow, FlowStatus

STATUS = "FLOW_STATUS_CHANGE"
# Kinds of alerts about a Flow; their subject is its id, `facts["flow"]` its name.
HELD_BACK = gettext_noop("flow-held-back")
UNWELL = gettext_noop("flow-endpoint-unwell")
_KEPT = ("alert_state", "threshold", "error_rate", "p50_latency", "p90_latency", "requests_count", "availability",
         "warning", "new_status")  # fmt: skip


def merge_notice(notice: Notice) -> None:
    """Apply one notice, in a system transaction. An older one than what is stored changes nothing, nor does a repeated one."""
    value, event = notice.value, str(notice.value.get("event", ""))[:40]
    flow_id = str(value.get("flow_id", ""))
    at = notice.at.isoformat() if notice.at else ""
    if not flow_id or not event:
        return
    mine = Flow.objects.select_for_update(no_key=True).filter(waba_id=notice.account_id, provider_flow_id=flow_id)
    for flow in mine.order_by("pk"):
        stored = flow.health.get(event, {})
        facts = {name: value[name] for name in _KEPT if isinstance(value.get(name), str | int | float)} | {"at": at}
        if stored == facts or (at and stored.get("at", "") > at):
            continue
        flow.health = flow.health | {event: facts}
        changed = ["health"]
        if event == STATUS and (status := str(value.get("new_status", ""))[:20]):
            flow.status = status
            changed.append("status")
        flow.save(update_fields=changed)
        _tell(flow, event)


def _tell(flow: Flow, event: str) -> None:
    subject, facts = str(flow.pk), {"flow": flow.name, "status": flow.status}
    if event == STATUS:
        if flow.status in (FlowStatus.BLOCKED, FlowStatus.THROTTLED):
            severity = Severity.CRITICAL if flow.status == FlowStatus.BLOCKED else Severity.WARNING
            raise_alert(tenant_id=flow.tenant_id, kind=HELD_BACK, subject=subject, severity=severity, facts=facts)
        else:
            resolve_alert(tenant_id=flow.tenant_id, kind=HELD_BACK, subject=subject)
        return
    troubles = sorted(name for name, each in flow.health.items() if each.get("alert_state") == "ACTIVATED")
    if troubles:
        raise_alert(
            tenant_id=flow.tenant_id, kind=UNWELL, subject=subject, severity=Severity.WARNING,
            facts=facts | {"events": troubles},
        )  # fmt: skip
    else:
        resolve_alert(tenant_id=flow.tenant_id, kind=UNWELL, subject=subject)
