"""From Meta's POST to an open page: 100 messages a second, of which 5 are in the thread that somebody has open."""

import time
from collections.abc import Iterator

from playwright.sync_api import Error as NoBrowser

from crm.models import Conversation
from crm.views.filters import Filters, Mode
from tests.bench import crowd, watching, webhooks
from tests.bench.load import percentile, steady
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds
from tests.bench.stage import Stage
from tests.cast import Company, found_company

NUMBER = "900000000000001"
RATE = 100
PEOPLE = 1000
OPEN = 1  # whose thread is open
HOLD = 0.3
LINGER_S = 3


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """A supervisor looks at everything, newest first, which is the most that a page can have to show."""
    seconds = 8 if options.quick else 20
    company = found_company("latency", number_id=NUMBER)
    crowd.populate(stage, company, last=PEOPLE, messages=10)
    people = [OPEN if i % 20 == 0 else 2 + i % (PEOPLE - 1) for i in range(RATE * seconds)]
    conversations = _conversations(company)
    session = watching.session_of(company.supervisor)
    address = f"http://127.0.0.1:{stage.port}/inbox/{conversations[OPEN]}/?{Filters(mode=Mode.ALL).query}"

    with stage.web(), stage.worker(), stage.beat():
        stream = watching.Stream(port=stage.port, session=session)
        stream.start()
        due_at = _post(stage, people, "1")
        heard = [
            at - due
            for due, person in zip(due_at, people, strict=True)
            if person != OPEN and (at := stream.moment_of(conversations[person], after=due))
        ]
        options.say(f"the stream named {len(heard)} of {sum(person != OPEN for person in people)}")
        yield _figure("webhook → event on the stream", heard)
        try:
            with watching.browser_page(address, session=session) as page:
                due_at = _post(stage, people, "2")
                shown = watching.shown_on(page)
        except NoBrowser as reason:
            yield Figure("webhook → visible in the browser", f"not measured: {str(reason).splitlines()[0]}")
            return
    rows, bubbles = [], []
    for i, (due, person) in enumerate(zip(due_at, people, strict=True)):
        if at := shown.get(f"latency-2{i:05d}"):
            (bubbles if person == OPEN else rows).append(at - due)
    options.say(f"the page showed {len(rows)} rows and {len(bubbles)} bubbles of {len(people)} messages")
    yield _figure("webhook → bubble in the open thread", bubbles, HOLD)
    yield _figure("webhook → row of the list", rows, HOLD)
    yield Figure("… messages that never showed", f"{len(people) - len(rows) - len(bubbles)} of {len(people)}")


def _post(stage: Stage, people: list[int], run: str) -> list[float]:
    began = time.time()
    bodies = [
        webhooks.wrote(
            person,
            wamid=f"latency{run}.{i}",
            number_id=NUMBER,
            text=f"latency-{run}{i:05d}",
            at=began + i / RATE,
        )
        for i, person in enumerate(people)
    ]
    requests = [webhooks.signed(body, port=stage.port) for body in bodies]
    load = steady(stage.port, requests, rate=RATE)
    time.sleep(LINGER_S)
    return load.due_at


def _conversations(company: Company) -> dict[int, str]:
    """By the number of the person."""
    with company.transaction():
        found = Conversation.objects.values_list("contact__phone", "pk")
        return {int(phone[3:]): str(id) for phone, id in found}


def _figure(what: str, latencies: list[float], hold: float | None = None) -> Figure:
    half, late = percentile(latencies, 0.5), percentile(latencies, 0.95)
    measured = f"{milliseconds(half)} · {milliseconds(late)}"
    if hold is None:
        return Figure(f"{what}, p50 · p95", measured)
    return Figure(f"{what}, p50 · p95", measured, f"p95 ≤ {milliseconds(hold)}", late <= hold)
