"""From the outbox to WhatsApp and back: nothing lost, nothing doubled, in order, at the pace that is allowed."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, connections

from crm import outbound
from crm.models import Contact, Conversation, Identity, Message, MessageStatus, Priority, Source
from crm.outbound import dispatching, pace
from crm.outbound.settling import Outcome, settle
from crm.references import reference
from tenants.context import system_transaction
from tenants.models import Alert
from tests import meta
from tests.cast import found_company
from tests.crm.outbound.conftest import age, dispatch, hurry, intake_received, now, reload, report, say, talk
from whatsapp import errors
from whatsapp.errors import Reason
from whatsapp.models import Number

in_rollback = pytest.mark.django_db


@pytest.fixture
def quick_grace(settings):
    settings.SEND_GRACE_SECONDS = 60


@pytest.fixture
def no_redis(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(pace, "_client", None)
    yield
    monkeypatch.setattr(pace, "_client", None)


def alerts() -> list[Alert]:
    with system_transaction():
        return list(Alert.objects.filter(resolved_at=None))


def wait_of(company, message) -> float:
    """Seconds until the next try, by the database's clock."""
    with company.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(epoch FROM next_attempt_at - statement_timestamp()) FROM crm_message WHERE id = %s",
            [message.pk],
        )
        return float(cursor.fetchone()[0])


def change_token(company, token: str) -> None:
    with company.transaction():
        company.number.token = token
        company.number.save(update_fields=["token"])


# --- what goes well ---------------------------------------------------------------------------------------------------


@in_rollback
def test_an_accepted_message_has_whatsapps_id_and_carries_our_reference(ours, rosa, simulator):
    message = say(ours, rosa, "talla 37, sí")

    assert dispatch(ours) == 1

    stored, (sent,) = reload(ours, message), simulator.ledger()
    assert (stored.status, stored.attempt, stored.lease_expires_at) == ("accepted", 1, None)
    assert stored.provider_message_id == sent["wamid"]
    assert stored.accepted_at is not None
    assert sent["to"] == "51900555014"
    assert sent["biz_opaque_callback_data"] == reference(message.pk, 1)


@in_rollback
def test_what_was_sent_is_not_sent_again(ours, rosa, texts):
    say(ours, rosa, "una vez")
    dispatch(ours)
    hurry(ours)

    assert dispatch(ours) == 0
    assert texts() == ["una vez"]


@in_rollback
def test_each_number_sends_with_its_own_token(ours, theirs, simulator):
    with ours.transaction():
        second = Number.objects.create(
            tenant=ours.tenant, alias="two", phone_number_id="700000000000002", token="token-of-second-2ab", queue=ours.sales
        )  # fmt: skip
    change_token(ours, "token-of-ours-000001x1a")
    change_token(theirs, "token-of-theirs-000001y3c")
    with ours.transaction():
        contact = talk(ours).contact
        elsewhere = Conversation.objects.create(
            tenant=ours.tenant, contact=contact, number=second, queue=ours.sales, window_expires_at=now() + timedelta(1)
        )
    for company, conversation in ((ours, talk(ours)), (ours, elsewhere), (theirs, talk(theirs))):
        say(company, conversation)

    dispatch(ours)
    outbound.dispatch(tenant_id=ours.tenant.pk, number_id=second.pk)
    dispatch(theirs)

    used = {entry["phone_number_id"]: entry["token"] for entry in simulator.ledger()}
    assert used == {"100000000000001": "001x1a", "700000000000002": "nd-2ab", "200000000000001": "001y3c"}


@in_rollback
def test_a_number_of_another_company_cannot_be_dispatched(ours, theirs, simulator):
    say(theirs, talk(theirs))

    assert outbound.dispatch(tenant_id=ours.tenant.pk, number_id=theirs.number.pk) == 0
    assert simulator.ledger() == []


@in_rollback
def test_somebody_known_by_user_id_only_is_written_to_by_it(ours, simulator):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant)
        Identity.objects.create(tenant=ours.tenant, contact=contact, kind="bsuid", value="PE.77", address="PE.77")
        conversation = Conversation.objects.create(
            tenant=ours.tenant, contact=contact, number=ours.number, queue=ours.sales,
            window_expires_at=now() + timedelta(hours=1),
        )  # fmt: skip
    message = say(ours, conversation)

    dispatch(ours)

    assert reload(ours, message).status == "accepted"
    assert simulator.ledger()[0]["body"]["recipient"] == "PE.77"


@in_rollback
@pytest.mark.parametrize("change", [{"is_active": False}, {"paused_reason": "auth"}])
def test_a_number_that_may_not_send_keeps_its_messages(ours, rosa, simulator, change):
    message = say(ours, rosa)
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(**change)

    assert dispatch(ours) == 0
    assert (reload(ours, message).status, simulator.ledger()) == ("queued", [])


# --- order and pace ---------------------------------------------------------------------------------------------------


@in_rollback
def test_the_messages_of_one_conversation_keep_their_order(ours, rosa, texts):
    luz = talk(ours, "51900555015")
    for number in range(6):
        say(ours, rosa, f"rosa {number}")
        say(ours, luz, f"luz {number}")

    dispatch(ours)

    assert [text for text in texts() if "rosa" in text] == [f"rosa {number}" for number in range(6)]
    assert [text for text in texts() if "luz" in text] == [f"luz {number}" for number in range(6)]


@in_rollback
def test_a_message_that_must_wait_keeps_those_after_it_behind_it(ours, rosa, simulator, texts):
    simulator.faults(error_code=131056, error_next=1)
    for number in range(3):
        say(ours, rosa, f"{number}")

    dispatch(ours)
    say(ours, rosa, "3")
    dispatch(ours)
    assert texts() == []

    hurry(ours)
    dispatch(ours)
    assert texts() == ["0", "1", "2", "3"]


@in_rollback
def test_an_answer_does_not_wait_for_a_campaign_that_waits_a_day(ours, rosa, simulator, texts):
    simulator.faults(error_code=131049, error_next=1)
    offer = say(ours, rosa, "oferta", source=Source.SEQUENCE, priority=Priority.CAMPAIGN)
    dispatch(ours)
    assert wait_of(ours, offer) > 80_000

    say(ours, rosa, "respuesta")
    dispatch(ours)

    assert texts() == ["respuesta"]


@in_rollback
def test_people_go_before_sequences_and_sequences_before_campaigns(ours, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 1)
    for phone, priority in enumerate((Priority.CAMPAIGN, Priority.SEQUENCE, Priority.PERSON)):
        say(ours, talk(ours, f"5190055501{phone}"), str(priority.label), priority=priority)

    dispatch(ours)

    assert texts() == ["person", "sequence", "campaign"]


@in_rollback
def test_a_number_sends_no_faster_than_it_may(ours, rosa, texts):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(sends_per_second=20)
    for number in range(40):
        say(ours, talk(ours, f"519005550{number}"), f"{number}")

    started = time.monotonic()
    dispatch(ours)
    took = time.monotonic() - started

    assert len(texts()) == 40
    assert took > 0.95  # a second's worth at once, and the other 20 at 20 a second


@in_rollback
def test_one_person_is_not_written_to_faster_than_whatsapp_allows(ours, rosa, texts):
    luz = talk(ours, "51900555015")
    said = [say(ours, rosa, f"{number}") for number in range(50)]
    say(ours, luz, "luz")

    dispatch(ours)

    assert sorted(texts()) == sorted([f"{number}" for number in range(45)] + ["luz"])
    waiting = [reload(ours, message) for message in said[45:]]
    assert {(message.status, message.attempt) for message in waiting} == {("queued", 0)}
    times = [message.next_attempt_at for message in waiting]
    assert times == sorted(times)
    assert 0 < wait_of(ours, said[45]) <= 6.1


@in_rollback
def test_a_front_row_that_must_wait_does_not_hold_up_other_people(ours, rosa, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 10)
    luz = talk(ours, "51900555015")
    for number in range(45 + 25):
        say(ours, rosa, f"{number}")
    say(ours, luz, "luz")

    dispatch(ours)

    assert "luz" in texts()


@in_rollback
def test_without_redis_messages_still_go_out(ours, no_redis, texts):
    for number in range(12):
        say(ours, talk(ours, f"519005550{number:02}"), f"{number}")

    started = time.monotonic()
    assert dispatch(ours) == 12

    assert len(texts()) == 12
    assert time.monotonic() - started < 5


# --- refusals ---------------------------------------------------------------------------------------------------------


@in_rollback
@pytest.mark.parametrize(
    ("code", "reason", "least", "most"),
    [
        (131056, Reason.RATE_PAIR, 4, 5),
        (130429, Reason.RATE_NUMBER, 1, 1.25),
        (133004, Reason.TRANSIENT, 5, 6.25),
        (131053, Reason.MEDIA, 30, 37.5),
        (131049, Reason.MARKETING_CAP, 86_400, 108_000),
    ],
)
def test_a_refusal_that_passes_is_tried_again_later(ours, rosa, simulator, texts, code, reason, least, most):
    simulator.faults(error_code=code, error_next=1)
    message = say(ours, rosa, "hola")

    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason, stored.error_code) == ("queued", reason, code)
    assert least - 1 < wait_of(ours, message) <= most

    pace.hold(ours.number.pk, seconds=0)  # for 130429 the whole number waits
    hurry(ours)
    dispatch(ours)
    stored = reload(ours, message)
    assert (stored.status, stored.attempt, stored.error_reason, stored.error_code) == ("accepted", 2, "", None)
    assert texts() == ["hola"]


@in_rollback
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (131047, Reason.WINDOW_CLOSED),
        (131026, Reason.UNDELIVERABLE),
        (132001, Reason.TEMPLATE_STATE),
        (100, Reason.INVALID),
        (999_999, Reason.UNKNOWN),
    ],
)
def test_a_refusal_that_stays_fails_the_message_with_its_reason(ours, rosa, simulator, code, reason):
    simulator.faults(error_code=code)
    message = say(ours, rosa)

    dispatch(ours)
    hurry(ours)
    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason, stored.error_code) == ("failed", reason, code)
    assert stored.failed_at is not None
    assert stored.attempt == 1
    assert alerts() == []


@in_rollback
def test_too_fast_holds_the_whole_number_back(ours, rosa, simulator, texts, monkeypatch):
    slowly = replace(errors.handling(Reason.RATE_NUMBER), base_delay=30)
    monkeypatch.setitem(errors._HANDLING, Reason.RATE_NUMBER, slowly)
    simulator.faults(error_code=130429, error_next=1)
    say(ours, rosa, "rosa")
    dispatch(ours)

    say(ours, talk(ours, "51900555015"), "luz")
    assert dispatch(ours) == 0
    assert texts() == []

    pace.hold(ours.number.pk, seconds=0)
    dispatch(ours)
    assert texts() == ["luz"]


@in_rollback
@pytest.mark.parametrize("code", [190, 131042, 133010])
def test_a_number_that_whatsapp_shuts_out_waits_for_repair_and_fails_nothing(ours, rosa, simulator, texts, code):
    simulator.faults(error_code=code)
    said = [say(ours, rosa, "uno"), say(ours, talk(ours, "51900555015"), "dos")]

    dispatch(ours)
    dispatch(ours)

    assert {reload(ours, message).status for message in said} == {"queued"}
    with ours.transaction():
        assert not Number.objects.get(pk=ours.number.pk).can_send
    (alert,) = alerts()
    assert (alert.kind, alert.severity, alert.tenant_id) == ("number-paused", "critical", ours.tenant.pk)
    assert alert.facts["code"] == code

    simulator.faults(error_code=None)
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(paused_reason="")
    dispatch(ours)  # what waited goes out as soon as somebody has mended the number
    assert sorted(texts()) == ["dos", "uno"]


@in_rollback
def test_a_wrong_token_pauses_the_number_with_a_wrong_token_only(ours, theirs, rosa, texts):
    change_token(ours, "revoked")
    mine, foreign = say(ours, rosa), say(theirs, talk(theirs), "ajeno")

    dispatch(ours)
    dispatch(theirs)

    assert (reload(ours, mine).status, reload(theirs, foreign).status) == ("queued", "accepted")
    with theirs.transaction():
        assert Number.objects.get().can_send


@in_rollback
def test_who_stopped_marketing_at_whatsapp_gets_none_from_us(ours, rosa, simulator):
    simulator.faults(error_code=131050)
    message = say(ours, rosa)

    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason) == ("failed", Reason.OPTED_OUT)
    with ours.transaction():
        assert Contact.objects.get().marketing_stopped


@in_rollback
def test_a_refusal_that_never_passes_is_given_up(ours, rosa, simulator):
    simulator.faults(error_code=133004)
    message = say(ours, rosa)

    for _ in range(10):
        hurry(ours)
        dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.attempt, stored.error_reason) == ("failed", 6, Reason.TRANSIENT)


@in_rollback
def test_nobody_listening_means_that_nothing_was_sent(ours, rosa, settings):
    settings.GRAPH_API_URL = "http://127.0.0.1:9"
    message = say(ours, rosa)

    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason) == ("queued", Reason.UNREACHABLE)
    assert wait_of(ours, message) > 4


# --- outcomes that nobody knows ---------------------------------------------------------------------------------------


@in_rollback
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


@in_rollback
def test_an_answer_that_takes_too_long_means_that_nobody_knows(ours, rosa, simulator, monkeypatch):
    monkeypatch.setattr("whatsapp.providers.cloud.client.SILENCE_TIMEOUT", 0.3)
    simulator.faults(delay_ms=900)
    message = say(ours, rosa)

    dispatch(ours)

    assert reload(ours, message).status == "unknown"
    assert len(simulator.ledger()) == 1


@in_rollback
def test_a_status_with_our_reference_says_that_it_arrived(ours, rosa, simulator):
    simulator.faults(answer_lost=1)
    message = say(ours, rosa)
    dispatch(ours)
    (sent,) = simulator.ledger()

    report(ours, meta.status("sent", wamid=sent["wamid"], biz_opaque_callback_data=sent["biz_opaque_callback_data"]))

    stored = reload(ours, message)
    assert (stored.status, stored.provider_message_id, stored.unknown_at) == ("sent", sent["wamid"], None)


@in_rollback
def test_a_forged_reference_moves_nothing(ours, rosa, simulator):
    simulator.faults(drop=1)
    message = say(ours, rosa)
    dispatch(ours)

    forged = reference(message.pk, 1)[:-1] + ("0" if reference(message.pk, 1)[-1] != "0" else "1")
    report(ours, meta.status("read", wamid="wamid.forged", biz_opaque_callback_data=forged))

    assert reload(ours, message).status == "unknown"


@in_rollback
def test_the_lease_of_a_sender_that_died_ends_as_unknown(ours, rosa):
    alive = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    dead = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() - timedelta(seconds=1))

    assert outbound.reconcile()["expired"] == 1

    assert (reload(ours, alive).status, reload(ours, dead).status) == ("sending", "unknown")
    assert reload(ours, dead).unknown_at is not None


@in_rollback
def test_while_another_sends_to_somebody_the_next_message_to_them_waits(ours, rosa, texts):
    say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    say(ours, rosa, "después")
    say(ours, talk(ours, "51900555015"), "otra persona")

    dispatch(ours)

    assert texts() == ["otra persona"]


@in_rollback
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


@in_rollback
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


@in_rollback
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


@in_rollback
@pytest.mark.parametrize("silent_for", [None, 30])
def test_while_our_own_intake_is_silent_nothing_is_resent(ours, rosa, quick_grace, silent_for):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    age(ours, message, 90)
    with ours.transaction():
        seen = now() - timedelta(seconds=90 - silent_for) if silent_for else None
        Number.objects.filter(pk=ours.number.pk).update(last_webhook_at=seen)

    assert outbound.reconcile()["resent"] == 0
    assert reload(ours, message).status == "unknown"


@in_rollback
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


@in_rollback
def test_an_answer_that_a_webhook_has_overtaken_changes_nothing(ours, rosa, simulator):
    message = say(ours, rosa, status="sending", attempt=1, lease_expires_at=now() + timedelta(seconds=30))
    report(ours, meta.status("read", wamid="wamid.fast", biz_opaque_callback_data=reference(message.pk, 1)))

    settle(
        tenant_id=ours.tenant.pk,
        number=ours.number,
        outcomes=[Outcome(message.pk, rosa.pk, 1, MessageStatus.ACCEPTED, provider_message_id="wamid.fast")],
    )

    assert (reload(ours, message).status, reload(ours, message).provider_message_id) == ("read", "wamid.fast")


@in_rollback
def test_an_answer_to_a_lease_that_ran_out_still_counts(ours, rosa):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())

    settle(
        tenant_id=ours.tenant.pk,
        number=ours.number,
        outcomes=[Outcome(message.pk, rosa.pk, 1, MessageStatus.ACCEPTED, provider_message_id="wamid.slow")],
    )

    assert (reload(ours, message).status, reload(ours, message).unknown_at) == ("accepted", None)


@in_rollback
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


@in_rollback
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


@in_rollback
def test_a_person_may_be_wrong_and_the_status_still_counts(ours, rosa):
    message = say(ours, rosa, status="unknown", attempt=1, unknown_at=now())
    with ours.transaction():
        outbound.decide_unknown(message=message, resend=False, actor=ours.ana, now=now())

    report(ours, meta.status("delivered", wamid="wamid.x", biz_opaque_callback_data=reference(message.pk, 1)))

    assert (reload(ours, message).status, reload(ours, message).provider_message_id) == ("delivered", "wamid.x")


# --- several at once --------------------------------------------------------------------------------------------------


def at_once(count: int, act) -> list:
    """Run `act` on so many threads, each with a connection of its own; what they answered."""
    answers, start = [], threading.Barrier(count)

    def run():
        try:
            start.wait(10)
            answers.append(act())
        except Exception as error:
            answers.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(isinstance(answer, Exception) for answer in answers), answers
    return answers


def test_several_dispatchers_at_once_send_each_message_once_and_in_order(committed, simulator, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 4)
    simulator.faults(delay_ms=[0, 20])
    ours = found_company("ours", number_id="100000000000001")
    people = [talk(ours, f"519005550{number:02}") for number in range(10)]
    for place, person in enumerate(people):
        for number in range(6):
            say(ours, person, f"{place}-{number}")

    tried = at_once(4, lambda: dispatch(ours))

    assert sum(tried) == 60
    assert sorted(texts()) == sorted(f"{place}-{number}" for place in range(10) for number in range(6))
    for place in range(10):
        mine = [text for text in texts() if text.startswith(f"{place}-")]
        assert mine == [f"{place}-{number}" for number in range(6)]
    with ours.transaction():
        assert set(Message.objects.filter(direction="outbound").values_list("status", "attempt")) == {("accepted", 1)}


def test_several_reconcilers_at_once_resend_each_message_once(committed, settings):
    settings.SEND_GRACE_SECONDS = 60
    ours = found_company("ours", number_id="100000000000001")
    rosa = talk(ours)
    for _ in range(20):
        age(ours, say(ours, rosa, status="unknown", attempt=1, unknown_at=now()), 61)
    intake_received(ours)

    counts = at_once(4, outbound.reconcile)

    assert sum(count["resent"] for count in counts) == 20


def test_answers_and_statuses_at_the_same_time_never_block_each_other(committed, simulator):
    """Statuses beat the answers to the requests, on four threads, with and without our reference."""
    from crm import inbound

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

    at_once(4, act)
    outbound.reconcile()

    with ours.transaction():
        stored = Message.objects.filter(direction="outbound").values_list("status", "provider_message_id")
        assert sorted(stored) == sorted(("delivered", f"wamid.{place}") for place in range(len(said)))
