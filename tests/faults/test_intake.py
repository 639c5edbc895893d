"""Webhooks while the web processes, the workers, PostgreSQL and Redis are killed: none lost, none merged twice."""

import random
import time

from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages
from tests.faults.killing import Killer, beats, web_slots, worker_slots
from tests.faults.sender import Meta, texts, with_duplicates
from tests.faults.stage import Stage, new_port, wait_until


def test_nothing_is_lost_and_nothing_doubled_while_everything_is_killed(stage: Stage, scale):
    """F1, F2, F3, F5, F15 in one run, as they come in life: together."""
    count, again, kills = scale(1_500, 10_000), scale(300, 2_000), scale(12, 200)
    people = count // 10
    with stage.zygote() as zygote:
        zygote.call("tests.faults.people:found")
        webhooks = texts(count, people=people)
        ports = [new_port(), new_port()]
        with web_slots(zygote, ports) as webs, worker_slots(zygote) as workers, beats(zygote, 1):
            # The load lasts as long as the killing does; what is left when that is over goes as fast as it can.
            with Meta(ports, rate=scale(120, 80)) as meta:
                meta.deliver(with_duplicates(webhooks, count=again))
                with (
                    Killer(webs, life_s=(0.05, 0.9), most=kills) as web_killer,
                    Killer(workers, life_s=(0.05, 0.9), most=kills) as worker_killer,
                ):
                    downtime = _break_the_servers(stage)
                    wait_until(lambda: web_killer.is_done and worker_killer.is_done, seconds=900)
                last_kill = max(web_killer.last_at, worker_killer.last_at)
                meta.rate = None
                wait_until(lambda: not meta.waiting, seconds=120)
            wait_until(lambda: stage.one(BACKLOG) == 0, seconds=60)
            drained = time.monotonic() - last_kill
            history = meta.history

        lost, doubled = count_messages(stage, history.acknowledged)
        report.note(
            "F1 F2 F3 F5",
            "kill -9 of web and workers, PostgreSQL stopped `immediate`, Redis flushed and killed, under load",
            f"{count:,} webhooks + {again:,} duplicates; {web_killer.kills} web and {worker_killer.kills} workers killed;"
            f" PostgreSQL 2 times, back after {max(downtime):.1f} s at most; Redis flushed, then away with all it knew",
            f"**{lost} lost, {doubled} double**; backlog empty {drained:.0f} s after the last kill; answers other than 200:"
            f" {history.answers[503]} × 503, {history.answers[0]} broken, {_others(history.answers)} others",
        )
        assert len(history.acknowledged) == count
        assert (lost, doubled) == (0, 0)
        assert set(history.answers) <= {0, 200, 503}
        assert web_killer.kills >= kills and worker_killer.kills >= kills

        replayed = zygote.call("tests.faults.people:replay_everything")
        report.note("F15", "every stored webhook replayed", f"{replayed['webhooks']:,} webhooks",
                    f"**{replayed['rows']} rows changed**")  # fmt: skip
        assert replayed["webhooks"] >= count
        assert (replayed["rows"], replayed["failed"]) == (0, [])


def _break_the_servers(stage: Stage) -> list[float]:
    """PostgreSQL twice, Redis flushed and killed, while the load runs; seconds until PostgreSQL was back, each time."""
    downtime = []
    for blow in ("postgres", "flush", "redis", "postgres"):
        time.sleep(random.uniform(1.5, 3))
        if blow == "postgres":
            began = time.monotonic()
            stage.crash_postgres()
            downtime.append(time.monotonic() - began)
        elif blow == "flush":
            stage.redis.flushall()
        else:
            stage.kill_redis()
            time.sleep(2)
            stage.start_redis()
    return downtime


def _others(answers) -> int:
    return sum(amount for status, amount in answers.items() if status not in (0, 200, 503))
