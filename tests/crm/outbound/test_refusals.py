"""WhatsApp says no: what is tried again and when, what fails and why, and what stops the whole number."""

from dataclasses import replace

import pytest

from crm.models import Contact
from crm.outbound import pace
from tenants.context import system_transaction
from tenants.models import Alert
from tests.crm.outbound.conftest import change_token, dispatch, hurry, now, reload, say, talk, wait_of
from whatsapp import errors
from whatsapp.errors import Reason
from whatsapp.models import Number
from whatsapp.simulator.process import wait_until

pytestmark = pytest.mark.django_db


def alerts() -> list[Alert]:
    with system_transaction():
        return list(Alert.objects.filter(resolved_at=None))


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

    before = now()
    dispatch(ours)
    after = now()

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason, stored.error_code) == ("queued", reason, code)
    assert least <= wait_of(ours, message, since=before)
    assert wait_of(ours, message, since=after) <= most

    pace.hold(ours.number.pk, seconds=0)  # for 130429 the whole number waits
    hurry(ours)
    dispatch(ours)
    stored = reload(ours, message)
    assert (stored.status, stored.attempt, stored.error_reason, stored.error_code) == ("accepted", 2, "", None)
    assert texts() == ["hola"]


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


def test_while_it_stays_too_fast_one_message_at_a_time_asks(ours, rosa, simulator, texts):
    """Else every page of a number that is held back would be refused whole, again and again."""
    simulator.faults(error_code=130429)
    for n in range(5):
        say(ours, talk(ours, f"5190055502{n}"), str(n))
    pace.hold(ours.number.pk, seconds=0)

    assert dispatch(ours) == 1

    simulator.faults(error_code=None)
    hurry(ours)
    pace.hold(ours.number.pk, seconds=0)
    wait_until(lambda: dispatch(ours) >= 0 and len(texts()) == 5)


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


def test_a_wrong_token_pauses_the_number_with_a_wrong_token_only(ours, theirs, rosa, texts):
    change_token(ours, "revoked")
    mine, foreign = say(ours, rosa), say(theirs, talk(theirs), "ajeno")

    dispatch(ours)
    dispatch(theirs)

    assert (reload(ours, mine).status, reload(theirs, foreign).status) == ("queued", "accepted")
    with theirs.transaction():
        assert Number.objects.get().can_send


def test_who_stopped_marketing_at_whatsapp_gets_none_from_us(ours, rosa, simulator):
    simulator.faults(error_code=131050)
    message = say(ours, rosa)

    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason) == ("failed", Reason.OPTED_OUT)
    with ours.transaction():
        assert Contact.objects.get().marketing_stopped


def test_a_refusal_that_never_passes_is_given_up(ours, rosa, simulator):
    simulator.faults(error_code=133004)
    message = say(ours, rosa)

    for _ in range(10):
        hurry(ours)
        dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.attempt, stored.error_reason) == ("failed", 6, Reason.TRANSIENT)


def test_nobody_listening_means_that_nothing_was_sent(ours, rosa, settings):
    settings.GRAPH_API_URL = "http://127.0.0.1:9"
    message = say(ours, rosa)

    dispatch(ours)

    stored = reload(ours, message)
    assert (stored.status, stored.error_reason) == ("queued", Reason.UNREACHABLE)
    assert wait_of(ours, message) > 4
