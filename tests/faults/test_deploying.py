"""F19: processes are replaced in order, one after the other, and the schema grows in between, under load."""

import signal
import time
from collections import Counter

import pytest

from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages, count_sends
from tests.faults.killing import Slot, beats, web_slots, worker_slots
from tests.faults.sender import Meta, texts
from tests.faults.stage import Stage, new_port, simulator, wait_until

UNSENT = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status IN ('queued', 'sending', 'unknown')"


@pytest.mark.nightly
def test_a_rolling_restart_with_a_migration_in_the_middle(stage: Stage, scale):
    """SIGTERM, as every host sends it. What is under way is finished, what is not begun is left to the next."""
    rounds, ports = scale(1, 4), [new_port(), new_port()]
    count, sends = rounds * 500, rounds * 200
    with (
        simulator(app_port=ports[0], delay_ms=[20, 120]) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url) as zygote,
    ):
        company = zygote.call("tests.faults.people:found")
        zygote.call("tests.faults.people:talk", people=100)
        with web_slots(zygote, ports) as webs, worker_slots(zygote) as workers, beats(zygote) as metronomes:
            with Meta(ports, rate=100) as meta:
                meta.deliver(texts(count, people=100))
                writing = zygote.call("tests.faults.people:compose", wait=False, tenant=company["tenant"], count=sends)
                ends: Counter[str] = Counter()
                for n in range(rounds):
                    for slot in (*webs, *workers, *metronomes):
                        ends[_replace(slot)] += 1
                    # The next release's column, while the code of this one runs.
                    stage.sql(f"ALTER TABLE crm_message ADD COLUMN of_the_next_release_{n} text NOT NULL DEFAULT ''")
                wait_until(lambda: not meta.waiting, seconds=120)
            wait_until(lambda: not zygote.is_alive(writing), seconds=60)
            wait_until(lambda: stage.one(BACKLOG) == 0)
            wait_until(lambda: stage.one(UNSENT) == 0)
        for n in range(rounds):
            stage.sql(f"ALTER TABLE crm_message DROP COLUMN of_the_next_release_{n}")

        lost, doubled = count_messages(stage, meta.history.acknowledged, is_unread=False)
        never, twice, _ = count_sends(stage, whatsapp)
        answers = meta.history.answers
        report.note(
            "F19",
            "rolling restart by SIGTERM, a column added in the middle",
            f"{count:,} webhooks and {sends:,} sends, {sum(ends.values())} processes replaced",
            f"**{lost} lost, {doubled} double; {never} never sent, {twice} sent twice**, none of unknown outcome;"
            f" {answers[0]} connections broken, {answers[503]} × 503; {ends['in time']} ended in time, {ends['killed']} did not",
        )
        assert (lost, doubled) == (0, 0)
        assert (never, twice) == (0, 0)
        assert set(answers) <= {0, 200, 503}
        assert not ends["killed"]


def _replace(slot: Slot) -> str:
    """Ask it to end, wait until it has, start the next."""
    slot.zygote.kill(slot.pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while slot.zygote.is_alive(slot.pid):
        if time.monotonic() > deadline:
            slot.kill()
            break
        time.sleep(0.05)
    ended = "in time" if time.monotonic() < deadline else "killed"
    slot.restart()
    wait_until(slot.is_up)
    return ended
