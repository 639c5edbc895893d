"""From the outbox to WhatsApp: each number by its own means, in order, at the pace that is allowed."""

import time
from datetime import timedelta

import pytest

from crm import outbound
from crm.models import Contact, Conversation, Identity, Priority, Source
from crm.outbound import dispatching, pace
from crm.references import reference
from tests.crm.outbound.conftest import change_token, dispatch, hurry, now, reload, say, talk, wait_of
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_redis(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(pace, "_client", None)
    yield
    monkeypatch.setattr(pace, "_client", None)


def test_an_accepted_message_has_whatsapps_id_and_carries_our_reference(ours, rosa, simulator):
    message = say(ours, rosa, "talla 37, sí")

    assert dispatch(ours) == 1

    stored, (sent,) = reload(ours, message), simulator.ledger()
    assert (stored.status, stored.attempt, stored.lease_expires_at) == ("accepted", 1, None)
    assert stored.provider_message_id == sent["wamid"]
    assert stored.accepted_at is not None
    assert sent["to"] == "51900555014"
    assert sent["biz_opaque_callback_data"] == reference(message.pk, 1)


def test_what_was_sent_is_not_sent_again(ours, rosa, texts):
    say(ours, rosa, "una vez")
    dispatch(ours)
    hurry(ours)

    assert dispatch(ours) == 0
    assert texts() == ["una vez"]


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


def test_a_number_of_another_company_cannot_be_dispatched(ours, theirs, simulator):
    say(theirs, talk(theirs))

    assert outbound.dispatch(tenant_id=ours.tenant.pk, number_id=theirs.number.pk) == 0
    assert simulator.ledger() == []


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


@pytest.mark.parametrize("change", [{"is_active": False}, {"paused_reason": "auth"}])
def test_a_number_that_may_not_send_keeps_its_messages(ours, rosa, simulator, change):
    message = say(ours, rosa)
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(**change)

    assert dispatch(ours) == 0
    assert (reload(ours, message).status, simulator.ledger()) == ("queued", [])


def test_the_messages_of_one_conversation_keep_their_order(ours, rosa, texts):
    luz = talk(ours, "51900555015")
    for number in range(6):
        say(ours, rosa, f"rosa {number}")
        say(ours, luz, f"luz {number}")

    dispatch(ours)

    assert [text for text in texts() if "rosa" in text] == [f"rosa {number}" for number in range(6)]
    assert [text for text in texts() if "luz" in text] == [f"luz {number}" for number in range(6)]


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


def test_an_answer_does_not_wait_for_a_campaign_that_waits_a_day(ours, rosa, simulator, texts):
    simulator.faults(error_code=131049, error_next=1)
    offer = say(ours, rosa, "oferta", source=Source.SEQUENCE, priority=Priority.CAMPAIGN)
    dispatch(ours)
    assert wait_of(ours, offer) > 80_000

    say(ours, rosa, "respuesta")
    dispatch(ours)

    assert texts() == ["respuesta"]


def test_people_go_before_sequences_and_sequences_before_campaigns(ours, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 1)
    for phone, priority in enumerate((Priority.CAMPAIGN, Priority.SEQUENCE, Priority.PERSON)):
        say(ours, talk(ours, f"5190055501{phone}"), str(priority.label), priority=priority)

    dispatch(ours)

    assert texts() == ["person", "sequence", "campaign"]


@pytest.mark.parametrize(
    "known",
    [
        {"sends_per_second": 20},
        {"sends_per_second": 500, "is_coexistence": True},
        {"sends_per_second": 500, "findings": {"is_coexistent": True}},  # as WhatsApp says when it is asked
    ],
)
def test_a_number_sends_no_faster_than_it_may(ours, rosa, texts, known):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(**known)
    for number in range(40):
        say(ours, talk(ours, f"519005550{number}"), f"{number}")

    started = time.monotonic()
    dispatch(ours)
    took = time.monotonic() - started

    assert len(texts()) == 40
    assert took > 0.95  # a second's worth at once, and the other 20 at 20 a second


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


def test_a_front_row_that_must_wait_does_not_hold_up_other_people(ours, rosa, texts, monkeypatch):
    monkeypatch.setattr(dispatching, "PAGE", 10)
    luz = talk(ours, "51900555015")
    for number in range(45 + 25):
        say(ours, rosa, f"{number}")
    say(ours, luz, "luz")

    dispatch(ours)

    assert "luz" in texts()


def test_without_redis_messages_still_go_out(ours, no_redis, texts):
    for number in range(12):
        say(ours, talk(ours, f"519005550{number:02}"), f"{number}")

    assert dispatch(ours) == 12

    assert len(texts()) == 12


def test_what_a_person_wrote_does_not_wait_for_the_pages_of_a_campaign(ours, rosa, texts):
    for number in range(3):
        say(ours, talk(ours, f"519005550{number:02}"), f"campaign {number}", priority=Priority.CAMPAIGN)
    say(ours, rosa, "person 1")
    say(ours, rosa, "person 2")
    number_id = ours.number.pk
    busy = [dispatching._crew.join(number_id) for _ in range(dispatching.MOST_AT_ONCE)]
    try:
        assert dispatch(ours) == 2
        assert texts() == ["person 1", "person 2"]
        assert dispatch(ours) == 0
    finally:
        rung = [dispatching._crew.leave(number_id, is_done=True) for _ in busy]

    assert rung == [False, False, True]  # the rest is for those who were busy
    assert dispatch(ours) == 3


def test_a_campaign_gives_way_while_people_write(ours, rosa, texts, monkeypatch):
    rests = []
    monkeypatch.setattr(dispatching._crew, "rest", lambda number_id, seconds: rests.append(len(texts())))
    say(ours, rosa, "campaign 1", priority=Priority.CAMPAIGN)
    dispatch(ours)
    assert rests == []

    say(ours, rosa, "person")
    dispatch(ours)
    say(ours, rosa, "campaign 2", priority=Priority.CAMPAIGN)
    dispatch(ours)

    assert texts() == ["campaign 1", "person", "campaign 2"]
    assert rests == [3]  # after its page, not before it


def test_a_campaign_takes_small_pages_while_people_write(ours, rosa, texts, monkeypatch):
    sent_by_then = []
    monkeypatch.setattr(dispatching, "PAGE_AMONG_PEOPLE", 2)
    monkeypatch.setattr(dispatching._crew, "rest", lambda number_id, seconds: sent_by_then.append(len(texts())))
    say(ours, rosa, "person")
    dispatch(ours)
    for number in range(5):
        say(ours, talk(ours, f"519005550{number:02}"), f"campaign {number}", priority=Priority.CAMPAIGN)

    dispatch(ours)

    assert sent_by_then == [3, 5, 6]
