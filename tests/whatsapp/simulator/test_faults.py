"""What goes wrong on purpose: each fault, where it strikes and where it does not."""

import http.client
import time

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, Application, Business
from whatsapp.simulator.process import Refused, Simulator, wait_until

CUSTOMER, OTHER = "51912345678", "51987000111"


@pytest.fixture
def in_window(simulator: Simulator) -> str:
    for person in (CUSTOMER, OTHER):
        simulator.inbound(phone_number_id=NUMBER, sender=person, name="Diego", text="Hola")
    return CUSTOMER


def test_a_dropped_send_is_not_accepted(simulator: Simulator, business: Business, in_window: str):
    simulator.faults(drop=1)

    with pytest.raises(Refused) as refused:
        business.text(in_window)

    assert (refused.value.status, refused.value.body["error"]["code"]) == (500, 131000)
    assert simulator.ledger() == []


def test_a_dropped_send_can_be_a_cut_connection(simulator: Simulator, business: Business, in_window: str):
    simulator.faults(drop=1, drop_with="reset")

    with pytest.raises((OSError, http.client.HTTPException)):
        business.text(in_window)

    assert simulator.ledger() == []


def test_a_lost_answer_hides_an_accepted_message(
    simulator: Simulator, business: Business, application: Application, in_window: str
):
    simulator.faults(answer_lost=True)

    with pytest.raises((OSError, http.client.HTTPException)):
        business.text(in_window, biz_opaque_callback_data="lost.1.x")

    (entry,) = simulator.ledger()
    assert entry["biz_opaque_callback_data"] == "lost.1.x"
    wait_until(lambda: "delivered" in application.names_of(entry["wamid"]))


def test_a_late_answer_does_not_delay_acceptance(simulator: Simulator, business: Business, in_window: str):
    simulator.faults(delay_ms=300)
    began = time.monotonic()

    business.text(in_window)

    assert time.monotonic() - began >= 0.3
    assert len(simulator.ledger()) == 1


def test_every_webhook_comes_as_often_as_asked(simulator: Simulator, application: Application):
    simulator.faults(duplicate=3)

    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="Hola")

    wait_until(lambda: [message["id"] for message in application.messages()] == [wamid] * 3)


def test_reordered_statuses_never_come_in_order(
    simulator: Simulator, business: Business, application: Application, in_window: str
):
    simulator.faults(reorder=True)

    wamid = business.text(in_window)

    wait_until(lambda: len(application.statuses(wamid)) == 3)
    assert sorted(application.names_of(wamid)) == ["delivered", "read", "sent"]
    assert application.names_of(wamid) != ["sent", "delivered", "read"]


def test_the_next_sends_only_are_refused(simulator: Simulator, business: Business, in_window: str):
    simulator.faults(error_code=131056, error_next=2)
    codes = []

    for _ in range(3):
        try:
            business.text(in_window)
        except Refused as refused:
            codes.append(refused.body["error"]["code"])

    assert codes == [131056, 131056]
    assert len(simulator.ledger()) == 1


def test_a_message_can_be_made_to_fail_later(
    simulator: Simulator, business: Business, application: Application, in_window: str
):
    simulator.faults(to=in_window, failed_code=131026)

    wamid, other = business.text(in_window), business.text(OTHER)

    wait_until(lambda: application.names_of(wamid) == ["failed"] and "read" in application.names_of(other))
    assert application.statuses(wamid)[0]["errors"][0]["code"] == 131026


def test_statuses_can_be_withheld(simulator: Simulator, business: Business, application: Application, in_window: str):
    simulator.faults(withhold_statuses=["delivered"])

    wamid = business.text(in_window)

    wait_until(lambda: application.names_of(wamid) == ["sent", "read"])


def test_a_block_leaves_one_tick_for_that_person_only(
    simulator: Simulator, business: Business, application: Application, in_window: str
):
    simulator.faults(recipients={in_window: {"block": True}})

    blocked, other = business.text(in_window), business.text(OTHER)

    wait_until(lambda: "read" in application.names_of(other))
    assert application.names_of(blocked) == ["sent"]


def test_held_webhooks_leave_when_released(simulator: Simulator, application: Application):
    simulator.faults(webhook_hold=True)
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="Hola")
    wait_until(lambda: simulator.call("GET", "/control/state")["webhooks"]["held"] == 1)
    assert application.received == []

    simulator.faults(webhook_hold=False)

    assert application.message(wamid)


def test_a_fault_of_one_number_spares_the_others(simulator: Simulator, business: Business, in_window: str):
    simulator.faults(phone_number_id="100000000000002", error_code=190)

    business.text(in_window)
    with pytest.raises(Refused):
        business.text(in_window, number="100000000000002", token="EAAsim-demo-soporte-000002")


def test_faults_are_merged_shown_and_reset(simulator: Simulator):
    simulator.faults(drop=0.5)
    merged = simulator.faults(duplicate=2)
    simulator.clear_faults()
    clear = simulator.call("GET", "/control/faults")

    assert (merged["drop"], merged["duplicate"]) == (0.5, 2)
    assert (clear["drop"], clear["duplicate"], clear["numbers"]) == (0, 1, {})


def test_an_unknown_fault_changes_nothing(simulator: Simulator):
    with pytest.raises(Refused) as refused:
        simulator.faults(drop=1, explode=True)

    assert refused.value.status == 400 and "explode" in refused.value.body["error"]
    assert simulator.call("GET", "/control/faults")["drop"] == 0
