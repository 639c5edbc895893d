"""Nobody knows whether it arrived: neither lost nor doubled."""

import time
from datetime import timedelta

import pytest

from crm import inbound, outbound
from crm.models import MessageStatus, Source
from crm.outbound import dispatching
from crm.outbound.settling import Outcome, settle
from crm.references import reference
from tenants.context import system_transaction
from tests import meta
from tests.crm.outbound.conftest import (
    age,
    dispatch,
    hurry,
    intake_received,
    now,
    reload,
    report,
    say,
    talk,
)
from whatsapp.models import Number, WebhookEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def quick_grace(settings):
    settings.SEND_GRACE_SECONDS = 60


@pytest.mark.parametrize(
    "fault", [{"answer_lost": 1}, {"drop": 1}, {"drop": 1, "drop_with": "reset"}, {"error_code": 131000}]
)
def test_no_readable_answer_means_that_nobody_knows(ours, rosa, simulator, fault):
    simulator.faults(**fault)
    message = say(ours, rosa)

    dispatch(ours)
    hurry(ours)
    simulator.clear_faults()

    assert dispatch(ours) == 0  # and nothing is sent in the hope that it did not arrive
    stored = reload(ours, message)
    assert (stored.status, stored.provider_message_id) == ("unknown", None)
    assert stored.unknown_at is not None
    assert len(simulator.ledger()) == (1 if "answer_lost" in fault else 0)


def test_an_answer_that_takes_too_long_means_that_nobody_knows(ours, rosa, simulator, monkeypatch):
    monkeypatch.setattr("whatsapp.providers.cloud.client.SILENCE_TIMEOUT", 0.3)
    simulator.faults(delay_ms=900)
    message = say(ours, rosa)

    dispatch(ours)

    assert reload(ours, message).status == "unknown"
    assert len(simulator.ledger()) == 1


def test_a_status_with_our_reference_says_that_it_arrived(ours, rosa, simulator):
    simulator.faults(answer_lost=1)
    message = say(ours, rosa)
    dispatch(ours)
    (sent,) = simulator.ledger()

    report(ours, meta.status("sent", wamid=sent["wamid"], biz_opaque_callback_data=sent["biz_opaque_callback_data"]))

    stored = reload(ours, message)
    assert (stored.status, stored.provider_message_id, stored.unknown_at) == ("sent", sent["wamid"], None)


def test_a_forged_reference_moves_nothing(ours, rosa, simulator):
    simulator.faults(drop=1)
    message = say(ours, rosa)
    dispatch(ours)

    forged = reference(message.pk, 1)[:-1] + ("0" if reference(message.pk, 1)[-1] != "0" else "1")
    report(ours, meta.status("read", wamid="wamid.forged", biz_opaque_callback_data=forged))

    assert reload(ours, message).status == "unknown"


def test_the_lease_of_a_sender_that_died_ends_as_unknown(ours, rosa):
    alive = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    dead = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() - timedelta(seconds=1))

    assert outbound.reconcile()["expired"] == 1

    assert (reload(ours, alive).status, reload(ours, dead).status) == ("sending", "unknown")
    assert reload(ours, dead).unknown_at is not None


def test_while_another_sends_to_somebody_the_next_message_to_them_waits(ours, rosa, texts):
    say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    say(ours, rosa, "después")
    say(ours, talk(ours, "51900555015"), "otra persona")

    dispatch(ours)

    assert texts() == ["otra persona"]


def test_after_the_grace_an_answer_is_sent_once_more_and_only_once(ours, rosa, simulator, texts, quick_grace):
    simulator.faults(drop=1)
    message = say(ours, rosa, "hola")
    dispatch(ours)
    intake_received(ours)
    assert outbound.reconcile()["resent"] == 0  # the grace is not over

    age(ours, message, 61)
    assert outbound.reconcile()["resent"] == 1
    dispatch(ours)
    assert (reload(ours, message).status, reload(ours, message).attempt) == ("unknown", 2)

    age(ours, message, 61)
    simulator.faults(drop=0)
    assert outbound.reconcile()["resent"] == 0  # twice unknown: a person decides
    assert dispatch(ours) == 0
    assert texts() == []


def test_a_resent_answer_arrives(ours, rosa, simulator, texts, quick_grace):
    simulator.faults(drop=1)
    message = say(ours, rosa, "hola")
    dispatch(ours)
    simulator.faults(drop=0)
    age(ours, message, 61)
    intake_received(ours)

    outbound.reconcile()
    dispatch(ours)

    assert texts() == ["hola"]
    assert reload(ours, message).status == "accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": Source.SEQUENCE},
        {"template_category": "marketing"},
        {"source": Source.SEQUENCE, "template_category": "utility"},
    ],
)
def test_what_would_cost_twice_is_left_for_a_person(ours, rosa, simulator, quick_grace, changes):
    message = say(ours, rosa, **changes, status="unknown", attempt=1, unknown_at=now())
    age(ours, message, 3600)
    intake_received(ours)

    assert outbound.reconcile()["resent"] == 0
    assert reload(ours, message).status == "unknown"


@pytest.mark.parametrize("silent_for", [None, 30])
def test_while_our_own_intake_is_silent_nothing_is_resent(ours, rosa, quick_grace, silent_for):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    age(ours, message, 90)
    with ours.transaction():
        seen = now() - timedelta(seconds=90 - silent_for) if silent_for else None
        Number.objects.filter(pk=ours.number.pk).update(last_webhook_at=seen)

    assert outbound.reconcile()["resent"] == 0
    assert reload(ours, message).status == "unknown"


def test_while_webhooks_wait_to_be_merged_nothing_is_resent(ours, rosa, quick_grace):
    """Workers that are back after an outage find hours of webhooks, and among them what became of the message."""
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    age(ours, message, 3600)
    intake_received(ours)
    said = meta.status("sent", wamid="wamid.arrived", biz_opaque_callback_data=reference(message.pk, 1))
    waiting = meta.store(meta.body(meta.statuses(said, number_id=ours.number.phone_number_id)))
    with system_transaction():
        received_at = now() - timedelta(seconds=3590)
        WebhookEvent.objects.filter(pk=waiting).update(received_at=received_at, next_attempt_at=received_at)

    assert outbound.reconcile()["resent"] == 0
    inbound.drain()
    assert reload(ours, message).status == "sent"


def test_an_old_webhook_that_is_merged_now_does_not_show_that_any_arrive(ours, rosa, quick_grace):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    age(ours, message, 90)
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(last_webhook_at=None)
    other = meta.store(
        meta.body(meta.statuses(meta.status("sent", wamid="wamid.other"), number_id=ours.number.phone_number_id))
    )
    with system_transaction():
        WebhookEvent.objects.filter(pk=other).update(received_at=now() - timedelta(seconds=60))

    inbound.drain()

    assert outbound.reconcile()["resent"] == 0


def test_a_late_answer_to_an_old_attempt_changes_nothing(ours, rosa):
    message = say(ours, rosa, status="sending", attempt=2, lease_expires_at=now() + timedelta(seconds=30))
    outcomes = [
        Outcome(message.pk, rosa.pk, 1, MessageStatus(status), provider_message_id="wamid.old", detail="late")
        for status in ("accepted", "failed", "queued", "unknown")
    ]

    for outcome in outcomes:
        settle(tenant_id=ours.tenant.pk, number=ours.number, outcomes=[outcome])

    stored = reload(ours, message)
    assert (stored.status, stored.attempt, stored.provider_message_id) == ("sending", 2, None)


def test_an_answer_that_a_webhook_has_overtaken_changes_nothing(ours, rosa, simulator):
    message = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    report(ours, meta.status("read", wamid="wamid.fast", biz_opaque_callback_data=reference(message.pk, 1)))

    settle(
        tenant_id=ours.tenant.pk,
        number=ours.number,
        outcomes=[Outcome(message.pk, rosa.pk, 1, MessageStatus.ACCEPTED, provider_message_id="wamid.fast")],
    )

    assert (reload(ours, message).status, reload(ours, message).provider_message_id) == ("read", "wamid.fast")


def test_an_answer_to_a_lease_that_ran_out_still_counts(ours, rosa):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())

    settle(
        tenant_id=ours.tenant.pk,
        number=ours.number,
        outcomes=[Outcome(message.pk, rosa.pk, 1, MessageStatus.ACCEPTED, provider_message_id="wamid.slow")],
    )

    assert (reload(ours, message).status, reload(ours, message).unknown_at) == ("accepted", None)


def test_a_sender_that_stood_still_for_most_of_its_lease_does_not_begin(ours, rosa, settings, simulator, monkeypatch):
    class Stalled:
        def map(self, send, chains):
            time.sleep(0.6)
            return [send(chain) for chain in chains]

    settings.SEND_LEASE_SECONDS = 1
    monkeypatch.setattr(dispatching, "LONGEST_RUN_SECONDS", 0.5)
    monkeypatch.setattr(dispatching, "_executor", Stalled())
    message = say(ours, rosa)

    dispatch(ours)

    assert simulator.ledger() == []
    assert (reload(ours, message).status, reload(ours, message).attempt) == ("queued", 0)


@pytest.mark.parametrize("resend", [True, False])
def test_a_person_decides_what_became_of_it(ours, rosa, texts, resend):
    message = say(ours, rosa, "hola", status="unknown", attempt=1, unknown_at=now())
    with ours.transaction():
        outbound.decide_unknown(message=message, resend=resend, actor=ours.ana, now=now())
        with pytest.raises(outbound.CannotSend):
            outbound.decide_unknown(message=message, resend=not resend, actor=ours.ana, now=now())

    dispatch(ours)

    assert texts() == (["hola"] if resend else [])
    assert reload(ours, message).status == "accepted"


def test_a_person_may_be_wrong_and_the_status_still_counts(ours, rosa):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    with ours.transaction():
        outbound.decide_unknown(message=message, resend=False, actor=ours.ana, now=now())

    report(ours, meta.status("delivered", wamid="wamid.x", biz_opaque_callback_data=reference(message.pk, 1)))

    assert (reload(ours, message).status, reload(ours, message).provider_message_id) == ("delivered", "wamid.x")
