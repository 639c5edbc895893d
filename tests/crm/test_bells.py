"""Bells say that there may be work; when one is lost, the sweep finds the work, and nobody waits for a bell."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from kombu.exceptions import OperationalError

from crm import bells, inbound
from crm.models import UnmatchedStatus
from tenants.context import system_transaction
from tests import meta
from tests.crm.outbound.conftest import now, say, talk
from whatsapp.models import Number, WebhookEvent


@pytest.fixture
def rung(monkeypatch) -> list[tuple]:
    """Which bells were rung, and for what."""
    heard: list[tuple] = []
    monkeypatch.setattr(
        bells, "_ring", lambda task, *arguments: heard.append((task.name.rpartition(".")[2], *arguments))
    )
    return heard


@pytest.fixture
def not_quiet(monkeypatch):
    monkeypatch.setattr(bells, "_quiet_until", 0.0)


@pytest.mark.django_db
def test_the_sweep_finds_webhooks_that_no_bell_announced(ours, rung):
    bells.sweep()
    assert rung == []

    meta.store(meta.body(meta.messages(meta.text())))
    bells.sweep()
    assert rung == [("drain",)]

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
    assert rung == [("drain",)]


@pytest.mark.django_db
def test_a_bell_rings_after_the_commit_and_not_without_one(ours, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        bells.ring_dispatch(ours.tenant.pk, ours.number.pk)
        assert rung == []

    assert rung == [("dispatch", str(ours.tenant.pk), str(ours.number.pk))]


_RING = """
import time
import django
django.setup()
from crm import bells
started = time.monotonic()
for _ in range(20):
    bells.ring_drain()
print(time.monotonic() - started)
"""


def test_without_redis_a_ring_neither_raises_nor_waits():
    """In a process of its own, because Celery keeps its connections."""
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:9/0", "DJANGO_SETTINGS_MODULE": "crm.settings"}
    done = subprocess.run([sys.executable, "-c", _RING], env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 2
    assert done.stderr.count("bell not rung") == 1  # then it is quiet for a while


def test_after_a_while_the_bell_is_tried_again(monkeypatch, not_quiet):
    tries = []

    class Task:
        def apply_async(self, *arguments, **options):
            tries.append(options)
            raise OperationalError

    for _ in range(3):
        bells._ring(Task())
    assert len(tries) == 1
    assert tries[0]["expires"] == 60

    monkeypatch.setattr(bells, "_quiet_until", time.monotonic())
    bells._ring(Task())
    assert len(tries) == 2


def test_the_intakes_bell_is_never_in_the_way_and_rings_for_everything(monkeypatch):
    rings, slow = [], threading.Event()

    def ring() -> None:
        rings.append(time.monotonic())
        slow.wait(0.05)

    monkeypatch.setattr(bells, "ring_drain", ring)
    bell = bells.DrainBell()

    started = time.monotonic()
    for _ in range(1000):
        bell()
    assert time.monotonic() - started < 0.5

    deadline = time.monotonic() + 3
    while not (rings and rings[-1] > started) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 1 <= len(rings) < 50
    count = len(rings)
    time.sleep(0.2)
    bell()
    while len(rings) <= count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(rings) > count


def test_the_intakes_bell_survives_a_ring_that_fails(monkeypatch):
    rings = []

    def ring() -> None:
        rings.append(1)
        if len(rings) == 1:
            raise RuntimeError("cannot")

    monkeypatch.setattr(bells, "ring_drain", ring)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    bell = bells.DrainBell()

    deadline = time.monotonic() + 3
    while len(rings) < 2 and time.monotonic() < deadline:
        bell()
        time.sleep(0.03)

    assert len(rings) >= 2


@pytest.mark.django_db
def test_what_is_past_its_time_is_forgotten_and_what_failed_is_kept(ours):
    for number in range(4):
        meta.store(meta.body(meta.messages(meta.text(wamid=f"{number}"), number_id="999" if number == 3 else "100000000000001")))  # fmt: skip
    meta.store(b"dead")
    meta.store(meta.body(meta.statuses(meta.status("sent", wamid="old"), meta.status("sent", wamid="young"))))
    inbound.drain()
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("UPDATE whatsapp_webhookevent SET received_at = now() - interval '31 days' WHERE id <> (SELECT min(id) FROM whatsapp_webhookevent)")  # fmt: skip
        cursor.execute("UPDATE crm_unmatchedstatus SET received_at = now() - interval '9 days' WHERE provider_message_id = 'old'")  # fmt: skip

    dropped = bells.forget()

    assert dropped == {"whatsapp_webhookevent": 3, "crm_unmatchedstatus": 1}
    with system_transaction():
        assert sorted(WebhookEvent.objects.values_list("state", flat=True)) == ["dead", "done", "unrouted"]
        assert UnmatchedStatus.objects.get().provider_message_id == "young"
