"""Who a person is, also when several workers meet them at the same moment."""

import json
import random
import threading
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from crm import inbound
from crm.inbound import draining, people, statuses
from crm.models import Contact, Conversation, Identity, Message, UnmatchedStatus
from tenants.context import system_transaction
from tests import meta
from tests.at_once import at_once
from tests.cast import Company, found_company
from tests.crm.inbound.people import merge_held, said
from tests.planning import forget_statistics
from whatsapp.events import Person
from whatsapp.models import EventState, WebhookEvent


@pytest.fixture
def company(committed: None) -> Company:
    return found_company("ours", number_id="100000000000001")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"phone": "51900555014"}, {"phone": "51900555014"}),
        ({"user_id": "PE.1"}, {"user_id": "PE.1"}),
        ({"phone": "51900555014", "user_id": "PE.1"}, {"phone": "51900555014"}),
        ({"phone": "51900555014"}, {"phone": "51900555014", "user_id": "PE.1"}),
        ({"phone": "5511987654321"}, {"phone": "551187654321"}),
    ],
)
def test_two_workers_that_meet_a_new_person_at_once_make_one_contact(company, first, second):
    """The second works while the first has everything written and nothing committed."""
    held, go_on = threading.Event(), threading.Event()

    def other() -> None:
        assert held.wait(10)
        event_id = meta.store(meta.body(said("w2", **second)))
        threading.Timer(0.3, go_on.set).start()  # by then it waits for the first one's row
        draining._drain_one(event_id)

    at_once(merge_held(said("w1", **first), held=held, go_on=go_on), other)

    with company.transaction():
        contact = Contact.objects.get()
        assert set(Identity.objects.values_list("contact_id", flat=True)) == {contact.pk}
        assert Conversation.objects.get().contact == contact
        assert sorted(Message.objects.values_list("provider_message_id", flat=True)) == ["w1", "w2"]
    with system_transaction():
        assert set(WebhookEvent.objects.filter(processed_at__isnull=False).values_list("reason", flat=True)) == {""}


def test_a_new_person_whose_user_id_changes_at_once_is_one_contact(company):
    """The change is merged while the first message is written and not committed."""
    held, go_on = threading.Event(), threading.Event()
    changed = {
        "id": "sys", "timestamp": str(meta.NOON + 1), "type": "system", "from_user_id": "PE.1",
        "system": {"type": "user_changed_user_id", "body": "", "user_id": "PE.2", "previous_user_id": "PE.1"},
    }  # fmt: skip

    def other() -> None:
        assert held.wait(10)
        event_id = meta.store(meta.body(meta.messages(changed, contacts=[])))
        threading.Timer(0.3, go_on.set).start()
        draining._drain_one(event_id)

    at_once(merge_held(said("w1", user_id="PE.1"), held=held, go_on=go_on), other)

    with company.transaction():
        contact = Contact.objects.get()
        assert {each.value: each.contact for each in Identity.objects.all()} == {"PE.1": contact, "PE.2": contact}
        assert Message.objects.filter(conversation=Conversation.objects.get()).count() == 2


def test_a_worker_that_gives_up_leaves_the_person_to_the_other(company):
    held, go_on = threading.Event(), threading.Event()

    def fails() -> None:
        with pytest.raises(ZeroDivisionError), system_transaction(), connection.cursor() as cursor:
            event_id = meta.store(meta.body(said("w1", phone="51900555014")))
            cursor.execute(draining._CLAIM_ONE, [event_id])
            draining._merge_stored(cursor, [draining._stored(cursor.fetchone())])
            held.set()
            go_on.wait(10)
            raise ZeroDivisionError

    def other() -> None:
        assert held.wait(10)
        event_id = meta.store(meta.body(said("w2", phone="51900555014")))
        threading.Timer(0.3, go_on.set).start()
        draining._drain_one(event_id)

    at_once(fails, other)

    with company.transaction():
        assert Identity.objects.get().contact == Contact.objects.get()
        assert [message.provider_message_id for message in Message.objects.all()] == ["w2"]


def test_many_drains_over_the_same_people_and_messages_end_without_a_failure(company, mishaps):
    """Overlapping contacts, conversations, statuses, opt-outs and repetitions on four workers, in small batches."""
    random.seed(7)
    for number in range(240):
        person = number % 12
        phone, user_id = f"5190055{person:04}", f"PE.{person}"
        both = random.choice([{"phone": phone}, {"user_id": user_id}, {"phone": phone, "user_id": user_id}])
        values = [said(f"w{number % 200}", **both, at=meta.NOON + number, name=f"name {number}")]
        if number % 3 == 0:
            words = random.sample(["sent", "delivered", "read", "failed"], 3)
            stopped = {"errors": [{"code": 131050, "title": "stopped"}]}
            values.append(
                meta.statuses(
                    *(
                        meta.status(word, wamid=f"echo{random.randrange(20)}", **(stopped if word == "failed" else {}))
                        for word in words
                    )
                )
            )
        meta.store(meta.body(*values))
    for number in range(20):
        meta.store(echo(number, person=number % 12))

    taken = at_once(*[lambda: inbound.drain(batch=7)] * 4)
    inbound.drain()

    assert sum(taken) >= 260
    assert mishaps == []
    with system_transaction():
        assert set(WebhookEvent.objects.values_list("state", "attempts")) == {(EventState.DONE, 0)}
    with company.transaction():
        texts = Message.objects.filter(direction="inbound")
        assert texts.count() == 200
        assert Message.objects.filter(direction="outbound").count() == 20
        assert Conversation.objects.count() == Contact.objects.filter(conversations__isnull=False).count()
        assert Identity.objects.filter(kind="phone").count() == 12
        assert Identity.objects.filter(kind="bsuid").count() == 12


def echo(number: int, *, person: int) -> dict:
    """What our side wrote to somebody on the phone, as a webhook."""
    said = {"from": "5115550101", "to": f"5190055{person:04}", "id": f"echo{number}", "timestamp": str(meta.NOON),
            "type": "text", "text": {"body": "voy"}}  # fmt: skip
    return meta.body(meta.value(message_echoes=[said]), field="smb_message_echoes")


def merge_two_at_once(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
    """Merge the two webhooks that wait, each by a worker of its own; both come to that function before either goes on."""
    both_came, then, met = threading.Barrier(2), getattr(module, name), threading.local()

    def meet(*arguments: object, **more: object) -> object:
        if not getattr(met, "once", False):
            met.once = True
            both_came.wait(20)
        return then(*arguments, **more)

    monkeypatch.setattr(module, name, meet)
    with system_transaction():
        first, second = WebhookEvent.objects.filter(state=EventState.NEW).values_list("pk", flat=True)
    at_once(lambda: draining._drain_one(first), lambda: draining._drain_one(second))


def test_two_events_that_name_two_people_crosswise_wait_for_each_other_in_one_direction(company, monkeypatch, mishaps):
    """Each brings news of one person and the other's wish to get no marketing."""
    for place in (1, 2):
        meta.store(meta.body(said(f"first{place}", phone=f"5190055000{place}")))
        meta.store(echo(place, person=place))
    inbound.drain()
    stopped = {"errors": [{"code": 131050, "title": "stopped"}]}
    for place, other in ((1, 2), (2, 1)):
        news = said(f"news{place}", phone=f"5190055000{place}", at=meta.NOON + 60, name="otro nombre")
        wish = meta.statuses(meta.status("failed", wamid=f"echo{other}", at=meta.NOON + 60, **stopped))
        meta.store(meta.body(news, wish))

    merge_two_at_once(monkeypatch, people, "hold")

    assert mishaps == []
    with company.transaction():
        assert set(Contact.objects.values_list("profile_name", "marketing_stopped")) == {("otro nombre", True)}
        assert Message.objects.filter(provider_message_id__startswith="news").count() == 2


def test_two_events_that_each_bring_a_message_and_the_others_status_wait_in_one_direction(
    company, monkeypatch, mishaps
):
    """Of both messages statuses are parked already: what one takes out, the other adds to."""
    for place in (1, 2):
        meta.store(meta.body(meta.statuses(meta.status("sent", wamid=f"echo{place}", at=meta.NOON + 1))))
    inbound.drain()
    for place, other in ((1, 2), (2, 1)):
        brings, reports = json.loads(echo(place, person=place)), meta.statuses(
            meta.status("sent", wamid=f"echo{other}", at=meta.NOON + 2)
        )  # fmt: skip
        brings["entry"][0]["changes"].append({"field": "messages", "value": reports})
        meta.store(json.dumps(brings).encode())

    merge_two_at_once(monkeypatch, statuses, "merge_statuses")

    assert mishaps == []
    with system_transaction(), connection.cursor() as cursor:
        statuses.match_all_parked(cursor)
    with company.transaction():
        assert set(Message.objects.values_list("provider_message_id", "status")) == {
            ("echo1", "sent"),
            ("echo2", "sent"),
        }
        assert not UnmatchedStatus.objects.exists()


def changes(place: str, *pairs: tuple[str, str]) -> bytes:
    """One webhook in which so many people move from a phone to another, one after the other."""
    said = [
        {
            "id": f"{place}{n}", "timestamp": str(meta.NOON + 60 + n), "type": "system", "from": before,
            "system": {"type": "user_changed_number", "body": "", "wa_id": now},
        }
        for n, (before, now) in enumerate(pairs)
    ]  # fmt: skip
    return meta.body(meta.messages(*said, contacts=[]))


def test_people_who_become_others_crosswise_in_two_batches_wait_in_one_direction(company, monkeypatch, mishaps):
    """Each batch holds one of two contacts, and comes to the other while it does."""
    rosa, luis = "51900550001", "51900550002"
    for place, phone in enumerate((rosa, luis)):
        meta.store(meta.body(said(f"first{place}", phone=phone)))
    inbound.drain()
    meta.store(changes("there", ("51900550011", rosa), ("51900550012", luis)))
    meta.store(changes("back", ("51900550021", luis), ("51900550022", rosa)))
    hold = people.hold

    def hold_and_linger(*arguments: object) -> None:
        hold(*arguments)
        time.sleep(0.5)

    monkeypatch.setattr(people, "hold", hold_and_linger)

    merge_two_at_once(monkeypatch, draining, "merge")

    assert mishaps == []
    with company.transaction():
        owners = dict(Identity.objects.values_list("value", "contact__phone"))
        assert owners == {
            rosa: rosa, "51900550011": rosa, "51900550022": rosa, luis: luis, "51900550012": luis, "51900550021": luis,
        }  # fmt: skip


def test_two_batches_in_which_many_new_people_become_the_same_others_wait_in_one_direction(
    company, monkeypatch, mishaps
):
    """Nobody of them is known: each identity is made by whoever comes first, in opposite orders."""
    pairs = [(f"5190056{n:04}", f"5190057{n:04}") for n in range(40)]
    meta.store(changes("there", *pairs))
    meta.store(changes("back", *reversed(pairs)))

    merge_two_at_once(monkeypatch, draining, "merge")

    assert mishaps == []
    with company.transaction():
        assert Contact.objects.count() == len(pairs)
        for before, now in pairs:
            assert Identity.objects.filter(value__in=[before, now]).values("contact").distinct().count() == 1


def test_an_event_whose_worker_postgresql_ended_in_a_circle_is_merged_again(company, monkeypatch, mishaps):
    event_id, merge, tries = meta.store(meta.body(said("w1", phone="51900555014"))), draining.merge, []

    def merge_or_end(deliveries: object) -> object:
        tries.append(1)
        if len(tries) <= draining.MOST_DEADLOCKS:
            raise OperationalError from DeadlockDetected()
        return merge(deliveries)

    monkeypatch.setattr(draining, "merge", merge_or_end)

    draining._drain_one(event_id)

    assert set(mishaps) == {"met another worker, merging again"}
    with system_transaction():
        assert WebhookEvent.objects.values_list("state", "attempts").get() == (EventState.DONE, 0)


def test_an_older_name_that_waited_for_a_newer_one_changes_nothing(company):
    meta.store(meta.body(said("w0", phone="51900555014", name="de ayer")))
    inbound.drain()
    newer = said("w2", phone="51900555014", name="de hoy", at=meta.NOON + 60)
    held, go_on = threading.Event(), threading.Event()
    older = meta.body(said("w1", phone="51900555014", name="de antes", at=meta.NOON + 30))

    def other() -> None:
        assert held.wait(10)
        event_id = meta.store(older)
        threading.Timer(0.3, go_on.set).start()
        draining._drain_one(event_id)

    at_once(merge_held(newer, held=held, go_on=go_on), other)

    with company.transaction():
        assert Contact.objects.get().profile_name == "de hoy"


def test_two_workers_that_meet_the_same_new_people_in_opposite_order_never_block_each_other(company, mishaps):
    for round_ in range(4):
        phones = [f"519{round_}{number:05}" for number in range(150)]
        batches = [
            meta.store(
                meta.body(
                    *[said(f"{round_}-{way}-{place:03}", phone=phone) for place, phone in enumerate(phones[::way])]
                )
            )
            for way in (1, -1)
        ]

        at_once(*[lambda event=event: draining._drain_one(event) for event in batches])

    assert mishaps == []
    with company.transaction():
        assert (Contact.objects.count(), Message.objects.count()) == (600, 1200)


def test_ten_identical_deliveries_on_several_workers_are_one_message_each(company):
    for _ in range(10):
        for number in range(30):
            meta.store(meta.body(said(f"w{number}", phone=f"5190055{number % 5:04}")))

    at_once(*[lambda: inbound.drain(batch=11)] * 4)
    inbound.drain()

    with company.transaction():
        assert Message.objects.count() == 30
        assert (Contact.objects.count(), Conversation.objects.count()) == (5, 5)
        assert sum(Conversation.objects.values_list("unread_count", flat=True)) == 30


# --- rules, one worker ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_same_person_writes_to_two_companies_and_is_nobody_they_share(ours, theirs):
    meta.store(meta.body(said("a", phone="51900555014", user_id="PE.1")))
    other = said("b", phone="51900555014", user_id="PE.1")
    other["metadata"]["phone_number_id"] = "200000000000001"
    meta.store(meta.body(other))
    inbound.drain()

    with ours.transaction():
        mine = Contact.objects.get()
    with theirs.transaction():
        assert Contact.objects.get() != mine


@pytest.mark.django_db
def test_a_phone_that_changed_hands_stays_with_who_had_it(ours):
    """The new holder is another user id; until WhatsApp says so, messages without one still go where they went."""
    meta.store(meta.body(said("1", phone="51900555014", user_id="PE.1", name="Rosa")))
    meta.store(meta.body(said("2", user_id="PE.2", name="Luis")))
    meta.store(meta.body(said("3", phone="51900555014", user_id="PE.2", name="Luis", at=meta.NOON + 9)))
    inbound.drain(batch=1)

    with ours.transaction():
        assert Contact.objects.count() == 2
        assert Identity.objects.get(kind="phone").contact.profile_name == "Rosa"
        assert Message.objects.get(provider_message_id="3").conversation.contact.profile_name == "Luis"


@pytest.mark.django_db
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newest_name_is_shown_whatever_arrives_last(ours, order):
    values = [
        said("1", phone="51900555014", name="antes"),
        said("2", phone="51900555014", name="después", at=meta.NOON + 60),
    ]
    for place in order:
        meta.store(meta.body(values[place]))
        inbound.drain()

    with ours.transaction():
        assert Contact.objects.get().profile_name == "después"


@pytest.mark.django_db
def test_a_name_we_gave_is_never_changed_by_whatsapp(ours):
    meta.store(meta.body(said("1", phone="51900555014", name="rosita 🌸")))
    inbound.drain()
    with ours.transaction():
        Contact.objects.update(name="Rosa Quispe")

    meta.store(meta.body(said("2", phone="51900555014", name="otro", at=meta.NOON + 60)))
    inbound.drain()

    with ours.transaction():
        assert Contact.objects.get().shown_name == "Rosa Quispe"


@pytest.mark.django_db
def test_a_message_with_both_ids_joins_what_comes_with_one_in_the_same_batch(ours):
    values = [said("1", phone="51900555014"), said("2", user_id="PE.1"), said("3", phone="51900555014", user_id="PE.1")]
    meta.store(meta.body(*values))
    inbound.drain()

    with ours.transaction():
        assert Contact.objects.count() == 1
        assert Conversation.objects.get().unread_count == 3


@pytest.mark.django_db
def test_people_without_any_identity_are_left_out(ours):
    with system_transaction(), connection.cursor() as cursor:
        assert people.resolve(cursor, [(ours.tenant.pk, Person(profile_name=str(uuid4())), datetime.now(UTC))]) == {}
        assert not Contact.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["of the company", "of the system"])
def test_many_new_people_are_looked_up_by_their_key_each(ours: Company, place: str):
    """Nobody has counted them yet: who looks for a page of them reads what it asks for, not everybody there is."""
    keys = [(ours.tenant.pk, "phone", f"519{n:08d}") for n in range(3_000)]
    with ours.transaction(), connection.cursor() as cursor:
        for start in range(0, len(keys), 500):
            known = [(ours.tenant.pk, Person(phone=key[2]), datetime.now(UTC)) for key in keys[start : start + 500]]
            people.resolve(cursor, known)

    page = keys[-200:]
    with ours.transaction() if place == "of the company" else system_transaction(), connection.cursor() as cursor:
        forget_statistics(cursor, "crm_identity", "crm_contact")
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + people._FIND,
            [[key[0] for key in page], [key[1] for key in page], [key[2] for key in page]],
        )
        told = cursor.fetchone()[0]
        plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]

    assert plan["Actual Rows"] == len(page)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 15 * len(page)
    assert _removed(plan) == 0


def _removed(plan: dict) -> int:
    """How many rows were read for nothing."""
    mine = sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Join Filter")) * plan["Actual Loops"]
    return mine + sum(_removed(each) for each in plan.get("Plans", ()))
