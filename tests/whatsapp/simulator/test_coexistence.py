"""What a phone that shares a number hands over: once, within a day, and by the webhooks that Meta sends."""

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN, Application, Business
from whatsapp.simulator.process import Refused, Simulator, wait_until

CONTACTS, HISTORY = "smb_app_state_sync", "history"
DAY = 24 * 3600


@pytest.fixture
def shared(simulator: Simulator) -> Simulator:
    becomes(simulator, about={"is_on_biz_app": True})
    return simulator


def becomes(simulator: Simulator, **conditions) -> None:
    simulator.call("POST", "/control/numbers", {"phone_number_id": NUMBER, **conditions})


def ask(simulator: Simulator, kind: str, *, token: str = TOKEN) -> dict:
    body = {"messaging_product": "whatsapp", "sync_type": kind}
    return simulator.call("POST", f"/v25.0/{NUMBER}/smb_app_data", body, token=token)


def code_of(call) -> int:
    with pytest.raises(Refused) as refusal:
        call()
    return refusal.value.body["error"]["code"]


def test_the_address_book_comes_by_webhook(shared: Simulator, application: Application):
    assert set(ask(shared, CONTACTS)) == {"messaging_product", "request_id"}

    (value,) = wait_until(lambda: application.values(CONTACTS))
    assert value["metadata"]["phone_number_id"] == NUMBER
    first = value["state_sync"][0]
    assert (first["type"], first["action"]) == ("contact", "add")
    assert set(first["contact"]) == {"full_name", "first_name", "phone_number"}


def test_the_past_comes_in_three_phases_and_its_file_after(
    shared: Simulator, application: Application, business: Business
):
    shared.inbound(phone_number_id=NUMBER, sender="51900555014", name="Rosa", text="Hola, ¿están?", id="wamid.HOY")
    ask(shared, HISTORY)

    values = wait_until(lambda: len(application.values(HISTORY)) == 4 and application.values(HISTORY))
    chunks = {chunk["metadata"]["phase"]: chunk for value in values for chunk in value.get("history", [])}
    assert [chunks[phase]["metadata"]["progress"] for phase in (0, 1, 2)] == [35, 70, 100]
    messages = [one for chunk in chunks.values() for thread in chunk["threads"] for one in thread["messages"]]
    assert "wamid.HOY" in [one["id"] for one in messages]
    assert all(one["history_context"]["status"] for one in messages)
    (place,) = [one for one in messages if one["type"] == "media_placeholder"]
    (late,) = [one for value in values for one in value.get("messages", [])]
    assert (late["id"], late["type"]) == (place["id"], "image")


@pytest.mark.parametrize("kind", [CONTACTS, HISTORY])
def test_each_is_handed_over_once_for_a_connection(shared: Simulator, application: Application, kind: str):
    ask(shared, kind)

    assert code_of(lambda: ask(shared, kind)) == 2593107
    becomes(shared, onboarded_at=shared.call("GET", "/control/clock")["timestamp"])
    assert ask(shared, kind)


def test_after_a_day_it_is_too_late(shared: Simulator, application: Application):
    shared.advance(DAY + 60)

    assert code_of(lambda: ask(shared, HISTORY)) == 2593108


def test_who_does_not_share_the_past_says_so(shared: Simulator, application: Application):
    becomes(shared, shares_history=False)
    ask(shared, HISTORY)

    (value,) = wait_until(lambda: application.values(HISTORY))
    assert value["history"][0]["errors"][0]["code"] == 2593109


def test_what_makes_no_sense_is_refused(simulator: Simulator, application: Application):
    assert code_of(lambda: ask(simulator, HISTORY)) == 100  # the number is on no phone
    becomes(simulator, about={"is_on_biz_app": True})
    assert code_of(lambda: ask(simulator, "everything")) == 100
    assert code_of(lambda: ask(simulator, HISTORY, token="EAAsim-otra-ventas-000009")) == 10
