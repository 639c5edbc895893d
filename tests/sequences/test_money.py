"""A sequence and its cost: what the budget does not cover or WhatsApp gives back waits for a person, who knows the price."""

from datetime import timedelta
from decimal import Decimal

import pytest

from crm.models import Budget, Message
from sequences import handwork, tasks
from sequences.models import StepRun
from tests.crm.views.talk import NOON, conversation, outbound
from tests.sequences.conftest import Told, approve, run, shut, step
from whatsapp.errors import Reason

pytestmark = pytest.mark.django_db


def limit(company, amount: str, **fields) -> None:
    with company.transaction():
        Budget.objects.create(tenant=company.tenant, monthly_limit=Decimal(amount), **fields)


def test_what_the_month_does_not_cover_becomes_a_task(ours, begin):
    first, second = begin(step(hours=1)), begin(step(hours=1))
    limit(ours, "0.05")  # one reply to Peru costs 0.03
    run(1)
    told = [Told(ours, first), Told(ours, second)]
    assert sorted(len(each.sent) for each in told) == [0, 1]
    held = next(each for each in told if not each.sent)
    assert held.state == ("task", 0, "budget") and held.tasks[0].text == "hola Rosa Quispe"
    with ours.transaction():
        facts = StepRun.objects.get(why="budget").facts
    assert facts["budget_left"] in ("0.02", "0.05")


@pytest.mark.parametrize("more", [{"amount": "1"}, {"amount": "0.01", "stops_automatic": False}])
def test_a_budget_that_covers_it_or_only_warns_lets_it_pass(ours, begin, more):
    enrollment = begin(step(hours=1))
    limit(ours, **more)
    run(1)
    assert len(Told(ours, enrollment).sent) == 1


def test_somebody_who_came_through_an_ad_costs_nothing(ours, begin):
    enrollment = begin(step(hours=1), talk={"free_entry_expires_at": NOON + timedelta(hours=30)})
    limit(ours, "0")
    run(1)
    assert len(Told(ours, enrollment).sent) == 1


def failed(company, enrollment, reason=Reason.MARKETING_CAP) -> None:
    with company.transaction():
        Message.objects.filter(conversation_id=enrollment.conversation_id, direction="outbound").update(
            status="failed", failed_at=NOON + timedelta(hours=1, seconds=5), error_reason=reason, error_code=131049
        )


@pytest.mark.parametrize("steps", [1, 2])
def test_what_whatsapp_gave_back_waits_for_a_person(ours, begin, monkeypatch, steps):
    with ours.transaction():
        approve(ours)
    enrollment = begin(*[step(template="carrito", hours=1)] * steps)
    shut(ours, enrollment)
    run(1)
    assert Told(ours, enrollment).enrollment.position == min(1, steps - 1)
    failed(ours, enrollment)
    monkeypatch.setattr("tenants.clock.now", lambda: NOON + timedelta(hours=1, minutes=1))
    assert [tasks.take_failed(), tasks.take_failed()] == [1, 0]
    told = Told(ours, enrollment)
    assert told.state == ("task", 0, "not_delivered")
    assert [(task.why, task.template_name) for task in told.tasks] == [("not_delivered", "carrito")]
    assert told.runs[-1] == (0, "task", "not_delivered")
    with ours.transaction():
        handwork.finish(told.tasks[0], state="skipped", now=NOON + timedelta(hours=2))
    assert tasks.take_failed() == 0
    assert Told(ours, enrollment).state[:2] == (("active", 1) if steps == 2 else ("done", 0))


def test_a_step_that_others_followed_is_not_given_back(ours, begin, monkeypatch):
    enrollment = begin(step(hours=1), step(hours=1), step(hours=100))
    run(1)
    run(2)
    with ours.transaction():
        first = StepRun.objects.filter(enrollment=enrollment, position=0).get().message
        Message.objects.filter(pk=first.pk).update(status="failed", failed_at=NOON)
    monkeypatch.setattr("tenants.clock.now", lambda: NOON + timedelta(hours=3))
    assert tasks.take_failed() == 0


def held(company, begin):
    enrollment = begin(step(hours=1))
    limit(company, "0.01")
    run(1)
    return Told(company, enrollment)


def test_a_supervisor_sends_it_all_the_same_knowing_the_price(ours, begin, client, monkeypatch):
    monkeypatch.setattr("tenants.clock.now", lambda: NOON + timedelta(hours=2))
    told = held(ours, begin)
    client.force_login(ours.supervisor.user)
    page = client.get("/pending/").content.decode()
    assert "US$0.0300" in page and 'value="force"' in page
    url = f"/pending/{told.tasks[0].pk}/"
    client.post(url, {"do": "force"})
    assert not Told(ours, told.enrollment).sent
    for _ in range(2):
        client.post(url, {"do": "force", "understood": "1"})
    after = Told(ours, told.enrollment)
    assert after.sent == [("text", "hola Rosa Quispe")] and after.state[0] == "done"
    with ours.transaction():
        facts = StepRun.objects.get(action="force").facts
    assert facts["price"] == "US$0.0300" and facts["held_because"] == "budget" and facts["by"]
    story = client.get(f"/enrollments/{told.enrollment.pk}/").content.decode()
    assert "US$0.0300" in story


def test_an_agent_may_not(ours, begin, client, monkeypatch):
    monkeypatch.setattr("tenants.clock.now", lambda: NOON + timedelta(hours=2))
    told = held(ours, begin)
    client.force_login(ours.ana.user)
    assert 'value="force"' not in client.get("/pending/").content.decode()
    assert client.post(f"/pending/{told.tasks[0].pk}/", {"do": "force", "understood": "1"}).status_code == 403
    assert not Told(ours, told.enrollment).sent


def test_what_others_spent_counts_too(ours, begin):
    enrollment = begin(step(hours=1))
    limit(ours, "1")
    with ours.transaction():
        outbound(conversation(ours), at=NOON, cost_amount=Decimal("0.98"), cost_currency="USD")
    run(1)
    assert Told(ours, enrollment).state == ("task", 0, "budget")
