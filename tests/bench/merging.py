"""Stored webhooks merged by one process, beside a row-at-a-time ORM that does the same work on a sample."""

import random
import time
from collections.abc import Iterator

from django.db import connection

from crm import inbound
from tenants.context import system_transaction
from tests.bench import crowd, rowwise, webhooks
from tests.bench.options import Options
from tests.bench.report import Figure, rate, times
from tests.bench.stage import Stage
from tests.cast import found_company

NUMBER = "900000000000001"


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """Half of the events are statuses of known messages; of the texts, half come from people nobody knew."""
    scale = 4 if options.quick else 1
    texts, sent, sample = 12_000 // scale, 4_000 // scale, 2_000 // scale
    company = found_company("merging", number_id=NUMBER)
    crowd.populate(stage, company, last=2 * sent, messages=0)
    crowd.write_campaign(stage, company, count=2 * sent, status="accepted")
    mix = _texts(range(texts // 2)) + _texts(range(100_000, 100_000 + texts // 2)) + _statuses(range(1, sent + 1))

    merged = _drained(mix)
    options.say(f"merged {len(mix)} events at {rate(merged)}")
    # Once more with other ids: the first half of the baseline's people is known, the other half is new.
    small = _texts(range(sample // 4), "again") + _texts(range(200_000, 200_000 + sample // 4), "again")
    small += _statuses(range(sent + 1, sent + 1 + sample // 6))
    rowwise_rate = _row_by_row(small)
    options.say(f"row by row {len(small)} events at {rate(rowwise_rate)}")
    statuses = _drained(_statuses(range(sent + sample, 2 * sent + 1)))
    ratio = merged / rowwise_rate
    yield Figure("events merged, one process", rate(merged))
    yield Figure("… of them statuses alone", rate(statuses))
    yield Figure(
        "… against row-at-a-time ORM doing the same", f"{times(ratio)} of {rate(rowwise_rate)}", "≥ 20 ×", ratio >= 20
    )


def _texts(people: range, mark: str = "once") -> list[bytes]:
    return [webhooks.wrote(i, wamid=f"{mark}{i}", number_id=NUMBER) for i in people]


def _statuses(messages: range) -> list[bytes]:
    now = int(time.time())
    return [
        webhooks.reported(word, wamid=f"wamid.out.{i}", number_id=NUMBER, at=now + seconds)
        for i in messages
        for seconds, word in enumerate(("sent", "delivered", "read"))
    ]


def _drained(bodies: list[bytes]) -> float:
    """Events a second."""
    _stored(bodies)
    began = time.perf_counter()
    taken = inbound.drain()
    seconds = time.perf_counter() - began
    assert taken == len(bodies), (taken, len(bodies))
    assert _count("SELECT count(*) FROM whatsapp_webhookevent WHERE state <> 'done'") == 0
    assert _count("SELECT count(*) FROM crm_unmatchedstatus") == 0
    return taken / seconds


def _row_by_row(bodies: list[bytes]) -> float:
    _stored(bodies)
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM whatsapp_webhookevent WHERE state = 'new' ORDER BY id")
        ids = [row[0] for row in cursor.fetchall()]
    began = time.perf_counter()
    for event_id in ids:
        rowwise.merge_one(event_id)
    seconds = time.perf_counter() - began
    again = inbound.replay(ids)
    assert (again.inserted, sum(map(len, again.changed.values()))) == (0, 0), "The baseline left work undone."
    return len(ids) / seconds


def _stored(bodies: list[bytes]) -> None:
    bodies = list(bodies)
    random.Random(7).shuffle(bodies)
    for start in range(0, len(bodies), 1000):
        webhooks.store(bodies[start : start + 1000])


def _count(statement: str) -> int:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
