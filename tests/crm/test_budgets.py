"""Hourly figures are what the messages say, however often they are counted, and a budget knows them to the last message."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db.models import Sum

from crm import budgets
from crm.models import Budget, Message, MessageHour, RollupProgress
from crm.reports import rollups
from tenants.context import system_transaction
from tenants.models import Alert
from tests.crm.views.talk import NOON, conversation, inbound, outbound

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def money(talk, amount: str, *, at: datetime = NOON, **fields):
    return outbound(talk, at=at, cost_amount=Decimal(amount), cost_currency="USD", accepted_at=at, **fields)


def rows() -> list[tuple]:
    with system_transaction():
        fields = ("tenant_id", "hour", "source", "category", "messages", "accepted", "delivered", "read", "failed", "amount", "unpriced")  # fmt: skip
        return sorted(MessageHour.objects.values_list(*fields), key=str)


def test_an_hour_is_what_its_messages_say(ours, theirs):
    with theirs.transaction():
        money(conversation(theirs), "9")
    with ours.transaction():
        talk = conversation(ours)
        inbound(talk, at=NOON - 5 * HOUR)
        money(talk, "0.03")
        money(talk, "0.03", status="read")
        money(talk, "0.07", status="failed", pricing_category="marketing")
        outbound(talk, at=NOON, cost_currency="USD", status="sent")
    rollups.refresh(NOON)
    once = rows()
    rollups.refresh(NOON)
    rollups.refresh(NOON + HOUR, hours=48)
    assert rows() == once
    with ours.transaction():
        total = MessageHour.objects.filter(direction="outbound").aggregate(
            *(Sum(name) for name in ("messages", "accepted", "delivered", "read", "failed", "amount", "unpriced"))
        )
        assert list(total.values()) == [4, 3, 2, 1, 1, Decimal("0.06"), 1]
        assert MessageHour.objects.get(direction="inbound").hour == NOON - 5 * HOUR


def test_what_a_status_changes_later_is_counted_anew(ours):
    with ours.transaction():
        message = money(conversation(ours), "0.03", status="sent")
    rollups.refresh(NOON)
    with ours.transaction():
        Message.objects.filter(pk=message.pk).update(status="read")
    rollups.refresh(NOON + 30 * HOUR, hours=72)
    assert [row[7] for row in rows()] == [1]


def test_hours_without_a_run_are_made_up_for(ours):
    with ours.transaction():
        talk = conversation(ours)
        money(talk, "0.01")
    rollups.refresh(NOON)
    with ours.transaction():
        money(talk, "0.02", at=NOON + 20 * HOUR)
    rollups.refresh(NOON + 50 * HOUR)
    assert sum(row[9] for row in rows()) == Decimal("0.03")


def test_what_a_month_cost_is_exact_whenever_the_hours_were_counted(ours):
    """The month begins in the company's own zone: Lima is five hours behind UTC."""
    start = datetime(2026, 11, 1, 5, tzinfo=UTC)
    with ours.transaction():
        talk = conversation(ours)
        for at, amount in ((start - HOUR, "100"), (start, "1"), (NOON - 30 * HOUR, "2"), (NOON, "4")):
            money(talk, amount, at=at)
        money(talk, "8", status="failed")
        assert budgets.spent(ours.tenant, budgets.month_start(ours.tenant, NOON)) == 7
    rollups.refresh(NOON - 10 * HOUR, hours=2)
    with ours.transaction():
        assert RollupProgress.objects.get().complete_until == NOON - 10 * HOUR
        assert budgets.spent(ours.tenant, budgets.month_start(ours.tenant, NOON)) == 7
    call_command("refresh_reports", days=60)
    with ours.transaction():
        assert budgets.spent(ours.tenant, budgets.month_start(ours.tenant, NOON)) == 7


@pytest.mark.parametrize(
    ("limit", "percent", "is_near", "is_reached", "open_alerts"),
    [("10", 70, False, False, []), ("8", 87, True, False, ["budget-nearly-used"]), ("7", 100, True, True, ["budget-reached"])],
)  # fmt: skip
def test_a_budget_warns_then_stops(ours, limit, percent, is_near, is_reached, open_alerts):
    with ours.transaction():
        assert budgets.standing(ours.tenant, NOON) is None and budgets.left_for_automatic(ours.tenant, NOON) is None
        money(conversation(ours), "7")
        budget = Budget.objects.create(tenant=ours.tenant, monthly_limit=Decimal(limit))
        found = budgets.standing(ours.tenant, NOON)
        assert (found.percent, found.is_near, found.is_reached) == (percent, is_near, is_reached)
        assert budgets.left_for_automatic(ours.tenant, NOON) == Decimal(limit) - 7
    for _ in range(2):
        budgets.watch(NOON)
    with ours.transaction():
        assert [alert.kind for alert in Alert.objects.filter(resolved_at=None)] == open_alerts
        budget.stops_automatic, budget.monthly_limit = False, Decimal(1000)
        budget.save()
        assert budgets.left_for_automatic(ours.tenant, NOON) is None
    budgets.watch(NOON)
    with ours.transaction():
        assert not Alert.objects.filter(resolved_at=None).exists()
