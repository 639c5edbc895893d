"""F8: the line to WhatsApp breaks in every place, and WhatsApp refuses in every way: what follows, and how often it is tried."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults import report
from tests.faults.counting import count_sends
from tests.faults.killing import beats, worker_slots
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage, Zygote, simulator, wait_until
from whatsapp.simulator.process import Simulator


@dataclass(frozen=True, slots=True)
class Case:
    """What goes wrong, and how the message must stand afterwards; `accepted` is how many WhatsApp took."""

    name: str
    status: str
    accepted: int
    line: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    is_shut: bool = False


CASES = [
    Case("connection refused", "queued (unreachable)", 0, is_shut=True),
    Case("cut in the middle of the request", "unknown", 0, line={"cut_request_after": 80}),
    Case("cut in the middle of the answer's head", "unknown", 1, line={"cut_answer_after": 20}),
    Case("cut in the middle of the answer's body", "unknown", 1, line={"cut_answer_after": 200}),
    Case("silence", "unknown", 0, line={"stalled": True}),
    Case("HTTP 500", "unknown", 0, faults={"drop": 1}),
    Case("130429, too fast", "queued (rate_number)", 0, faults={"error_code": 130429}),
    Case("131056, too fast to one person", "queued (rate_pair)", 0, faults={"error_code": 131056}),
    Case("131026, undeliverable", "failed (undeliverable)", 0, faults={"error_code": 131026}),
    Case("131047, window closed", "failed (window_closed)", 0, faults={"error_code": 131047}),
    Case("190, token revoked", "queued (auth)", 0, faults={"error_code": 190}),
]


@pytest.fixture
def scene(stage: Stage) -> Iterator[tuple[Zygote, Simulator, Proxy]]:
    with (
        simulator(app_port=9) as whatsapp,
        Proxy(int(whatsapp.url.rpartition(":")[2])) as line,
        stage.zygote(GRAPH_API_URL=f"http://127.0.0.1:{line.port}") as zygote,
    ):
        yield zygote, whatsapp, line


def test_whatever_breaks_is_read_as_what_it_is(stage: Stage, scene):
    """Certainly not written: again later. Certainly refused: as the refusal says. Anything else: nobody knows."""
    found = {case.name: _meet(stage, *scene, case) for case in CASES}

    for name, (status, accepted) in found.items():
        report.note("F8", name, "1 send", f"{status}, {accepted} at WhatsApp")
    assert found == {case.name: (case.status, case.accepted) for case in CASES}


def _meet(stage: Stage, zygote: Zygote, whatsapp: Simulator, line: Proxy, case: Case) -> tuple[str, int]:
    """(the message's status with its reason, how many WhatsApp took)."""
    stage.empty()
    whatsapp.reset()
    company = zygote.call("tests.faults.people:found")
    zygote.call("tests.faults.people:talk", people=1)
    zygote.call("tests.faults.people:compose", tenant=company["tenant"], count=1)
    for name, value in case.line.items():
        setattr(line, name, value)
    if case.is_shut:
        line.shut()
    whatsapp.faults(withhold_statuses=True, **case.faults)

    zygote.call("tests.faults.people:dispatch_impatiently", **company)

    line.cut()
    line.clear()
    if case.is_shut:
        line.open()
    whatsapp.clear_faults()
    status, reason = stage.sql("SELECT status, error_reason FROM crm_message WHERE direction = 'outbound'")[0]
    return f"{status} ({reason})" if reason else status, len(whatsapp.ledger())


@pytest.mark.nightly
def test_a_number_that_is_too_fast_is_not_stormed(stage: Stage, scale, scene):
    """130429 for a while: after the first page at most one try a second, and everything goes out afterwards."""
    count, seconds, (zygote, whatsapp, _) = scale(100, 400), scale(4, 20), scene
    company = zygote.call("tests.faults.people:found")
    whatsapp.faults(error_code=130429)
    zygote.call("tests.faults.people:talk", people=count)
    zygote.call("tests.faults.people:compose", tenant=company["tenant"], count=count)
    with worker_slots(zygote, 2), beats(zygote):
        wait_until(lambda: stage.one(_TRIES))
        time.sleep(0.5)
        first = stage.one(_TRIES)
        time.sleep(seconds)
        tries = stage.one(_TRIES) - first
        whatsapp.clear_faults()
        whatsapp.faults(answering=False, withhold_statuses=True)
        wait_until(lambda: stage.one(_ACCEPTED) == count, seconds=120)

    never, doubled, _ = count_sends(stage, whatsapp)
    report.note("F8", "130429 (too fast) for a while", f"{count} sends, {seconds} s",
                f"{first} tries at first, then {tries / seconds:.1f} a second; **{never} never sent, {doubled} sent twice**")  # fmt: skip
    assert tries <= seconds + 1
    assert (never, doubled) == (0, 0)


_TRIES = "SELECT sum(attempt) FROM crm_message WHERE direction = 'outbound'"
_ACCEPTED = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status = 'accepted'"
