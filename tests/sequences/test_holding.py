"""A suspected block holds back what sends by itself, and lets it go when the suspicion is over."""

from datetime import timedelta

import pytest

from crm.models import Conversation
from crm.signals import suspicion_changed
from sequences import enrolling, runner
from sequences.models import Enrollment, EnrollmentState, StepRun
from sequences.schedule import Action, Why
from tests.crm.views.talk import NOON
from tests.sequences.conftest import step

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def suspect(company, enrollment: Enrollment, level: str, *, at=NOON) -> Enrollment:
    with company.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(suspicion=level)
        suspicion_changed.send(None, tenant_id=company.tenant.pk, levels={enrollment.conversation_id: level}, at=at)
        enrollment.refresh_from_db()
    return enrollment


def test_probable_pauses_very_likely_stops_and_possible_does_nothing(ours, begin):
    enrollment = begin(step(), step(hours=2))
    assert suspect(ours, enrollment, "possible").state == EnrollmentState.ACTIVE
    assert suspect(ours, enrollment, "probable").state == EnrollmentState.PAUSED
    assert (enrollment.reason, enrollment.due_at) == (Why.BLOCKED, None)
    assert suspect(ours, enrollment, "very_likely", at=NOON + HOUR).state == EnrollmentState.STOPPED
    assert enrollment.ended_at == NOON + HOUR
    with ours.transaction():
        told = StepRun.objects.filter(enrollment=enrollment).order_by("at").values_list("action", "why", "facts")
        assert list(told) == [
            (Action.PAUSE, Why.BLOCKED, {"suspicion": "probable"}), (Action.STOP, Why.BLOCKED, {"suspicion": "very_likely"}),
        ]  # fmt: skip


def test_when_nothing_speaks_for_it_any_more_it_goes_on(ours, begin):
    enrollment = suspect(ours, begin(step()), "probable")
    assert suspect(ours, enrollment, "", at=NOON + HOUR).state == EnrollmentState.ACTIVE
    assert enrollment.due_at == NOON + HOUR


def test_whoever_wrote_meanwhile_is_paused_by_that(ours, begin):
    enrollment = suspect(ours, begin(step()), "probable")
    with ours.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(last_inbound_at=NOON + HOUR)
    assert suspect(ours, enrollment, "", at=NOON + HOUR).state == EnrollmentState.PAUSED
    assert enrollment.reason == Why.REPLIED


def test_what_a_person_paused_stays_paused(ours, begin):
    enrollment = begin(step())
    with ours.transaction():
        enrolling.pause(enrollment)
    suspect(ours, enrollment, "probable")
    assert suspect(ours, enrollment, "").reason == Why.BY_HAND


@pytest.mark.parametrize(("level", "state"), [("probable", "paused"), ("very_likely", "stopped"), ("possible", "done")])
def test_a_step_that_is_due_asks_itself_too(ours, begin, level, state):
    """Somebody may begin a sequence with a person who is suspected already."""
    enrollment = begin(step(), talk={"suspicion": level})
    runner.run_due(NOON + HOUR)
    with ours.transaction():
        enrollment.refresh_from_db()
        assert enrollment.state == state
