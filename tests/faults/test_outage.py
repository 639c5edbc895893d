"""The database away for long, while Meta goes on delivering: what became of the webhooks, the web process and the backlog."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
import pytest

from tests.bench.load import percentile
from tests.bench.report import milliseconds, rate
from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages
from tests.faults.killing import beats, web_slots, worker_slots
from tests.faults.sender import PatientMeta, endless_texts
from tests.faults.stage import Stage, new_port, wait_until

OUTAGE_S, RATE = 600, 50
QUICKLY_S = 1.0  # Meta wants fewer than 1 % of the answers later than this (webhooks, performance)
MOST_GROWN = 48 * 2**20
TIMES_THE_RATE = 5


@pytest.mark.nightly
def test_an_outage_of_the_database(stage: Stage):
    """F3, long: 503 at once while it is away, and all of it within half of that time once it is back.

    The worker lives through the outage, but is held still until everything is stored, so that there is a backlog to
    measure: Meta's waits would spread it over minutes.
    """
    port = new_port()
    with (
        stage.zygote() as zygote,
        web_slots(zygote, [port]) as (web,),
        worker_slots(zygote, 1) as (worker,),
        beats(zygote),
    ):
        zygote.call("tests.faults.people:found")
        waits = {"first_wait_s": 1.0, "longest_wait_s": OUTAGE_S * 0.4}
        with PatientMeta(port, endless_texts(people=500), rate=RATE, **waits) as meta:
            time.sleep(2)
            wait_until(lambda: len(meta.history.latencies) > RATE and not stage.one(BACKLOG))
            with _memory_of(web.pid) as memory:
                stage.stop_postgres()
                away = time.monotonic()
                time.sleep(OUTAGE_S)
                zygote.kill(worker.pid, signal.SIGSTOP)
                back = time.monotonic()
                stage.start_postgres()
            wait_until(lambda: not _missing(meta, back), seconds=OUTAGE_S)
            stored_after = time.monotonic() - back
            waiting = stage.one(BACKLOG)
            zygote.kill(worker.pid, signal.SIGCONT)
            began = time.monotonic()
            wait_until(lambda: stage.one(BACKLOG) == 0, seconds=60 + OUTAGE_S, every=0.1)
            drained = waiting / (time.monotonic() - began)  # beside those that came meanwhile
            meta.bring_no_more()
            wait_until(lambda: not meta.waiting, seconds=OUTAGE_S)
        wait_until(lambda: stage.one(BACKLOG) == 0)
        assert zygote.is_alive(worker.pid)

    history = meta.history
    lost, doubled = count_messages(stage, history.acknowledged)
    during = [seconds for at, seconds in history.refusals if away < at < back]
    slow, grown = sum(seconds > QUICKLY_S for seconds in during), max(memory) - memory[0]
    report.note(
        "F3 G25",
        "PostgreSQL away for long; each webhook comes again with growing waits",
        f"{OUTAGE_S} s, {RATE} webhooks/s",
        f"**{lost} lost, {doubled} double** of {len(meta.sent):,}; {history.answers[503]:,} × 503,"
        f" p99 {milliseconds(percentile(during, 0.99))}, {slow} later than 1 s; the web process grew by {grown / 2**20:.0f} MB;"
        f" all stored {stored_after:.0f} s after its return; a backlog of {waiting:,} merged at {rate(drained)}",
    )
    assert (lost, doubled) == (0, 0)
    assert set(history.acknowledged) == set(meta.sent)
    assert set(history.answers) <= {200, 503}
    assert len(during) >= OUTAGE_S * RATE
    assert slow < len(during) / 100
    assert grown < MOST_GROWN
    assert stored_after <= OUTAGE_S / 2
    assert drained >= TIMES_THE_RATE * RATE


def _missing(meta: PatientMeta, moment: float) -> Sequence[str]:
    """Those that were first sent before the moment and have not been answered with 200."""
    return [name for name in meta.sent_before(moment) if name not in meta.history.acknowledged]


@contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """Bytes that the process and its children hold, four times a second."""
    root, seen, ended = psutil.Process(pid), list[int](), threading.Event()

    def look() -> None:
        while True:
            seen.append(sum(one.memory_info().rss for one in (root, *root.children(recursive=True))))
            if ended.wait(0.25):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
