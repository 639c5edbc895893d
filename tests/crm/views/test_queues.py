"""A queue beside the page of numbers: who changes it, what is kept of it, and what the table says."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm import bells, distributing
from crm.models import Conversation
from tenants import clock
from tenants.models import Queue, QueueMember
from tests.crm.views.talk import NOON, conversation
from tests.crm.views.wizard import ENGLISH, signed_in

pytestmark = pytest.mark.django_db
WEEK = {f"day_{n}": "" for n in range(7)}


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """Tuesday 24 November, 12:00 in Lima."""
    monkeypatch.setattr(clock, "now", lambda: NOON)


def written(company, **fields):
    people = {"members": [company.ana.pk], "turns": [company.ana.pk]}
    return {"name": "Ventas", "distribution": "by_turns", "most_each": "", "when": "always", **WEEK, **people, **fields}


def save(client, company, *, who="admin", queue="sales", **fields):
    signed_in(client, getattr(company, who))
    url = f"/queues/{getattr(company, queue).pk}/" if queue else "/queues/new/"
    return client.post(url, written(company, **fields), headers=ENGLISH)


def page(client, membership, url: str = "/numbers/", headers=ENGLISH) -> str:
    return signed_in(client, membership).get(url, headers=headers).content.decode()


def kept(company, name: str = "Ventas") -> Queue:
    with company.transaction():
        return Queue.objects.get(name=name)


@pytest.mark.parametrize(
    ("who", "reads", "writes"), [("owner", 200, 302), ("admin", 200, 302), ("supervisor", 200, 403), ("ana", 403, 403)]
)
def test_supervisors_look_and_who_administers_changes(client, ours, who, reads, writes):
    assert signed_in(client, getattr(ours, who)).get(f"/queues/{ours.sales.pk}/").status_code == reads
    assert save(client, ours, who=who).status_code == writes
    assert save(client, ours, who=who, queue=None, name="Nueva").status_code == writes


def test_a_supervisor_sees_no_button_that_would_not_work(client, ours):
    said = page(client, ours.supervisor, f"/queues/{ours.sales.pk}/")

    assert "disabled" in said and ">Save<" not in said and "New queue" not in said


@pytest.mark.parametrize("of", ["theirs", "triage"])
def test_what_is_not_ours_or_is_triage_is_not_there(client, ours, theirs, of):
    queue = theirs.sales if of == "theirs" else ours.triage

    assert signed_in(client, ours.owner).get(f"/queues/{queue.pk}/").status_code == 404


def test_hours_way_and_people_are_kept_and_shown(client, ours):
    answer = save(
        client, ours, distribution="least_busy", most_each="8", when="hours", timezone="America/Sao_Paulo",
        **{f"day_{n}": "9-13, 15-19" for n in range(5)}, day_5="9:30–13", members=[ours.ana.pk, ours.luis.pk],
        turns=[ours.luis.pk],
    )  # fmt: skip

    assert answer.url == f"/queues/{ours.sales.pk}/"
    queue = kept(ours)
    assert (queue.distribution, queue.most_each, queue.timezone) == ("least_busy", 8, "America/Sao_Paulo")
    assert len(queue.hours) == 11 and [5, "09:30", "13:00"] in queue.hours
    with ours.transaction():
        seats = dict(QueueMember.objects.filter(queue=queue).values_list("membership", "takes_turns"))
    assert seats == {ours.ana.pk: False, ours.luis.pk: True}
    said = page(client, ours.supervisor)
    assert "Mon–Fri 9:00–13:00, 15:00–19:00 · Sat 9:30–13:00 (Sao Paulo)" in said
    assert "Least busy first" in said and '<td class="n">8</td>' in said
    again = page(client, ours.admin, answer.url)
    assert 'value="9:30–13:00"' in again and 'value="hours"' in again


def test_the_days_are_named_in_the_language_of_who_reads(client, ours):
    save(client, ours, when="hours", **{f"day_{n}": "9-19" for n in range(6)})

    assert "lun–sáb 9:00–19:00" in page(client, ours.admin, headers={"accept-language": "es"}).lower()


def test_always_open_forgets_the_hours(client, ours):
    save(client, ours, when="hours", day_0="9-19")
    save(client, ours, when="always", day_0="9-19")

    assert kept(ours).hours == []


@pytest.mark.parametrize(("fields", "said"), [
    ({"name": "soporte"}, "There is one with this name."),
    ({"name": " "}, "This field is required."),
    ({"when": "hours", "day_0": "nine"}, "Write it like 9:00–13:00, 15:00–19:00."),
    ({"when": "hours"}, "Write the hours of at least one day"),
    ({"most_each": "0"}, "greater than or equal to 1"),
    ({"distribution": "dice"}, "Select a valid choice"),
    ({"timezone": "Mars/Olympus"}, "Select a valid choice"),
])  # fmt: skip
def test_what_cannot_be_is_said_and_nothing_is_lost(client, ours, fields, said):
    answer = save(client, ours, **fields)

    assert answer.status_code == 422
    shown = answer.content.decode()
    assert said in shown
    assert f'value="{fields.get("day_0", "")}"' in shown or "day_0" not in fields
    assert kept(ours).distribution == "by_hand"


def test_another_companys_people_are_not_seated(client, ours, theirs):
    assert save(client, ours, members=[theirs.ana.pk]).status_code == 422


def test_whoever_leaves_loses_their_seat_and_whose_turn_it_is_stays(client, ours):
    with ours.transaction():
        QueueMember.objects.create(tenant=ours.tenant, queue=ours.sales, membership=ours.luis)
        QueueMember.objects.filter(membership=ours.ana, queue=ours.sales).update(given_at=NOON)

    save(client, ours)

    with ours.transaction():
        assert QueueMember.objects.get(queue=ours.sales).given_at == NOON


def test_a_new_queue_with_its_people(client, ours):
    answer = save(client, ours, queue=None, name=" Cobranzas ", members=[ours.luis.pk], turns=[])

    queue = kept(ours, "Cobranzas")
    assert answer.url == f"/queues/{queue.pk}/"
    with ours.transaction():
        seat = QueueMember.objects.get(queue=queue)
        assert (seat.membership_id, seat.takes_turns) == (ours.luis.pk, False)


def test_the_page_says_until_when_a_queue_is_closed_and_who_waits(client, ours):
    save(client, ours, when="hours", day_1="13-19")
    with ours.transaction():
        conversation(ours, now=NOON)
        conversation(ours, "Owned", now=NOON, assignee=ours.ana)

    for url in ("/numbers/", f"/queues/{ours.sales.pk}/"):
        said = page(client, ours.supervisor, url)
        assert "closed until today 13:00" in said and "1 waits" in said
    assert "wait in the queue and nobody is given them" in said


def test_the_page_says_when_nobody_has_room(client, ours):
    save(client, ours, most_each="1")
    with ours.transaction():
        for _ in range(3):
            conversation(ours, now=NOON)
    assert distributing.run(NOON) == 1

    assert "2 wait for somebody who has room" in page(client, ours.supervisor)


def test_what_was_saved_is_what_is_done(client, ours, monkeypatch, django_capture_on_commit_callbacks):
    rung: list[str] = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: rung.append(task.name))
    with ours.transaction():
        conversation(ours, now=NOON)
    with django_capture_on_commit_callbacks(execute=True):
        save(client, ours, when="hours", day_1="13-19")

    assert rung == ["crm.bells.distribute"]
    assert distributing.run(NOON) == 0
    assert distributing.run(NOON + timedelta(hours=1)) == 1
    with ours.transaction():
        assert Conversation.objects.get().assignee == ours.ana


def test_the_page_asks_as_often_however_many_queues(client, ours, django_assert_num_queries):
    signed_in(client, ours.supervisor)
    with CaptureQueriesContext(connection) as before:
        client.get("/numbers/")
    with ours.transaction():
        Queue.objects.bulk_create(
            Queue(tenant=ours.tenant, name=f"Q{n}", hours=[[1, "09:00", "19:00"]]) for n in range(20)
        )

    with django_assert_num_queries(len(before)):
        client.get("/numbers/")
