"""Handing over what the contacts chosen on the list have open: who may, how many, and what is said of it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm import live
from crm.models import Activity, Conversation
from tenants import clock
from tests.crm.views.talk import conversation
from tests.crm.views.wizard import ENGLISH

pytestmark = pytest.mark.django_db


@pytest.fixture
def talks(ours) -> list[Conversation]:
    """Three of sales and one of support that are open, and a closed one."""
    now = clock.now()
    with ours.transaction():
        return [
            *(conversation(ours, f"C{n}", now=now) for n in range(3)),
            conversation(ours, "S", now=now, queue=ours.support, assignee=ours.luis),
            conversation(ours, "X", now=now, status="closed"),
        ]


@pytest.fixture
def told(monkeypatch) -> list[list]:
    facts: list[list] = []
    monkeypatch.setattr(live, "publish", lambda _tenant, changes: facts.append([each.as_fact() for each in changes]))
    return facts


def ask(client, membership, talks, **query):
    client.force_login(membership.user)
    chosen = {"contact": [talk.contact_id for talk in talks]}
    return client.get("/contacts/hand-over/", chosen | query, headers=ENGLISH)


def hand_over(client, membership, talks, **fields):
    client.force_login(membership.user)
    chosen = {"contact": [talk.contact_id for talk in talks], "next": "/contacts/?sort=name"}
    return client.post("/contacts/hand-over/", chosen | fields, headers=ENGLISH)


def said(client, answer) -> str:
    assert answer.status_code == 302
    return " ".join(map(str, client.get(answer.url, headers=ENGLISH).context["messages"]))


def places(company) -> dict[str, tuple[str, str]]:
    with company.transaction():
        rows = Conversation.objects.select_related("contact", "queue", "assignee__user")
        return {row.contact.name: (row.queue.name, str(row.assignee or "")) for row in rows}


def test_it_says_how_many_before_anything_happens(client, ours, talks):
    shown = ask(client, ours.supervisor, talks).content.decode()

    assert "4 conversations that are not closed" in shown and "5 contacts chosen" in shown
    assert "1 of the contacts has none" in shown and "Hand over 4 conversations" in shown
    assert places(ours)["C0"] == ("Ventas", "")


def test_to_a_queue_and_somebody_there(client, ours, talks, told):
    answer = hand_over(client, ours.supervisor, talks, queue=ours.support.pk, assignee=ours.luis.pk)

    assert answer.url == "/contacts/?sort=name"
    assert said(client, answer) == "3 conversations handed over. 1 was there already."
    assert places(ours) == dict.fromkeys(("C0", "C1", "C2", "S"), ("Soporte", "Luis")) | {"X": ("Ventas", "")}
    with ours.transaction():
        notes = Activity.objects.values_list("kind", "actor", "facts__queue", "facts__assignee")
        assert set(notes) == {("transferred", ours.supervisor.pk, "Soporte", "Luis")} and len(notes) == 3
    assert len(told) == 1 and len(told[0]) == 3
    for _id, queues, owners in told[0]:
        assert (set(queues), owners) == ({str(ours.sales.pk), str(ours.support.pk)}, [str(ours.luis.pk)])


def test_to_a_queue_and_nobody_yet(client, ours, talks):
    hand_over(client, ours.supervisor, talks, queue=ours.sales.pk)

    assert places(ours)["S"] == ("Ventas", "")


def test_to_a_person_each_stays_in_its_queue_and_what_they_may_not_answer_stays(client, ours, talks):
    answer = hand_over(client, ours.supervisor, talks, assignee=ours.ana.pk)

    assert said(client, answer) == "3 conversations handed over. 1 stays where it is: Ana is not in its queue."
    assert places(ours)["C0"] == ("Ventas", "Ana") and places(ours)["S"] == ("Soporte", "Luis")
    with ours.transaction():
        assert set(Activity.objects.values_list("kind", flat=True)) == {"assigned"}


def test_an_agent_hands_over_what_they_see_and_nothing_else(client, ours, talks):
    assert "3 conversations" in ask(client, ours.ana, talks).content.decode()

    hand_over(client, ours.ana, talks, queue=ours.support.pk)

    assert {name for name, place in places(ours).items() if place == ("Soporte", "")} == {"C0", "C1", "C2"}
    assert places(ours)["S"] == ("Soporte", "Luis")


@pytest.mark.parametrize("who", ["luis", "inactive", "theirs"])
def test_who_is_not_in_the_queue_gets_nothing(client, ours, theirs, talks, who):
    person = {"luis": ours.luis, "inactive": ours.ana, "theirs": theirs.ana}[who]
    if who == "inactive":
        with ours.transaction():
            person.is_active = False
            person.save(update_fields=["is_active"])

    answer = hand_over(client, ours.supervisor, talks, queue=ours.sales.pk, assignee=person.pk)

    assert answer.status_code == 422 and "field__error" in answer.content.decode()
    assert places(ours)["C0"] == ("Ventas", "")


def test_without_a_place_or_anybody_it_asks_again(client, ours, talks):
    nowhere = hand_over(client, ours.supervisor, talks)
    assert nowhere.status_code == 422 and "Choose a queue or a person." in nowhere.content.decode()
    assert "Choose somebody first." in said(client, ask(client, ours.supervisor, []))
    assert "Nothing to hand over" in ask(client, ours.supervisor, talks[4:]).content.decode()


def test_another_companys_contacts_are_not_chosen(client, ours, theirs, talks):
    with theirs.transaction():
        stranger = conversation(theirs, "Strange", now=clock.now())

    hand_over(client, ours.supervisor, [*talks[:1], stranger], queue=ours.support.pk)

    assert places(theirs)["Strange"] == ("Ventas", "")
    assert places(ours)["C0"] == ("Soporte", "")


def test_many_take_as_many_statements_as_one(client, ours):
    def handed(first: int, last: int) -> int:
        with ours.transaction():
            talks = [conversation(ours, f"N{n}", now=clock.now()) for n in range(first, last)]
        with CaptureQueriesContext(connection) as queries:
            answer = hand_over(client, ours.supervisor, talks, queue=ours.support.pk)
        assert answer.status_code == 302
        return len(queries)

    handed(0, 1)
    assert handed(1, 2) == handed(2, 152)


def test_the_list_offers_it(client, ours, talks):
    client.force_login(ours.ana.user)
    assert "/contacts/hand-over/" in client.get("/contacts/").content.decode()
