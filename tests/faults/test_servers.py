"""Cut and stalled lines to PostgreSQL and Redis, and sessions that an operator ends."""

import http.client
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.bench.report import milliseconds
from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages
from tests.faults.killing import beats, web_slots, worker_slots
from tests.faults.proxy import Proxy
from tests.faults.sender import Meta, texts
from tests.faults.stage import Stage, new_port, wait_until

_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity WHERE datname = 'ventana' AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY random() LIMIT %s) AS victim
"""


def test_database_sessions_that_are_ended_at_random(stage: Stage, scale):
    """F4."""
    count, times = scale(500, 4_000), scale(4, 40)
    port, rate = new_port(), scale(150, 100)
    with stage.zygote() as zygote, web_slots(zygote, [port]), worker_slots(zygote, 1), beats(zygote):
        zygote.call("tests.faults.people:found")
        ended = 0
        with Meta([port], rate=rate) as meta:
            meta.deliver(texts(count, people=count // 10))
            for _ in range(times):
                time.sleep(random.uniform(0.3, 1.2))
                ended += stage.one(_END_SESSIONS, 3)
            meta.rate = None
            wait_until(lambda: not meta.waiting, seconds=120)
        wait_until(lambda: stage.one(BACKLOG) == 0)

        lost, doubled = count_messages(stage, meta.history.acknowledged)
        others = set(meta.history.answers) - {200}
        report.note("F4", "`pg_terminate_backend` of random sessions", f"{count:,} webhooks, {ended} sessions ended",
                    f"**{lost} lost, {doubled} double**; {meta.history.answers[503]} × 503")  # fmt: skip
        assert (lost, doubled) == (0, 0)
        assert others <= {503}


@pytest.mark.nightly
def test_redis_that_is_stalled_and_cut_off(stage: Stage, scale):
    """F5: webhooks are taken meanwhile, and the work goes on by itself afterwards."""
    seconds = scale(4, 60)
    count, port = seconds * 50, new_port()
    with (
        Proxy(stage.servers.redis.port) as line,
        stage.zygote(REDIS_URL=_through(line, stage.servers.redis_url)) as zygote,
    ):
        with web_slots(zygote, [port]), worker_slots(zygote, 1), beats(zygote):
            zygote.call("tests.faults.people:found")
            with Meta([port], rate=50) as meta:
                meta.deliver(texts(count, people=100))
                line.stalled = True
                time.sleep(seconds / 2)
                line.refused = True
                line.cut()
                line.stalled = False
                wait_until(lambda: not meta.waiting, seconds=seconds + 60)
            stored = stage.one("SELECT count(*) FROM whatsapp_webhookevent")
            line.clear()
            began = time.monotonic()
            wait_until(lambda: stage.one(BACKLOG) == 0)
            resumed = time.monotonic() - began

        lost, doubled = count_messages(stage, meta.history.acknowledged)
        report.note(
            "F5",
            "Redis stalled, then unreachable",
            f"{seconds} s, {count:,} webhooks meanwhile",
            f"**{lost} lost, {doubled} double**; all answered 200, p99 {milliseconds(meta.history.p99())};"
            f" backlog empty {resumed:.0f} s after its return",
        )
        assert stored == count
        assert set(meta.history.answers) == {200}
        assert (lost, doubled) == (0, 0)


@pytest.mark.nightly
def test_pages_after_postgresql_was_restarted(stage: Stage, scale):
    """F3: the connections that lay in the pool are dead, and nobody is shown that."""
    rounds, port = scale(1, 5), new_port()
    seen: Counter[int] = Counter()
    with stage.zygote() as zygote, web_slots(zygote, [port]), ThreadPoolExecutor(20) as people:
        for _ in range(rounds):
            warm = set(people.map(lambda _: _page(port), range(60)))
            assert warm == {200}
            stage.crash_postgres()
            seen.update(_page(port) for _ in range(30))

    report.note("F3", "pages after PostgreSQL was stopped `immediate` and started", f"{rounds} times, {sum(seen.values())} pages",
                f"**{sum(seen.values()) - seen[200]} failed**")  # fmt: skip
    assert set(seen) == {200}


def _page(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/accounts/login/", headers={"Cookie": "sessionid=abcdefabcdefabcdefabcdefabcdefab"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.nightly
def test_postgresql_that_is_stalled_and_cut_off(stage: Stage, scale):
    """F3: 503 while it is away, 200 only for what is stored."""
    rounds, port = scale(2, 8), new_port()
    count = rounds * 100
    with Proxy(stage.servers.postgres.port) as line:
        database = _through(line, stage.servers.database_url)
        with (
            stage.zygote(DATABASE_URL=database) as zygote,
            web_slots(zygote, [port]),
            worker_slots(zygote, 1),
            beats(zygote),
        ):
            zygote.call("tests.faults.people:found")
            with Meta([port], rate=100) as meta:
                meta.deliver(texts(count, people=50))
                for _ in range(rounds):
                    time.sleep(0.4)
                    line.stalled = True
                    time.sleep(0.3)
                    line.cut()  # an answer to COMMIT may be among what was held up
                    line.refused = True
                    line.stalled = False
                    time.sleep(0.5)
                    line.clear()
                wait_until(lambda: not meta.waiting, seconds=120)
            wait_until(lambda: stage.one(BACKLOG) == 0)

        lost, doubled = count_messages(stage, meta.history.acknowledged)
        stored = stage.one("SELECT count(*) FROM whatsapp_webhookevent")
        report.note(
            "F3",
            "the line to PostgreSQL stalled, cut and refused",
            f"{count} webhooks, {rounds} times",
            f"**{lost} lost, {doubled} double**; {meta.history.answers[503]} × 503;"
            f" {stored - count} stored twice because the answer to COMMIT was lost, and merged once",
        )
        assert (lost, doubled) == (0, 0)
        assert set(meta.history.answers) <= {200, 503}


def _through(line: Proxy, url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{line.port}"))


def test_a_worker_with_bells_in_hand_outlives_redis_and_says_what_is_wrong(stage: Stage):
    """F5: what it has not acknowledged must not end it. Its work is held back by a lock, so that it has bells in hand."""
    with stage.zygote() as zygote, worker_slots(zygote, 1) as (worker,), beats(zygote):
        zygote.call("tests.faults.people:found")
        wait_until(worker.is_up)
        with psycopg.connect(stage.servers.database_url) as holder:
            holder.execute("LOCK TABLE whatsapp_webhookevent IN ACCESS EXCLUSIVE MODE")
            wait_until(lambda: stage.redis.hlen("unacked") > 0)
            stage.kill_redis()
            wait_until(lambda: "Connection to broker lost" in zygote.log.read_text())
        stage.start_redis()
        wait_until(lambda: stage.redis.hexists("ventana:seen", "beat"))  # a sweep was run
        assert zygote.is_alive(worker.pid)
