"""Several dispatchers, reconcilers and merges at the same time, each with a connection of its own."""

import threading
import time

from django.db import connection

from crm import inbound, outbound
from crm.models import Message, MessageStatus
from crm.outbound import dispatching
from crm.outbound.settling import Outcome, settle
from crm.references import reference
from tests import meta
from tests.at_once import at_once
from tests.cast import found_company
from tests.crm.outbound.conftest import age, dispatch, intake_received, now, say, talk


def test_several_dispatchers_at_once_send_each_message_once_and_in_order(committed, simulator, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 4)
    simulator.faults(delay_ms=[0, 20])
    ours = found_company("ours", number_id="100000000000001")
    people = [talk(ours, f"519005550{number:02}") for number in range(10)]
    for place, person in enumerate(people):
        for number in range(6):
            say(ours, person, f"{place}-{number}")

    tried = at_once(*[lambda: dispatch(ours)] * 4)

    assert sum(tried) == 60
    assert sorted(texts()) == sorted(f"{place}-{number}" for place in range(10) for number in range(6))
    for place in range(10):
        mine = [text for text in texts() if text.startswith(f"{place}-")]
        assert mine == [f"{place}-{number}" for number in range(6)]
    with ours.transaction():
        assert set(Message.objects.filter(direction="outbound").values_list("status", "attempt")) == {("accepted", 1)}


def test_a_dispatcher_that_comes_while_another_one_claims_does_not_overtake_it(
    committed, simulator, texts, monkeypatch
):
    monkeypatch.setattr(dispatching, "PAGE", 2)
    real, claiming = dispatching._within_pair_pace, threading.Event()

    def slowly(cursor, page, pair):
        if not claiming.is_set():
            claiming.set()
            time.sleep(0.4)  # claimed, and not committed
        return real(cursor, page, pair)

    monkeypatch.setattr(dispatching, "_within_pair_pace", slowly)
    ours = found_company("ours", number_id="100000000000001")
    rosa = talk(ours)
    for number in range(6):
        say(ours, rosa, f"{number}")

    def later() -> int:
        assert claiming.wait(5)
        return dispatch(ours)

    at_once(lambda: dispatch(ours), later)

    assert texts() == [f"{number}" for number in range(6)]


def test_several_reconcilers_at_once_resend_each_message_once(committed, settings):
    settings.SEND_GRACE_SECONDS = 60
    ours = found_company("ours", number_id="100000000000001")
    rosa = talk(ours)
    for _ in range(20):
        age(ours, say(ours, rosa, status="unknown", attempt=1, unknown_at=now()), 61)
    intake_received(ours)

    counts = at_once(*[outbound.reconcile] * 4)

    assert sum(count["resent"] for count in counts) == 20


def test_answers_and_statuses_at_the_same_time_never_block_each_other(committed, simulator):
    """Statuses beat the answers to the requests, on four threads, with and without our reference."""
    ours = found_company("ours", number_id="100000000000001")
    people = [talk(ours, f"519005550{number:02}") for number in range(8)]
    said = [say(ours, person, f"{number}") for number in range(12) for person in people]
    with ours.transaction(), connection.cursor() as cursor:
        cursor.execute("UPDATE crm_message SET status = 'sending', attempt = 1 WHERE direction = 'outbound'")
    for place, message in enumerate(said):
        mark = {"biz_opaque_callback_data": reference(message.pk, 1)} if place % 2 else {}
        for word in ("sent", "delivered"):
            meta.store(meta.body(meta.statuses(meta.status(word, wamid=f"wamid.{place}", **mark))))
    outcomes = [
        Outcome(message.pk, message.conversation_id, 1, MessageStatus.ACCEPTED, provider_message_id=f"wamid.{place}")
        for place, message in enumerate(said)
    ]
    pages = [outcomes[start::4] for start in range(4)]

    def act():
        try:
            while True:
                page = pages.pop()
                settle(tenant_id=ours.tenant.pk, number=ours.number, outcomes=list(reversed(page)))
                inbound.drain(batch=20)
                outbound.reconcile()
        except IndexError:
            return inbound.drain(batch=20)

    at_once(*[act] * 4)
    outbound.reconcile()

    with ours.transaction():
        stored = Message.objects.filter(direction="outbound").values_list("status", "provider_message_id")
        assert sorted(stored) == sorted(("delivered", f"wamid.{place}") for place in range(len(said)))
