"""Bells say that there may be work; when one is lost, the sweep finds the work, and nobody waits for a bell."""

import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError
from redis import Redis

from crm import bells, inbound
from crm.models import Message, UnmatchedStatus
from tenants.context import system_transaction
from tests import meta
from tests.at_once import at_once
from tests.cast import found_company
from tests.crm.inbound.people import said
from tests.crm.outbound.conftest import now, say, talk
from whatsapp.models import Number
from whatsapp.simulator.process import wait_until


@pytest.fixture
def rung(monkeypatch) -> list[tuple]:
    """Which bells were rung, and for what."""
    heard: list[tuple] = []
    monkeypatch.setattr(
        bells, "_ring", lambda task, *arguments: heard.append((task.name.rpartition(".")[2], *arguments))
    )
    return heard


@pytest.mark.django_db
def test_the_sweep_finds_webhooks_that_no_bell_announced(ours, rung):
    bells.sweep()
    assert rung == []

    meta.store(meta.body(meta.messages(meta.text())))
    bells.sweep()
    assert rung == [("drain", "sweep")]

    inbound.drain()
    rung.clear()
    bells.sweep()
    assert rung == []


@pytest.mark.django_db
def test_the_sweep_finds_numbers_with_due_messages(ours, theirs, rung):
    due = say(ours, talk(ours))
    waiting = say(theirs, talk(theirs), next_attempt_at=now() + timedelta(minutes=5))
    rung.clear()

    bells.sweep()
    assert rung == [("dispatch", str(ours.tenant.pk), str(ours.number.pk))]

    with ours.transaction():
        type(due).objects.filter(pk=due.pk).update(status="accepted")
    with theirs.transaction():
        type(waiting).objects.filter(pk=waiting.pk).update(next_attempt_at=now())
        Number.objects.update(paused_reason="auth")
    rung.clear()
    bells.sweep()
    assert rung == []


@pytest.mark.django_db
def test_the_sweep_wakes_deliveries_only_when_all_their_numbers_exist(ours, rung):
    meta.store(meta.body(meta.messages(meta.text(wamid="1"), number_id="7771"), meta.messages(meta.text(wamid="2"), number_id="7772")))  # fmt: skip
    inbound.drain()
    with ours.transaction():
        Number.objects.create(tenant=ours.tenant, alias="a", phone_number_id="7771")

    bells.sweep()
    assert rung == []

    with ours.transaction():
        Number.objects.create(tenant=ours.tenant, alias="b", phone_number_id="7772")
    bells.sweep()
    assert rung == [("drain", "sweep")]


@pytest.mark.django_db
def test_a_bell_rings_after_the_commit_and_not_without_one(ours, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        bells.ring_dispatch(ours.tenant.pk, ours.number.pk)
        assert rung == []

    assert rung == [("dispatch", str(ours.tenant.pk), str(ours.number.pk))]


class Task:
    """A task whose sending does what a test wants."""

    def __init__(self, name: str = "task", *, sending=lambda: None) -> None:
        self.name, self._sending = name, sending
        self.sent: list[list] = []

    def apply_async(self, arguments, **options) -> None:
        self.sent.append([*arguments])
        assert options["expires"] == 60
        self._sending()


def fails() -> None:
    raise OperationalError("nobody listens")


def test_a_ring_waits_for_nobody_and_rings_once_for_what_was_rung_meanwhile():
    slow = threading.Event()
    first, second = Task("first", sending=lambda: slow.wait(30)), Task("second")
    ringer = bells.Ringer()

    ringer.ring(first)
    wait_until(lambda: first.sent)
    for _ in range(1000):
        ringer.ring(first)
        ringer.ring(second, "a")
        ringer.ring(second, "b")
    assert second.sent == []  # the first is still under way, and none of these waited for it

    slow.set()
    wait_until(lambda: len(second.sent) == 2)
    assert (first.sent, second.sent) == ([[], []], [["a"], ["b"]])

    ringer.ring(second, "c")
    wait_until(lambda: second.sent[-1] == ["c"])


def test_without_redis_a_ring_does_not_raise_and_it_is_quiet_for_a_while(caplog):
    task, ringer = Task(sending=fails), bells.Ringer()

    for number in range(5):
        ringer.ring(task, f"{number}")
        time.sleep(ringer.INTERVAL * 2)
    assert len(task.sent) == 1
    assert caplog.text.count("bell not rung") == 1

    ringer._quiet_until = 0
    ringer.ring(task, "later")
    wait_until(lambda: len(task.sent) == 2)


def test_a_bell_that_breaks_does_not_silence_the_next(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    ringer, task = bells.Ringer(), Task()
    ringer.ring(Task(sending=lambda: 1 / 0))

    wait_until(lambda: not ringer._thread.is_alive())
    ringer.ring(task)

    wait_until(lambda: task.sent)


def test_a_bell_reaches_the_workers_queue():
    redis = Redis.from_url(settings.REDIS_URL)
    before = redis.llen("celery")

    bells.ring_drain()

    wait_until(lambda: redis.llen("celery") > before)
    assert b"crm.bells.drain" in redis.lindex("celery", 0)


def somebody_waits() -> bool:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def test_who_merges_takes_what_comes_meanwhile_and_the_sweep_goes_on_where_it_is_held_up(committed, rung):
    ours = found_company("ours", number_id="100000000000001")
    for place in (1, 2):
        meta.store(meta.body(said(f"known{place}", phone=f"5190055000{place}")))
    assert bells.drain() == 2
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM crm_contact WHERE phone = '51900550001' FOR UPDATE")
            held.set()
            let_go.wait(10)

    def merge() -> int:
        held.wait(10)
        return bells.drain()

    def come_later() -> list[int]:
        held.wait(10)
        wait_until(somebody_waits)
        meta.store(meta.body(said("second", phone="51900550002", at=meta.NOON + 60)))
        turned_away = [bells.drain() for _ in range(3)]
        by_sweep = bells.drain("sweep")
        meta.store(meta.body(said("third", phone="51900550001", at=meta.NOON + 90)))
        turned_away.append(bells.drain())
        let_go.set()
        return [*turned_away, by_sweep]

    meta.store(meta.body(said("first", phone="51900550001", at=meta.NOON + 60)))
    _, merged, (*turned_away, by_sweep) = at_once(hold, merge, come_later)

    assert turned_away == [0, 0, 0, 0]
    assert by_sweep == 1
    assert merged == 2
    assert not [bell for bell in rung if bell[0] == "drain"]
    with ours.transaction():
        assert Message.objects.filter(provider_message_id__in=["first", "second", "third"]).count() == 3


def test_who_could_not_merge_passes_on_that_somebody_was_turned_away(committed, rung, monkeypatch):
    def fail() -> int:
        assert bells.drain() == 0  # another one, meanwhile
        raise OperationalError("the database is away")

    monkeypatch.setattr(inbound, "drain", fail)

    with pytest.raises(OperationalError):
        bells.drain()

    assert rung == [("drain", "bell")]


@pytest.mark.django_db
def test_statuses_of_messages_that_are_not_ours_are_forgotten(ours):
    meta.store(meta.body(meta.statuses(meta.status("sent", wamid="old"), meta.status("sent", wamid="young"))))
    inbound.drain()
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("UPDATE crm_unmatchedstatus SET received_at = now() - interval '9 days' WHERE provider_message_id = 'old'")  # fmt: skip

    forgotten = bells.forget()

    assert forgotten["statuses"] == 1
    with system_transaction():
        assert UnmatchedStatus.objects.get().provider_message_id == "young"
