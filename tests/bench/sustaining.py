"""The whole system at the rate Meta asks of a number with 1,000 messages/s: accepted and merged, for as long as it comes."""

import time
from collections.abc import Iterator

from django.db import connection

from tenants.context import system_transaction
from tests.bench import crowd, webhooks
from tests.bench.load import steady
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds, rate
from tests.bench.stage import Stage, wait_until
from tests.cast import found_company

NUMBER = "900000000000001"
RATE = 3300
# “3× outgoing + 1× incoming” (Meta, webhooks: throughput): three statuses for each message of ours, and a text.
WORDS = ("sent", "delivered", "read")


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """One web process, one worker process; whoever wrote is known, which is the usual case."""
    each = RATE * (5 if options.quick else 20) // 4
    company = found_company("sustaining", number_id=NUMBER)
    crowd.populate(stage, company, last=each, messages=0)
    crowd.write_campaign(stage, company, count=each, status="accepted")
    requests = [webhooks.signed(body, port=stage.port) for i in range(1, each + 1) for body in _bodies(i)]

    with stage.web(), stage.worker(), stage.beat():
        began = time.monotonic()
        load = steady(stage.port, requests, rate=RATE)
        wait_until(_is_merged, seconds=120)
        seconds = time.monotonic() - began
    merged = len(load.latencies) / seconds
    half, late = load.percentile(0.5), load.percentile(0.99)
    options.say(f"{len(requests)} in {load.seconds:.1f} s, merged after {seconds:.1f} s, {load.refused} refused")
    # What is offered is the most that can be measured; the last batch takes its moment.
    yield Figure(
        f"accepted and merged, of {rate(RATE)} offered", rate(merged), f"≥ {rate(RATE)}", merged >= 0.95 * RATE
    )
    yield Figure("… answered within, p50", milliseconds(half), "≤ 50 ms", half <= 0.05)
    yield Figure("… answered within, p99", milliseconds(late), "≤ 250 ms", late <= 0.25)


def _bodies(i: int) -> Iterator[bytes]:
    yield webhooks.wrote(i, wamid=f"sustaining{i}", number_id=NUMBER)
    for seconds, word in enumerate(WORDS):
        yield webhooks.reported(word, wamid=f"wamid.out.{i}", number_id=NUMBER, at=int(time.time()) + seconds)


def _is_merged() -> bool:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM whatsapp_webhookevent WHERE state = 'new')")
        return cursor.fetchone()[0]
