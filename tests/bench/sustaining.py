"""The whole system at the rate Meta asks of a number with 1,000 messages/s: accepted and merged, for as long as it comes.

`SUSTAIN_S=300 make bench ONLY=sustaining` adds five minutes at 1,000 requests/s.
"""

import itertools
import time
from collections.abc import Iterator

from django.db import connection

from tenants.context import system_transaction
from tests.bench import crowd, webhooks
from tests.bench.load import Load, steady
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds, rate
from tests.bench.stage import Stage, wait_until
from tests.cast import found_company

NUMBER = "900000000000001"
RATE = 3300
LONG_RATE = 1000
BURST, BURST_S = 10_000, 10
LATE_S = 1.0
# “3× outgoing + 1× incoming” (Meta, webhooks: throughput): three statuses for each message of ours, and a text.
WORDS = ("sent", "delivered", "read")
EACH = 1 + len(WORDS)


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """One web process, one worker process; whoever wrote is known, which is the usual case."""
    people = itertools.count(1)
    short = _requests(stage, people, RATE * (5 if options.quick else 20))
    burst = _requests(stage, people, BURST)
    long = _requests(stage, people, LONG_RATE * options.sustain_s)
    last = next(people) - 1
    company = found_company("sustaining", number_id=NUMBER)
    crowd.populate(stage, company, last=last, messages=0)
    crowd.write_campaign(stage, company, count=last, status="accepted")

    with stage.web(), stage.worker(), stage.beat():
        load, merged = _offered(stage, options, short, per_second=RATE)
        # What is offered is the most that can be measured; the last batch takes its moment.
        yield Figure(
            f"accepted and merged, of {rate(RATE)} offered", rate(merged), f"≥ {rate(RATE)}", merged >= 0.95 * RATE
        )
        yield from _answers(load)
        # All at once, as far as the connections go: the seconds are the figure, not how long each waited for its turn.
        load, _ = _offered(stage, options, burst, per_second=float("inf"))
        yield Figure(
            f"a burst of {BURST:,}, none refused",
            f"{load.refused} refused, all stored in {load.seconds:.1f} s",
            f"0 in {BURST_S} s",
            load.refused == 0 and load.seconds <= BURST_S,
        )
        if long:
            load, merged = _offered(stage, options, long, per_second=LONG_RATE)
            yield Figure(
                f"accepted and merged, of {rate(LONG_RATE)} offered for {options.sustain_s} s",
                rate(merged),
                f"≥ {rate(LONG_RATE)}",
                merged >= 0.95 * LONG_RATE,
            )
            yield from _answers(load)


def _requests(stage: Stage, people: Iterator[int], count: int) -> list[bytes]:
    return [
        webhooks.signed(body, port=stage.port) for i in itertools.islice(people, count // EACH) for body in _bodies(i)
    ]


def _bodies(i: int) -> Iterator[bytes]:
    yield webhooks.wrote(i, wamid=f"sustaining{i}", number_id=NUMBER)
    for seconds, word in enumerate(WORDS):
        yield webhooks.reported(word, wamid=f"wamid.out.{i}", number_id=NUMBER, at=int(time.time()) + seconds)


def _offered(stage: Stage, options: Options, requests: list[bytes], *, per_second: float) -> tuple[Load, float]:
    """How they were answered, and how many a second were merged from the first one's coming to the last one's merge."""
    began = time.monotonic()
    load = steady(stage.port, requests, rate=per_second)
    wait_until(_is_merged, seconds=120)
    seconds = time.monotonic() - began
    options.say(f"{len(requests)} in {load.seconds:.1f} s, merged after {seconds:.1f} s, {load.refused} refused")
    return load, len(load.latencies) / seconds


def _answers(load: Load) -> Iterator[Figure]:
    half, late = load.percentile(0.5), load.percentile(0.99)
    share = sum(latency > LATE_S for latency in load.latencies) / (len(load.latencies) or 1)
    yield Figure("… answered within, p50", milliseconds(half), "≤ 50 ms", half <= 0.05)
    yield Figure("… answered within, p99", milliseconds(late), "≤ 250 ms", late <= 0.25)
    yield Figure("… answered later than 1 s", f"{share:.2%}", "< 0.10%", share < 0.001)
    yield Figure("… answered otherwise than 200", f"{load.refused:,}", "0", load.refused == 0)


def _is_merged() -> bool:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM whatsapp_webhookevent WHERE state = 'new')")
        return cursor.fetchone()[0]
