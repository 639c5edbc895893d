"""Trying a sequence out: what is foretold is what comes about, and a trial is quick and in no report."""

from datetime import timedelta

import pytest

from crm.contacts import change
from crm.models import Conversation
from sequences import enrolling, runner, trying
from sequences.definition import Delay, Step, Unit, Variant
from sequences.models import Enrollment, Sequence, StepRun, Trigger
from tenants.models import Tenant
from tests.cast import signed_in
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import Told, approve, build, run, step

pytestmark = pytest.mark.django_db

STEPS = (
    step("uno {name}", hours=1),
    step("dos", template="carrito", hours=30),
    Step("", Delay(2, Unit.DAYS, at="09:30"), (Variant(text="llámalo"),), is_manual=True),
    Step("", Delay(weekday=1, at="10:00"), (Variant(text="tres"),), closed="skip"),
    step("cuatro", template="no_aprobada", hours=5),
)


def foretold(company, talk: Conversation, sequence: Sequence) -> list[trying.Foreseen]:
    with company.transaction():
        tenant = Tenant.objects.get(pk=company.tenant.pk)
        person = Conversation.objects.select_related("contact", "number").get(pk=talk.pk)
        return trying.foresee(sequence.version.content, person, tenant, NOON)


def came_about(company, enrollment: Enrollment) -> list[tuple]:
    """Run it to its end, each task done as soon as it is there."""
    for _ in range(40):
        with company.transaction():
            now = Enrollment.objects.get(pk=enrollment.pk)
        if now.due_at is None:
            break
        runner.run_due(now.due_at)
        with company.transaction():
            enrolling.go_on(Enrollment.objects.get(pk=enrollment.pk), ("task",), now=now.due_at)
    with company.transaction():
        return [(one.position, one.action, one.why, one.at) for one in StepRun.objects.filter(enrollment=enrollment)]


@pytest.mark.parametrize("rules", [{}, {"quiet_from": "20:00", "quiet_to": "09:00", "weekdays": (0, 1, 2, 3, 4)}])
def test_what_is_foretold_comes_about(ours, begin, rules):
    with ours.transaction():
        approve(ours)
        sequence = build(ours, *STEPS, **rules)
    enrollment = begin(*STEPS)
    with ours.transaction():
        talk = Conversation.objects.get(pk=enrollment.conversation_id)
    seen = foretold(ours, talk, sequence)
    assert [each.decision.action for each in seen] == ["send", "template", "task", "skip", "task"]
    assert [each.said for each in seen[:3]] == ["uno Rosa Quispe", "Hola Rosa Quispe, tu carrito espera.", "llámalo"]
    assert came_about(ours, enrollment) == [
        (place, each.decision.action, each.decision.why, each.at) for place, each in enumerate(seen)
    ]


def test_it_ends_where_something_ends_it(ours):
    with ours.transaction():
        sequence, talk = build(ours, *STEPS, stop_label="compró"), conversation(ours)
        change(talk.contact, {"labels": ["compró"]}, now=NOON)
    assert [(each.decision.action, each.decision.why) for each in foretold(ours, talk, sequence)] == [("stop", "label")]


def test_a_trial_takes_a_minute_a_step_and_no_rest(ours):
    with ours.transaction():
        sequence, talk = (
            build(ours, step("uno", hours=24), step("dos", hours=24), quiet_from="00:00", quiet_to="23:59"),
            conversation(ours),
        )
        assert enrolling.enroll(sequence, [talk], now=NOON, is_trial=True) == 1
        enrollment = Enrollment.objects.get()
    run()
    assert Told(ours, enrollment).sent == [("text", "uno")]
    run(59 / 3600)
    assert len(Told(ours, enrollment).sent) == 1
    run(60 / 3600)
    assert Told(ours, enrollment).state == ("done", 1, "finished")
    assert Told(ours, enrollment).sent == [("text", "uno"), ("text", "dos")]


def test_a_trial_keeps_nobody_from_beginning_it(ours):
    with ours.transaction():
        sequence = build(ours, step("uno"), trigger=Trigger.FIRST_MESSAGE, activated_at=NOON - timedelta(hours=2))
        talk = conversation(ours)
        Conversation.objects.update(created_at=NOON)
        enrolling.enroll(sequence, [talk], now=NOON, is_trial=True)
    run()
    with ours.transaction():
        assert enrolling.enroll_by_trigger(NOON) == 1


def test_the_page_shows_it_and_sends_it_on_request(ours, monkeypatch):
    monkeypatch.setattr("tenants.clock.now", lambda: NOON)
    with ours.transaction():
        sequence, talk = build(ours, step("uno {first_name}", hours=3)), conversation(ours)
        conversation(ours, "Otra Persona", last_message_at=NOON - timedelta(days=9))
    supervisor, address = signed_in(ours.supervisor), f"/sequences/{sequence.pk}/try/"
    page = supervisor.get(address).content.decode()
    assert "«uno Rosa»" in page
    with ours.transaction():
        assert not Enrollment.objects.exists()
    assert "«uno Otra»" not in supervisor.get(f"{address}?q=otra").content.decode()
    assert "Otra Persona" in supervisor.get(f"{address}?q=otra").content.decode()

    answer = supervisor.post(address, {"person": str(talk.pk)})
    supervisor.post(address, {"person": str(talk.pk)})
    with ours.transaction():
        only = Enrollment.objects.get()
        assert (only.is_trial, only.due_at, answer.url) == (True, NOON, f"/enrollments/{only.pk}/")
    assert signed_in(ours.ana).get(address).status_code == 403
    assert supervisor.get(f"{address}?person=nonsense").status_code == 200


def test_an_empty_sequence_is_not_tried(ours):
    with ours.transaction():
        sequence = Sequence.objects.create(tenant=ours.tenant, name="Vacía")
    assert signed_in(ours.supervisor).get(f"/sequences/{sequence.pk}/try/").url == f"/sequences/{sequence.pk}/"
