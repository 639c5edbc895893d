"""F7: the process dies exactly between two steps; the next one finds everything, and does nothing twice."""

from collections.abc import Iterator

import pytest

from tests.faults import report
from tests.faults.counting import count_messages, count_sends
from tests.faults.dying import DIED, PEOPLE, die
from tests.faults.sender import Meta, answers, post, texts
from tests.faults.stage import Stage, Zygote, new_port, simulator, wait_until
from whatsapp.simulator.process import Simulator


@pytest.mark.parametrize("point", ["intake.before-commit", "intake.after-commit"])
def test_a_web_process_that_dies_at(stage: Stage, scale, point: str):
    """Meta has no 200 and repeats: there once, whether it was committed or not."""
    times = scale(2, 20)
    webhooks = texts(times, people=PEOPLE)
    port = new_port()
    with stage.zygote() as zygote:
        zygote.call("tests.faults.people:found")
        for _, body in webhooks:
            dying = zygote.start("web", PORT=port, CRASH_AT=point)
            wait_until(lambda: answers(port))
            assert post(port, body) == 0
            zygote.kill(dying)
        zygote.start("web", PORT=port)
        wait_until(lambda: answers(port))
        stored = stage.one("SELECT count(*) FROM whatsapp_webhookevent")
        with Meta([port]) as meta:
            meta.deliver(webhooks)
            wait_until(lambda: not meta.waiting)
        zygote.call("tests.faults.people:drain")

        lost, doubled = count_messages(stage, meta.history.acknowledged)
        _note(point, times, f"{lost} lost, {doubled} double; {stored} were stored when it died")
        assert stored == (times if point == "intake.after-commit" else 0)
        assert (lost, doubled) == (0, 0)


@pytest.mark.parametrize("point", ["drain.after-claim", "drain.before-commit", "drain.after-commit"])
def test_a_worker_that_merges_and_dies_at(stage: Stage, scale, point: str):
    times = scale(2, 20)
    with stage.zygote() as zygote:
        zygote.call("tests.faults.people:found")
        webhooks = texts(times * 20, people=PEOPLE)
        for first in range(0, len(webhooks), 20):
            zygote.call("tests.faults.people:store", bodies=[body.decode() for _, body in webhooks[first : first + 20]])
            assert die(zygote, "tests.faults.people:drain", point) == DIED
        zygote.call("tests.faults.people:drain")

        lost, doubled = count_messages(stage, dict(webhooks))
        _note(point, times, f"{lost} lost, {doubled} double")
        assert (lost, doubled) == (0, 0)


@pytest.fixture
def scene(stage: Stage) -> Iterator[tuple[Zygote, Simulator, dict[str, str]]]:
    """A company whose customers have just written, and a WhatsApp that tells nobody what became of a message."""
    with simulator(app_port=9, withhold_statuses=True) as whatsapp:
        settings = {"GRAPH_API_URL": whatsapp.url, "SEND_LEASE_SECONDS": 1}
        with stage.zygote(**settings) as zygote:
            company = zygote.call("tests.faults.people:found", pace=1000)
            yield zygote, whatsapp, company


# Where it dies, and whether WhatsApp had the message by then.
SENDING = {
    "dispatch.after-claim": False,
    "dispatch.before-post": False,
    "dispatch.after-post": True,
    "settle.before-commit": True,
    "settle.after-commit": True,
}


@pytest.mark.parametrize("point", SENDING)
def test_a_sender_that_dies_at(stage: Stage, scale, scene, point: str):
    """It ends accepted or unknown, never silently back in the queue: nobody knows what WhatsApp has."""
    times = scale(2, 20)
    zygote, whatsapp, company = scene
    zygote.call("tests.faults.people:talk", people=times)
    for n in range(times):
        zygote.call("tests.faults.people:compose", tenant=company["tenant"], count=1, first=n)
        assert die(zygote, "tests.faults.people:dispatch", point, **company) == DIED
    wait_until(lambda: _leases(stage) == 0, seconds=10)
    zygote.call("tests.faults.people:reconcile")
    assert zygote.call("tests.faults.people:dispatch", **company) == 0  # another sender comes by, and finds nothing

    states = dict(stage.sql("SELECT status, count(*) FROM crm_message WHERE direction = 'outbound' GROUP BY 1"))
    never, doubled, _ = count_sends(stage, whatsapp)
    _note(
        point,
        times,
        f"{doubled} sent twice; " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
    )
    assert states == {"accepted" if point == "settle.after-commit" else "unknown": times}
    assert doubled == 0
    assert never == (0 if SENDING[point] else times)


@pytest.mark.parametrize("point", ["reconcile.before-commit"])
def test_a_reconciler_that_dies_at(stage: Stage, scale, scene, point: str):
    """What it had decided is undone with it, and the next one decides the same."""
    times = scale(2, 20)
    zygote, _, company = scene
    zygote.call("tests.faults.people:talk", people=1)
    zygote.call("tests.faults.people:compose", tenant=company["tenant"], count=1)
    assert die(zygote, "tests.faults.people:dispatch", "dispatch.after-post", **company) == DIED
    wait_until(lambda: _leases(stage) == 0, seconds=10)
    for _ in range(times):
        assert die(zygote, "tests.faults.people:reconcile", point) == DIED
        assert stage.one("SELECT status FROM crm_message WHERE direction = 'outbound'") == "sending"

    zygote.call("tests.faults.people:reconcile")
    _note(point, times, "still sending each time, then unknown")
    assert stage.one("SELECT status FROM crm_message WHERE direction = 'outbound'") == "unknown"


@pytest.mark.parametrize("point", ["freezing.before-commit:2", "freezing.after-commit"])
def test_a_worker_that_freezes_a_list_and_dies_at(stage: Stage, point: str):
    """It dies at every page; the next one goes on where it stopped, and everybody is on the list once."""
    count, times = 2_500, 0
    with stage.zygote() as zygote:
        company = zygote.call("tests.faults.people:found")
        zygote.call("tests.faults.people:write_broadcast", tenant=company["tenant"], count=count)
        while die(zygote, "tests.faults.people:freeze_lists", point) == DIED:
            times += 1
        listed = stage.one("SELECT count(*) FROM sequences_recipient WHERE fate = 'waiting'")
        people = stage.one("SELECT count(DISTINCT conversation_id) FROM sequences_recipient")
        state, priced = stage.sql("SELECT state, forecast->0->>'count' FROM sequences_broadcast")[0]

    _note(point, times, f"{count - people} lost, {listed - people} double")
    assert times >= 2
    assert (listed, people, state, int(priced)) == (count, count, "ready", count)


def _leases(stage: Stage) -> int:
    return stage.one("SELECT count(*) FROM crm_message WHERE status = 'sending' AND lease_expires_at > now()")


def _note(point: str, times: int, found: str) -> None:
    report.note("F7", f"dies at `{point}`", f"{times} times", found)
