"""Alerts by mail: those that nobody was told of yet, a company's in one letter, to who is in charge of it.

Nothing is sent where no mail is configured (EMAIL_URL prints to the console then), so that a first server to send with
does not begin with old news.
"""

import logging
from collections import defaultdict
from datetime import datetime, timedelta
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Case, F, IntegerField, Value, When
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.alerts import words_of
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Alert, Membership, Role, Severity, Tenant

log = logging.getLogger(__name__)

# What heals by itself within the first minutes is no letter.
SETTLED = timedelta(minutes=2)
_MOST = 200
_WEIGHTS = {"": 0, Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}


def mail_alerts(*, now: datetime) -> int:
    """Tell by mail what has not been told, or has grown worse since; returns how many letters went out.

    Marked before it is sent: a letter that the server refuses is logged and not tried again, and nobody gets it twice.
    """
    if not is_configured():
        return 0
    waiting: dict[UUID, list[UUID]] = defaultdict(list)
    with system_transaction():
        for tenant_id, alert_id in _untold(now):
            waiting[tenant_id].append(alert_id)
    return sum(_tell_company(tenant_id, alert_ids) for tenant_id, alert_ids in waiting.items())


def is_configured() -> bool:
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def _untold(now: datetime) -> list[tuple[UUID, UUID]]:
    found = Alert.objects.filter(
        tenant__isnull=False, resolved_at=None, acknowledged_at=None, raised_at__lt=now - SETTLED
    ).annotate(weight=_weight("severity"), told=_weight("mailed_severity"))
    return list(found.filter(weight__gt=F("told")).order_by("raised_at").values_list("tenant_id", "pk")[:_MOST])


def _weight(column: str) -> Case:
    cases = [When(**{column: str(word)}, then=Value(weight)) for word, weight in _WEIGHTS.items()]
    return Case(*cases, default=Value(0), output_field=IntegerField())


def _tell_company(tenant_id: UUID, alert_ids: list[UUID]) -> int:
    with tenant_transaction(tenant_id):
        tenant = Tenant.objects.get()
        # Whoever else is mailing waits here, and then finds nothing to tell.
        held = Alert.objects.select_for_update().filter(pk__in=alert_ids, resolved_at=None)
        alerts = [alert for alert in held if _WEIGHTS[alert.severity] > _WEIGHTS.get(alert.mailed_severity, 0)]
        if not alerts:
            return 0
        addresses = recipients()
        for alert in alerts:
            alert.mailed_severity = alert.severity
        Alert.objects.bulk_update(alerts, ["mailed_severity"])
    return _send(tenant, alerts, addresses) if addresses else 0


def recipients() -> list[str]:
    """ALERT_EMAILS, else the owners and admins of the present company."""
    if settings.ALERT_EMAILS:
        return list(settings.ALERT_EMAILS)
    people = Membership.objects.filter(role__in=(Role.OWNER, Role.ADMIN), is_active=True, user__is_active=True)
    return sorted(people.values_list("user__email", flat=True))


def _send(tenant: Tenant, alerts: list[Alert], addresses: list[str]) -> int:
    """One letter to each, so that nobody sees the others' addresses; in the company's language."""
    with translation.override(tenant.locale):
        alerts.sort(key=lambda alert: (-_WEIGHTS[alert.severity], alert.raised_at))
        titles = [words_of(alert) for alert in alerts]
        said = ngettext("%(count)d alert of %(company)s", "%(count)d alerts of %(company)s", len(alerts))
        subject = said % {"count": len(alerts), "company": tenant.name}
        if len(alerts) == 1:
            subject = f"{titles[0].title} · {tenant.name}"
        lines = [f"- {words.title}\n  {words.advice}".rstrip() for words in titles]
        closing = _("See what to do: %(url)s") % {"url": f"{settings.BASE_URL}/alerts/"}
        body = "\n\n".join([*lines, closing])
    sent = 0
    for address in addresses:
        try:
            sent += EmailMessage(" ".join(subject.split()), body, to=[address]).send()
        except (SMTPException, OSError) as error:
            log.warning("alerts could not be mailed", extra={"error": type(error).__name__})
    return sent
