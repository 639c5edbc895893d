"""One worker process sending while the provider takes 100 ms to answer, and a person who answers in the middle of it."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

import psutil
from django.db import connection

from crm import bells
from crm.api.tokens import create_token
from crm.local.processes import stop
from crm.models import Conversation
from tenants.context import system_transaction
from tests.bench import crowd
from tests.bench.load import percentile
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds, rate
from tests.bench.stage import Stage, wait_until
from tests.cast import Company, found_company
from whatsapp.simulator.process import Simulator

# Of no number the simulator has declared, so that no limit of its own stands in the way.
NUMBER = "900000000000001"
UNLIMITED, ORDINARY = 5000, 80
CLICKS_PER_S = 5


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """First as fast as it goes; then at an ordinary number's 80/s, with an agent's replies among a campaign."""
    with _simulator(stage) as simulator:
        simulator.faults(delay_ms=100, withhold_statuses=True, answering=False)
        yield _throughput(stage, simulator, options)
        for name, pace in (("an ordinary number (80/s)", ORDINARY), ("a number without limit", UNLIMITED)):
            yield _click(stage, simulator, options, name, pace)


@contextmanager
def _simulator(stage: Stage) -> Iterator[Simulator]:
    """The provider, ended for certain: after thousands of messages it may take its time to close."""
    simulator = Simulator(app_url=f"http://127.0.0.1:{stage.port}").start()
    try:
        yield simulator
    finally:
        stop([psutil.Process(simulator.pid)], by=signal.SIGTERM)
        simulator.stop()


def _throughput(stage: Stage, simulator: Simulator, options: Options) -> Figure:
    count = 2_000 if options.quick else 8_000
    company = _company(stage, conversations=count, pace=UNLIMITED)
    crowd.write_campaign(stage, company, count=count)
    with stage.worker(GRAPH_API_URL=simulator.url), stage.beat():
        began = time.time()
        bells.ring_sweep()
        wait_until(lambda: _left(company) == 0, seconds=180)
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM accepted_at) FROM crm_message ORDER BY 1")
        moments = [float(row[0]) for row in cursor.fetchall() if row[0]]
    if len(moments) != count:
        raise RuntimeError(f"{count - len(moments)} messages were not accepted.")
    options.say(f"{count} sent in {moments[-1] - began:.1f} s")
    # From a tenth to nine tenths: neither the first bell nor the last page.
    first, last = count // 10, count * 9 // 10
    per_second = (last - first) / (moments[last] - moments[first])
    return Figure("messages sent, one worker process", rate(per_second), "≥ 500/s", per_second >= 500)


def _click(stage: Stage, simulator: Simulator, options: Options, name: str, pace: int) -> Figure:
    clicks = 40 if options.quick else 150
    campaign = min(pace, 700) * (clicks // CLICKS_PER_S + 8)
    stage.empty()
    simulator.reset()
    company = _company(stage, conversations=campaign + clicks, pace=pace)
    with company.transaction():
        token = create_token(company.supervisor)
    crowd.write_campaign(stage, company, count=campaign)
    with company.transaction():
        talks = list(Conversation.objects.order_by("-id")[:clicks].values_list("pk", "contact__phone"))
        Conversation.objects.update(window_expires_at="2999-01-01T00:00Z")
    environment = {"GRAPH_API_URL": simulator.url}
    with stage.web(**environment), stage.worker(**environment), stage.beat():
        bells.ring_sweep()
        time.sleep(3)
        clicked = _write_replies(stage, token, talks)
        time.sleep(2)
        left = _left(company)
    posted = {
        entry["to"]: datetime.fromisoformat(entry["at"]).timestamp()
        for entry in simulator.ledger()
        if entry["text"] == "Respuesta"
    }
    waits = [posted[phone] - at for phone, at in clicked.items() if phone in posted]
    options.say(f"{len(waits)} of {clicks} replies reached the provider; {left} of the campaign were still waiting")
    half, late = percentile(waits, 0.5), percentile(waits, 0.95)
    measured = f"{milliseconds(half)} · {milliseconds(late)}" + (
        f", {clicks - len(waits)} late" if len(waits) < clicks else ""
    )
    return Figure(
        f"click → POST in a campaign on {name}, p50 · p95",
        measured,
        "p95 ≤ 200 ms",
        late <= 0.2 and len(waits) == clicks,
    )


def _write_replies(stage: Stage, token: str, talks: list) -> dict[str, float]:
    """When each reply was asked for, by the phone it goes to."""
    clicked = {}
    client = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=30)
    for conversation_id, phone in talks:
        body = json.dumps({"type": "text", "text": "Respuesta", "client_id": str(uuid4())})
        clicked[phone] = time.time()
        client.request(
            "POST",
            f"/api/v1/conversations/{conversation_id}/messages/",
            body,
            {"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        answer = client.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"The reply was refused: {answer.status} {said[:300]!r}")
        time.sleep(max(0.0, 1 / CLICKS_PER_S - (time.time() - clicked[phone])))
    return clicked


def _company(stage: Stage, *, conversations: int, pace: int) -> Company:
    company = found_company("sending", number_id=NUMBER)
    with company.transaction():
        company.number.sends_per_second = pace
        company.number.save(update_fields=["sends_per_second"])
    crowd.populate(stage, company, last=conversations, messages=0)
    return company


def _left(company: Company) -> int:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_message WHERE status IN ('queued', 'sending')")
        return cursor.fetchone()[0]
