"""What waits in a queue is given to its people, the queue's way, while it is open, and to each no more than is said."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection

from crm import bells, distributing, inbound, live, routing
from crm.distributing import Hand, share
from crm.models import Activity, Conversation
from tenants.models import Distribution, Membership, Queue, QueueMember
from tests import meta
from tests.crm.sharing import arrange, owners, waiting
from tests.crm.views.talk import NOON, conversation

pytestmark = pytest.mark.django_db
TURNS, BUSY = Distribution.BY_TURNS, Distribution.LEAST_BUSY
A, B, C = (UUID(int=n) for n in (1, 2, 3))
# NOON is Tuesday 24 November, 12:00 in Lima.
TUESDAY, MONDAY = [[1, "09:00", "19:00"]], [[0, "09:00", "19:00"]]


def test_by_turns_whoever_waited_longest_is_next():
    hands = [Hand(A, 9, NOON), Hand(B, 0, NOON - timedelta(hours=1)), Hand(C, 3)]

    assert list(share(hands, 7, distribution=TURNS)) == [C, B, A, C, B, A, C]


def test_the_least_busy_are_filled_up_first():
    hands = [Hand(A, 2), Hand(B, 0), Hand(C, 1)]

    assert list(share(hands, 6, distribution=BUSY)) == [B, C, B, A, C, B]


@pytest.mark.parametrize("way", [TURNS, BUSY])
def test_nobody_gets_more_than_the_most(way):
    given = Counter(share([Hand(A, 1), Hand(B, 3), Hand(C, 0)], 99, distribution=way, most_each=3))

    assert given == {A: 2, C: 3}
    assert list(share([], 3, distribution=way)) == []


@pytest.fixture
def told(monkeypatch) -> list[list]:
    facts: list[list] = []
    monkeypatch.setattr(live, "publish", lambda _tenant, changes: facts.append([each.as_fact() for each in changes]))
    return facts


def test_what_waits_is_given_by_turns_noted_and_told(ours, told):
    arrange(ours)
    talks = waiting(ours, 3)

    assert distributing.run(NOON) == 3

    assert owners(ours) == ["Ana", "P1", "Ana"]
    with ours.transaction():
        notes = Activity.objects.order_by("conversation__waiting_since").values_list("kind", "actor", "facts__assignee")
        assert list(notes) == [("assigned", None, "Ana"), ("assigned", None, "P1"), ("assigned", None, "Ana")]
    assert [sorted(fact[0] for fact in facts) for facts in told] == [sorted(str(talk.pk) for talk in talks)]
    assert distributing.run(NOON) == 0


def test_the_next_round_goes_on_with_who_is_next(ours):
    arrange(ours)
    waiting(ours, 3)
    distributing.run(NOON)
    with ours.transaction():
        talk = conversation(ours, "later", wrote_at=NOON)

    distributing.run(NOON + timedelta(minutes=1))

    with ours.transaction():
        assert str(Conversation.objects.get(pk=talk.pk).assignee) == "P1"


def test_the_least_busy_gets_the_next(ours):
    _ana, other = arrange(ours, distribution=BUSY)
    waiting(ours, 2, assignee=other)
    with ours.transaction():
        conversation(ours, "closed", assignee=ours.ana, status="closed", queue=ours.support)
        talks = [conversation(ours, f"new {n}", wrote_at=NOON + timedelta(seconds=n)) for n in range(3)]

    distributing.run(NOON)

    with ours.transaction():
        found = Conversation.objects.in_bulk([talk.pk for talk in talks])
        assert [found[talk.pk].assignee_id for talk in talks][:2] == [ours.ana.pk, ours.ana.pk]


@pytest.mark.parametrize(("values", "given"), [
    ({"hours": TUESDAY}, 1), ({"hours": MONDAY}, 0), ({"hours": []}, 1), ({"distribution": "by_hand"}, 0),
    ({"hours": [[1, "09:00", "12:00"]]}, 0), ({"hours": [[1, "09:00", "12:00"]], "timezone": "America/Mexico_City"}, 1),
    ({"most_each": 1}, 1),
])  # fmt: skip
def test_only_while_it_is_open_and_shares_out(ours, values, given):
    arrange(ours, **values)
    waiting(ours)

    assert distributing.run(NOON) == given
    assert owners(ours) == ["Ana" if given else ""]


def test_what_came_at_night_is_given_when_it_opens(ours):
    arrange(ours, hours=[[1, "13:00", "19:00"]])
    waiting(ours, 2)

    assert distributing.run(NOON) == 0
    assert distributing.run(NOON + timedelta(minutes=59, seconds=59)) == 0
    assert distributing.run(NOON + timedelta(hours=1)) == 2


def test_who_has_no_room_gets_one_when_one_is_closed(ours):
    arrange(ours, people=1, most_each=1)
    first, _second = waiting(ours, 2)
    assert distributing.run(NOON) == 1
    assert distributing.run(NOON) == 0

    with ours.transaction():
        routing.close(conversation=Conversation.objects.get(pk=first.pk), actor=ours.ana, now=NOON)

    assert distributing.run(NOON) == 1


@pytest.mark.parametrize("fields", [{"status": "snoozed"}, {"status": "closed"}, {"waiting_since": None}])
def test_who_does_not_wait_is_given_to_nobody(ours, fields):
    arrange(ours)
    waiting(ours, 1, **fields)

    assert distributing.run(NOON) == 0


def test_who_rests_has_left_or_answers_elsewhere_is_given_nothing(ours):
    _ana, resting, gone = arrange(ours, people=3)
    with ours.transaction():
        QueueMember.objects.filter(membership=resting).update(takes_turns=False)
        Membership.objects.filter(pk=gone.pk).update(is_active=False)
    waiting(ours, 3)

    distributing.run(NOON)

    assert set(owners(ours)) == {"Ana"}


def test_a_queue_without_people_keeps_them(ours):
    arrange(ours)
    with ours.transaction():
        QueueMember.objects.filter(queue=ours.sales).delete()
    waiting(ours)

    assert distributing.run(NOON) == 0


def test_triage_and_other_companies_are_left_alone(ours, theirs):
    arrange(ours)
    with theirs.transaction():
        Queue.objects.filter(is_triage=True).update(distribution=TURNS)
        QueueMember.objects.create(tenant=theirs.tenant, queue=theirs.triage, membership=theirs.ana)
        conversation(theirs, "x", queue=theirs.triage)
        conversation(theirs, "y")
    waiting(ours)

    assert distributing.run(NOON) == 1
    assert owners(theirs) == ["", ""]


def test_more_than_a_page_is_given_with_a_few_statements(ours, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(distributing, "PAGE", 20)
    arrange(ours, people=3)
    waiting(ours, 50)

    with django_assert_max_num_queries(60):
        assert distributing.run(NOON) == 50

    assert Counter(owners(ours)).values() and max(Counter(owners(ours)).values()) == 17


def test_a_message_that_comes_in_rings_for_it(ours, monkeypatch, django_capture_on_commit_callbacks):
    rung: list[str] = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: rung.append(task.name))
    meta.store(meta.body(meta.messages(meta.text())))

    with django_capture_on_commit_callbacks(execute=True):
        inbound.drain()

    assert "crm.bells.distribute" in rung


def test_what_is_asked_for_each_queue_goes_by_the_index(ours):
    arrange(ours)
    with ours.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        waiting_now = Conversation.objects.unowned().filter(queue=ours.sales).order_by("waiting_since", "pk")
        assert "crm_conversation_unowned" in waiting_now.explain()
