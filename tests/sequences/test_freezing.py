"""A list is frozen in pages of one transaction each: killed between two, nobody is lost or twice; nobody waits long."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm import erasing, inbound, merges
from crm.models import Contact, Conversation, ErasureDoor, ErasureReason, Identity, Message
from sequences import broadcasting, freezing
from sequences.freezing import Skip
from sequences.models import Broadcast, BroadcastState, Recipient
from tenants import clock
from tenants.context import system_transaction
from tests import meta
from tests.at_once import at_once
from tests.cast import Company, found_company
from tests.crm.inbound.people import said
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import approve

ROSA = "51900555014"


class Killed(BaseException):
    """As a power cut: nothing catches it."""


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "PAGE", 3)


def draft(company: Company, rows: list[list[Any]] = [], **fields: Any) -> Broadcast:  # noqa: B006
    with company.transaction():
        approve(company)
        made = Broadcast.objects.create(
            tenant=company.tenant, name="Oferta", number=company.number, template_name="carrito", template_language="es",
            template_category="marketing", variables={"1": "{nombre}" if rows else "{first_name}"}, rows=rows,
            **{"created_at": NOON} | fields,
        )  # fmt: skip
        freezing.prepare(made)
    return made


def file_of(count: int, *, first: int = 0) -> list[list[Any]]:
    return [[n + 2, f"+519000{n:05d}", {"nombre": f"P{n}"}] for n in range(first, first + count)]


def page(broadcast: Broadcast) -> bool:
    """The next page, by a process that knows nothing of the last."""
    return freezing._page(broadcast.tenant_id, broadcast.pk, freezing._File(), NOON)


def listed(company: Company) -> list[tuple[Any, ...]]:
    with company.transaction():
        return list(Recipient.objects.order_by("position").values_list("position", "line", "fate", "reason"))


def told(company: Company, broadcast: Broadcast) -> Broadcast:
    with company.transaction():
        return Broadcast.objects.get(pk=broadcast.pk)


def kill_at(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def die(name: str) -> None:
        if name == where:
            raise Killed

    monkeypatch.setattr(freezing, "crash_point", die)


@pytest.mark.django_db
def test_it_says_how_far_it_came_and_nothing_can_begin_before_the_last_page(ours):
    broadcast = draft(ours, file_of(7))
    far = []
    while page(broadcast):
        now = told(ours, broadcast)
        far.append((now.frozen_to["lines"], now.frozen_to["of"], now.forecast))
        with ours.transaction():
            assert not broadcasting.start(broadcast, now=NOON)

    done = told(ours, broadcast)
    assert far == [(3, 7, []), (6, 7, [])]
    assert (done.state, done.frozen_to, done.forecast[0]["count"]) == (BroadcastState.READY, None, 7)
    assert listed(ours) == [(n, n + 2, "waiting", "") for n in range(7)]
    assert not page(broadcast)


@pytest.mark.django_db
@pytest.mark.parametrize("point", ["freezing.before-commit", "freezing.after-commit"])
@pytest.mark.parametrize("kind", ["file", "audience"])
def test_killed_at_every_page_nobody_is_lost_nobody_is_twice_and_the_price_is_right(ours, monkeypatch, point, kind):
    if kind == "audience":
        with ours.transaction():
            for n in range(8):
                conversation(ours, f"P{n}")
    broadcast = draft(ours, file_of(8) if kind == "file" else [])
    kills = 0
    while told(ours, broadcast).state == BroadcastState.PREPARING:
        kill_at(monkeypatch, point)
        with pytest.raises(Killed):
            page(broadcast)
        kills += 1
        kill_at(monkeypatch, "nowhere")
        if point == "freezing.before-commit":
            page(broadcast)

    done = told(ours, broadcast)
    assert kills >= 3
    assert [(place, fate) for place, _line, fate, _why in listed(ours)] == [(n, "waiting") for n in range(8)]
    assert sum(row["count"] for row in done.forecast) == 8
    with ours.transaction():
        assert Recipient.objects.values("conversation").distinct().count() == 8
        assert Conversation.objects.count() == 8


@pytest.mark.django_db
def test_a_phone_that_comes_again_on_a_later_page_is_on_the_list_once(ours):
    again = [*file_of(4), [9, "+51900000000", {"nombre": "Otra vez"}], [10, "+51900000001", {"nombre": ""}]]
    broadcast = draft(ours, again)
    while page(broadcast):
        pass
    assert [(fate, why) for _place, _line, fate, why in listed(ours)] == [("waiting", "")] * 4 + [
        ("refused", Skip.TWICE)
    ] * 2


@pytest.mark.django_db
def test_freezing_again_takes_the_old_list_away_and_changes_nothing_of_the_new(ours):
    broadcast = draft(ours, file_of(7))
    broadcasting.run(NOON)
    first, before = listed(ours), told(ours, broadcast)
    with ours.transaction():
        freezing.prepare(broadcast)
    page(broadcast)
    assert len(listed(ours)) == 4 and told(ours, broadcast).frozen_at is None
    broadcasting.run(NOON)
    assert listed(ours) == first
    assert told(ours, broadcast).forecast == before.forecast


@pytest.mark.django_db
def test_one_that_is_cancelled_between_two_pages_goes_no_further(ours):
    broadcast = draft(ours, file_of(7))
    page(broadcast)
    with ours.transaction():
        assert broadcasting.cancel(broadcast, now=NOON)
    assert not page(broadcast)
    assert [why for *_, why in listed(ours)] == [Skip.CANCELLED] * 3


@pytest.mark.django_db
def test_who_comes_in_behind_the_page_that_is_being_written_is_on_the_list_too(ours):
    """Two of one person become one, whose conversation comes before the place that was reached."""
    with ours.transaction():
        early = conversation(ours, "Temprana", last_inbound_at=None)
        talks = [conversation(ours, f"P{n}") for n in range(5)]
    assert early.pk < talks[0].pk
    broadcast = draft(ours)
    page(broadcast)
    with ours.transaction():
        merges.merge([early.contact_id, talks[4].contact_id], tenant_id=ours.tenant.pk, by=ours.supervisor, now=NOON)
        merges.merge([talks[3].contact_id, talks[0].contact_id], tenant_id=ours.tenant.pk, by=ours.supervisor, now=NOON)
    broadcasting.run(NOON)

    with ours.transaction():
        got = list(Recipient.objects.filter(fate="waiting").values_list("conversation", flat=True))
    assert sorted(got) == sorted([early.pk, *(talk.pk for talk in talks[1:4])])
    assert told(ours, broadcast).state == BroadcastState.READY


def ask_to_erase(company: Company, phone: str) -> None:
    with company.transaction():
        contact = Identity.objects.get(value=phone).contact_id
        erasing.ask(
            contact, tenant_id=company.tenant.pk, reason=ErasureReason.REQUEST, door=ErasureDoor.PAGE, by=None, now=clock.now()
        )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("is_worked_off", [False, True])
def test_who_is_erased_between_two_pages_is_on_neither_and_takes_nobody_along(ours, is_worked_off):
    """The lines move up in the file when theirs goes; the others are on the list all the same."""
    broadcast = draft(ours, file_of(8), created_at=clock.now())
    page(broadcast)
    with ours.transaction(), connection.cursor() as cursor:
        freezing.people.resolve(
            cursor, [(ours.tenant.pk, freezing.Person(phone="51900000006"), clock.now())]
        )  # on a page to come
    for phone in ("51900000001", "51900000006"):
        ask_to_erase(ours, phone)
        while is_worked_off and erasing.run(clock.now()):
            pass
    broadcasting.run(clock.now())

    with ours.transaction():
        lines = list(Recipient.objects.order_by("position").values_list("line", "address", "reason"))
        assert not Identity.objects.filter(value__in=["51900000001", "51900000006"]).exists()
    assert [line for line, _address, why in lines if not why] == [2, 4, 5, 6, 7, 9]
    erased = [(line, address) for line, address, why in lines if why == Skip.ERASED]
    assert erased == ([(3, "")] if is_worked_off else [(3, ""), (8, "")])


@pytest.mark.django_db
def test_a_file_of_which_everybody_was_erased_is_not_for_everybody(ours):
    with ours.transaction():
        conversation(ours, "Otra")
    draft(ours, [], audience={"file": "clientes.csv"})
    broadcasting.run(NOON)
    assert listed(ours) == []


@pytest.mark.django_db
def test_one_that_cannot_be_frozen_stops_no_other(ours, theirs, monkeypatch, caplog):
    broken, other = draft(ours, file_of(4)), draft(theirs, file_of(4))
    real = freezing._write_page

    def write(broadcast: Broadcast, *rest: Any) -> None:
        if broadcast.pk == broken.pk:
            raise RuntimeError("cannot be frozen")
        real(broadcast, *rest)

    monkeypatch.setattr(freezing, "_write_page", write)
    broadcasting.run(NOON)
    assert told(ours, broken).state == BroadcastState.PREPARING and "not gone on with" in caplog.text
    assert told(theirs, other).state == BroadcastState.READY


@pytest.mark.django_db
def test_a_page_takes_as_many_queries_however_many_lines_it_has(ours, monkeypatch):
    counts = []
    broadcast = draft(ours, file_of(90))
    page(broadcast)  # what is read once a process
    for size in (2, 40):
        monkeypatch.setattr(freezing, "PAGE", size)
        with CaptureQueriesContext(connection) as queries:
            page(broadcast)
        counts.append(len(queries))
    assert counts[0] == counts[1] < 30


@pytest.fixture
def company(committed: None) -> Iterator[Company]:
    yield found_company("ours", number_id="100000000000001")


def test_a_webhook_of_somebody_on_the_list_is_merged_while_the_rest_is_being_frozen(company):
    """Between two pages of it nothing is held; whoever is on the first page can write, and be erased."""
    broadcast = draft(company, [[2, f"+{ROSA}", {"nombre": "Rosa"}], *file_of(8, first=1)], created_at=clock.now())
    first, merged = threading.Event(), threading.Event()

    def freeze() -> None:
        assert page(broadcast)
        first.set()
        assert merged.wait(30)
        while page(broadcast):
            pass

    def merge() -> None:
        assert first.wait(30)
        meta.store(meta.body(said("w1", phone=ROSA)))
        inbound.drain()
        with company.transaction():
            assert Message.objects.count() == 1
        ask_to_erase(company, ROSA)
        merged.set()

    at_once(freeze, merge)

    assert told(company, broadcast).state == BroadcastState.READY
    assert [why for *_, why in listed(company)] == [Skip.ERASED] + [""] * 8


def test_webhooks_contacts_made_one_and_several_workers_wait_for_each_other_in_no_circle(company):
    """Everybody of the list writes while two workers freeze it: each is on it once, and every message is there."""
    broadcast = draft(company, file_of(60), created_at=clock.now())
    for n in range(60):
        meta.store(meta.body(said(f"w{n}", phone=f"519000{(59 - n):05d}")))

    def freeze() -> None:
        while told(company, broadcast).state == BroadcastState.PREPARING:
            page(broadcast)

    def merge() -> None:
        while inbound.drain():
            pass

    at_once(freeze, freeze, merge, merge)
    merge()

    assert [(place, line, fate) for place, line, fate, _ in listed(company)] == [
        (n, n + 2, "waiting") for n in range(60)
    ]
    with system_transaction():
        assert (Contact.objects.count(), Conversation.objects.count(), Message.objects.count()) == (60, 60, 60)


@pytest.mark.django_db
def test_a_list_that_is_thrown_away_goes_in_pages_and_nothing_can_become_of_it(ours):
    broadcast = draft(ours, file_of(7))
    freezing.run(NOON)
    assert len(listed(ours)) == 7

    with ours.transaction():
        assert freezing.discard(broadcast)
        assert not freezing.discard(broadcast)
        assert not broadcasting.start(broadcast, now=NOON)
        assert not broadcasting.cancel(broadcast, now=NOON)
        freezing.prepare(broadcast)
    left = []
    while page(broadcast):
        left.append(len(listed(ours)))

    assert left == [4, 1, 0]
    with ours.transaction():
        assert not Broadcast.objects.exists()


@pytest.mark.django_db
def test_a_list_that_has_begun_is_not_thrown_away(ours):
    broadcast = draft(ours, file_of(1))
    freezing.run(NOON)
    with ours.transaction():
        assert broadcasting.start(broadcast, now=NOON)
        assert not freezing.discard(broadcast)
