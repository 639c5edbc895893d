"""How much of its budget a company has used this month, and what follows from that."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext_noop

from crm.models import Budget
from tenants.alerts import raise_alert, resolve_alert
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Severity, Tenant

WARNED = gettext_noop("budget-nearly-used")
REACHED = gettext_noop("budget-reached")


@dataclass(frozen=True, slots=True)
class Standing:
    """What was spent since the month began in the company's own zone, what waits to be sent included."""

    limit: Decimal
    spent: Decimal
    warning_percent: int
    stops_automatic: bool
    currency: str

    @property
    def percent(self) -> int:
        return int(self.spent * 100 / self.limit) if self.limit else 100

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.spent, Decimal(0))

    @property
    def is_reached(self) -> bool:
        return self.spent >= self.limit

    @property
    def is_near(self) -> bool:
        return self.percent >= self.warning_percent


# Hours that are complete come from the rollup, the rest from the messages: exact to the last one written.
_SPENT = """
SELECT COALESCE((SELECT sum(amount) FROM crm_messagehour WHERE tenant_id = %(tenant)s AND hour >= %(start)s AND hour < %(until)s), 0)
     + COALESCE((SELECT sum(cost_amount) FROM crm_message
                 WHERE tenant_id = %(tenant)s AND sent_at >= GREATEST(%(until)s, %(start)s) AND status <> 'failed'), 0)
     + COALESCE((SELECT sum(amount) FROM crm_erasedhour
                 WHERE tenant_id = %(tenant)s AND hour >= GREATEST(%(until)s, %(start)s)), 0)
"""
_COMPLETE_UNTIL = "SELECT max(complete_until) FROM crm_rollupprogress"


def month_start(tenant: Tenant, now: datetime) -> datetime:
    local = now.astimezone(ZoneInfo(tenant.timezone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def spent(tenant: Tenant, since: datetime) -> Decimal:
    """What the company's messages cost since then, by the hour; expected amounts stand in for what is not settled yet."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE_UNTIL)
        until = cursor.fetchone()[0] or since
        cursor.execute(_SPENT, {"tenant": tenant.pk, "start": since, "until": until})
        return cursor.fetchone()[0]


def standing(tenant: Tenant, now: datetime, *, hold: bool = False) -> Standing | None:
    """The company's budget this month; None where it has none.

    With `hold`, whoever else asks to hold it waits until this transaction has ended, and then sees what it spent.
    """
    budgets = Budget.objects.select_for_update(no_key=True) if hold else Budget.objects
    budget = budgets.filter(tenant_id=tenant.pk).first()
    if budget is None:
        return None
    return Standing(
        limit=budget.monthly_limit,
        spent=spent(tenant, month_start(tenant, now)),
        warning_percent=budget.warning_percent,
        stops_automatic=budget.stops_automatic,
        currency=tenant.billing_currency,
    )


def left_for_automatic(tenant: Tenant, now: datetime, *, hold: bool = False) -> Decimal | None:
    """What sequences and campaigns may still spend this month; None: no limit. `hold` as for `standing`."""
    found = standing(tenant, now, hold=hold)
    return found.left if found and found.stops_automatic else None


def watch(now: datetime) -> None:
    """Raise and resolve the alerts of every budget."""
    with system_transaction():
        tenants = list(Tenant.unfenced.filter(pk__in=Budget.objects.values("tenant_id")))
    for tenant in tenants:
        with tenant_transaction(tenant.pk):
            if found := standing(tenant, now):
                _alert(tenant.pk, found)


def _alert(tenant_id: UUID, found: Standing) -> None:
    facts = {"spent": f"{found.spent:.2f}", "limit": f"{found.limit:.2f}", "currency": found.currency}
    for kind, holds, severity in (
        (REACHED, found.is_reached, Severity.CRITICAL),
        (WARNED, found.is_near and not found.is_reached, Severity.WARNING),
    ):
        subject = f"{found.percent} %"
        if holds:
            raise_alert(
                tenant_id=tenant_id, kind=kind, subject="month", severity=severity, facts=facts | {"used": subject}
            )
        else:
            resolve_alert(tenant_id=tenant_id, kind=kind, subject="month")
