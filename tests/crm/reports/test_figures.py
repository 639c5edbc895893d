"""What the dashboard says of some days is what the messages and episodes of those days say, in the company's own zone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Budget, Conversation, ConversationStatus, Episode
from crm.reports import rollups
from crm.reports.figures import Scope, figures, load_by_person, month, waiting_by_queue
from tests.crm.views.talk import NOON, conversation, inbound, outbound
from whatsapp.models import Number

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def scope(company, name: str = "7", **narrowed) -> Scope:
    return Scope.of(company.tenant, NOON, name=name, **{"number": None, "queue": None} | narrowed)


def episode(talk, opened_at, answered_after=None, closed_after=None, **fields) -> Episode:
    return Episode.objects.create(
        tenant_id=talk.tenant_id, conversation=talk, opened_at=opened_at,
        first_reply_at=opened_at + answered_after if answered_after else None,
        closed_at=opened_at + closed_after if closed_after else None,
        **{"opened_by_customer": True, "queue_id": talk.queue_id} | fields,
    )  # fmt: skip


def test_ranges_are_whole_days_of_the_companys_zone(ours):
    """It is 12:00 of the 24th in Lima."""
    today, week, whole = scope(ours, "today"), scope(ours), scope(ours, "month")
    assert today.start == datetime(2026, 11, 24, 5, tzinfo=UTC) and today.end - today.start == DAY
    assert len(week.days) == 7 and week.days[-1] == today.first
    assert whole.first.day == 1
    assert scope(ours, "nonsense").name == "14"


def test_messages_are_counted_by_day_hour_and_fate(ours):
    at_night = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)  # still Monday the 23rd, 22:30, in Lima
    with ours.transaction():
        talk = conversation(ours)
        inbound(talk, at=at_night)
        outbound(talk, at=at_night, status="read", accepted_at=at_night, country="PE", pricing_category="marketing",
                 cost_amount=Decimal("0.07"), cost_currency="USD")  # fmt: skip
        outbound(talk, at=NOON - HOUR, status="failed", cost_amount=Decimal(5), cost_currency="USD")
        outbound(talk, at=NOON - HOUR, status="delivered", cost_currency="USD", accepted_at=NOON)
        outbound(talk, at=NOON - 30 * DAY)
    rollups.refresh(NOON)
    with ours.transaction():
        found = figures(scope(ours))
        assert found.sent == {"messages": 3, "accepted": 2, "delivered": 2, "read": 1, "failed": 1, "unknown": 0}
        monday, tuesday = found.days[-2:]
        assert (monday.inbound, monday.outbound, monday.amount) == (1, 1, Decimal("0.07"))
        assert (tuesday.inbound, tuesday.outbound, tuesday.amount) == (0, 2, 0)
        assert monday.amounts == {"marketing": Decimal("0.07")}
        assert found.heat == {(1, 22): 1}
        assert (found.amount, found.unpriced, found.inbound) == (Decimal("0.07"), 1, 1)
        assert [(row["of"], row["count"]) for row in found.by_category] == [("marketing", 1), ("service", 2)]
        assert {row["of"]: row["cost"] for row in found.by_country} == {"PE": Decimal("0.07"), "": 0}
        assert round(found.share("delivered")) == 67


def test_nothing_sent_has_no_share(ours):
    with ours.transaction():
        found = figures(scope(ours))
        assert found.share("delivered") is None and found.replies.p50 is None and found.heat == {}


def test_percentiles_of_the_first_answer_and_of_closing(ours):
    with ours.transaction():
        talk = conversation(ours)
        for minutes in (1, 2, 3, 4, 100):
            episode(talk, NOON - DAY, timedelta(minutes=minutes), timedelta(minutes=minutes * 2))
        episode(talk, NOON - HOUR)
        episode(conversation(ours), NOON - HOUR, HOUR, opened_by_customer=False)
        episode(talk, NOON - 20 * DAY, HOUR, HOUR)
        found = figures(scope(ours))
    assert (found.replies.p50, found.replies.answered, found.replies.closed) == (180, 5, 5)
    assert round(found.replies.p90) == round((4 + 0.6 * 96) * 60)
    assert found.replies.resolution_p50 == 360
    assert [day.first_reply_p50 for day in found.days[-2:]] == [180, None]


def test_a_number_or_a_queue_narrows_everything(ours):
    with ours.transaction():
        other = Number.objects.create(
            tenant=ours.tenant, alias="Otro", phone_number_id="199999999999999", waba_id="3", display_number="+51 1 555 0199",
            token="token-of-another", queue=ours.support,
        )  # fmt: skip
        for number, queue, minutes in ((ours.number, ours.sales, 1), (other, ours.support, 9)):
            talk = conversation(ours, queue=queue, assignee=ours.ana)
            Conversation.objects.filter(pk=talk.pk).update(number=number)
            talk.refresh_from_db()
            inbound(talk, at=NOON - HOUR)
            episode(talk, NOON - HOUR, timedelta(minutes=minutes))
    rollups.refresh(NOON)
    with ours.transaction():
        for narrowed, minutes in (
            ({"number": other.pk}, 9),
            ({"queue": ours.sales.pk}, 1),
            ({"queue": ours.support.pk}, 9),
        ):
            some = scope(ours, **narrowed)
            found = figures(some)
            assert (found.inbound, found.replies.answered, found.replies.p50) == (1, 1, minutes * 60)
            assert [row["open"] for row in waiting_by_queue(some, NOON)] == [1]
            assert [row["open"] for row in load_by_person(some)] == [1]
        assert figures(scope(ours)).inbound == 2


def test_who_waits_now(ours):
    with ours.transaction():
        conversation(ours, wrote_at=NOON - 23 * HOUR)
        conversation(ours, wrote_at=NOON - HOUR, assignee=ours.ana)
        conversation(ours, waiting_since=None)
        conversation(ours, status=ConversationStatus.CLOSED)
        conversation(ours, queue=ours.support, waiting_since=None)
        sales, support = waiting_by_queue(scope(ours), NOON)
        assert sales == {
            "of": ours.sales.pk, "name": "Ventas", "open": 3, "waiting": 2, "soon": 1, "oldest": NOON - 23 * HOUR,
        }  # fmt: skip
        assert (support["open"], support["waiting"], support["oldest"]) == (1, 0, None)
        assert load_by_person(scope(ours)) == [{"of": ours.ana.pk, "name": "Ana", "open": 1, "waiting": 1}]


def test_a_month_at_its_pace(ours):
    with ours.transaction():
        outbound(
            conversation(ours), at=NOON - DAY, cost_amount=Decimal(24), cost_currency="USD", accepted_at=NOON - DAY
        )
    rollups.refresh(NOON)
    with ours.transaction():
        without = month(ours.tenant, NOON)
        assert without.standing is None and without.spent == 24
        assert 30 < without.projected < 31  # 23.5 of 30 days are over
        Budget.objects.create(tenant=ours.tenant, monthly_limit=30)
        assert month(ours.tenant, NOON).standing.percent == 80
