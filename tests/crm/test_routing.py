"""Who answers a conversation, and whether it is open: each change is written, noted once, and told to who had it and has it."""

from datetime import timedelta

import pytest

from crm import bells, live, routing
from crm.models import Activity, Conversation, ConversationStatus, Episode
from crm.routing import CannotRoute
from tenants.context import tenant_transaction
from tests.crm.outbound.conftest import now, talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(monkeypatch) -> list[list]:
    """The facts that open pages would have got, as (queues, assignees) of each."""
    facts: list[list] = []
    monkeypatch.setattr(live, "publish", lambda tenant_id, changes: facts.extend(c.as_fact()[1:] for c in changes))
    return facts


@pytest.fixture
def rosa(ours, told) -> Conversation:
    conversation = talk(ours)
    told.clear()
    return conversation


def stored() -> Conversation:
    return Conversation.objects.get()


def noted() -> list[tuple]:
    return [(note.kind, note.actor, note.facts) for note in Activity.objects.order_by("at", "pk")]


def test_a_member_of_the_queue_becomes_the_owner(ours, rosa, told):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=ours.ana, actor=ours.supervisor, now=now())

        assert stored().assignee == ours.ana
        assert noted() == [("assigned", ours.supervisor, {"assignee": "Ana"})]
    assert told == [[[str(ours.sales.pk)] * 2, [str(ours.ana.pk)]]]


def test_assigning_whom_it_has_already_changes_nothing(ours, rosa, told):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=None, actor=ours.ana, now=now())

        assert noted() == []
    assert told == []


def test_letting_go_tells_who_had_it(ours, rosa, told):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=ours.ana, actor=ours.ana, now=now())
        told.clear()
        routing.assign(conversation=rosa, assignee=None, actor=ours.ana, now=now())

        assert stored().assignee is None
        assert noted()[-1][0] == "unassigned"
    assert str(ours.ana.pk) in told[0][1]


@pytest.mark.parametrize("who", ["luis", "inactive", "theirs"])
def test_who_may_not_see_the_queue_cannot_own_its_conversations(ours, theirs, rosa, who):
    person = {"luis": ours.luis, "inactive": ours.ana, "theirs": theirs.ana}[who]
    person.is_active = who != "inactive"
    with ours.transaction(), pytest.raises(CannotRoute) as refused:
        routing.assign(conversation=rosa, assignee=person, actor=ours.supervisor, now=now())

    assert str(refused.value.explanation)
    with ours.transaction():
        assert stored().assignee is None
        assert noted() == []


@pytest.mark.parametrize("who", ["owner", "admin", "supervisor"])
def test_who_sees_everything_can_own_anything(ours, rosa, who):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=getattr(ours, who), actor=None, now=now())

        assert stored().assignee == getattr(ours, who)


def test_a_transfer_leaves_the_owner_behind_and_tells_both_queues(ours, rosa, told):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=ours.ana, actor=ours.ana, now=now())
        told.clear()
        routing.transfer(conversation=rosa, queue=ours.support, actor=ours.ana, now=now())

        assert (stored().queue, stored().assignee) == (ours.support, None)
        assert noted()[-1] == ("transferred", ours.ana, {"queue": "Soporte", "assignee": ""})
    assert [set(ids) for ids in told[0]] == [{str(ours.sales.pk), str(ours.support.pk)}, {str(ours.ana.pk)}]


def test_a_transfer_to_a_person_needs_them_in_the_new_queue(ours, rosa):
    with ours.transaction():
        with pytest.raises(CannotRoute):
            routing.transfer(conversation=rosa, queue=ours.support, assignee=ours.ana, actor=None, now=now())
        assert (stored().queue, stored().assignee) == (ours.sales, None)

        routing.transfer(conversation=rosa, queue=ours.support, assignee=ours.luis, actor=None, now=now())
        assert (stored().queue, stored().assignee) == (ours.support, ours.luis)


def test_a_transfer_to_where_it_is_changes_nothing(ours, rosa, told):
    with ours.transaction():
        routing.transfer(conversation=rosa, queue=ours.sales, actor=ours.ana, now=now())

        assert noted() == []
    assert told == []


def test_closing_ends_the_episode_the_waiting_and_the_unread(ours, rosa, told):
    moment = now()
    with ours.transaction():
        routing.close(conversation=rosa, actor=ours.ana, now=moment)
        routing.close(conversation=stored(), actor=ours.luis, now=moment + timedelta(hours=1))

        conversation, episode = stored(), Episode.objects.get()
        assert (conversation.status, conversation.waiting_since, conversation.unread_count) == ("closed", None, 0)
        assert (episode.closed_at, episode.closed_by) == (moment, ours.ana)
        assert [note[:2] for note in noted()] == [("closed", ours.ana)]
    assert len(told) == 1


def test_reopening_begins_a_new_episode_once(ours, rosa):
    with ours.transaction():
        routing.close(conversation=rosa, actor=ours.ana, now=now())
        routing.reopen(conversation=rosa, actor=ours.luis, now=now())
        routing.reopen(conversation=rosa, actor=ours.luis, now=now())

        assert stored().status == ConversationStatus.OPEN
        assert Episode.objects.count() == 2
        assert Episode.objects.get(closed_at=None).opened_by_customer is False
        assert [note[0] for note in noted()] == ["closed", "reopened"]


def test_a_snooze_ends_when_its_time_comes_or_the_customer_writes(ours, rosa):
    moment = now()
    with ours.transaction():
        with pytest.raises(CannotRoute):
            routing.snooze(conversation=rosa, until=moment, actor=ours.ana, now=moment)
        routing.snooze(conversation=rosa, until=moment + timedelta(hours=1), actor=ours.ana, now=moment)
        assert (stored().status, stored().snoozed_until) == ("snoozed", moment + timedelta(hours=1))

    assert bells.wake() == 0
    talk(ours)

    with ours.transaction():
        assert (stored().status, stored().snoozed_until) == ("open", None)
        assert Episode.objects.count() == 1


def test_a_snooze_that_is_over_comes_back_by_itself_once(ours, theirs, rosa):
    luz = talk(theirs)
    moment = now()
    for company, conversation, ago in ((ours, rosa, 2), (theirs, luz, 1)):
        with company.transaction():
            routing.snooze(
                conversation=conversation,
                until=moment - timedelta(minutes=ago),
                actor=None,
                now=moment - timedelta(hours=1),
            )

    assert bells.wake() == 2
    assert bells.wake() == 0

    for company in (ours, theirs):
        with company.transaction():
            assert (stored().status, stored().snoozed_until) == ("open", None)
            assert [note[0] for note in noted()] == ["snoozed", "woken"]


def test_reading_tells_the_pages_once(ours, rosa, told):
    with ours.transaction():
        routing.mark_read(conversation=rosa, now=now())
        routing.mark_read(conversation=rosa, now=now())

        assert stored().unread_count == 0
    assert len(told) == 1


def test_a_conversation_of_another_company_cannot_be_routed(ours, theirs, rosa):
    with tenant_transaction(theirs.tenant.pk):
        routing.close(conversation=rosa, actor=theirs.owner, now=now())

    with ours.transaction():
        assert stored().status == "open"
