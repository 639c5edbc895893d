"""Webhooks accepted durably by one web process, beside an answer that does nothing and an ordinary Django view.

An empty answer seals nothing and commits nothing. The seal, the statement and the commit share the cores with the load
generator, and the empty answer itself varies more than ours from run to run: on two cores the share was 31 to 57 %.
"""

from collections.abc import Iterator

from tests.bench import webhooks
from tests.bench.load import saturate
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds, rate, times
from tests.bench.stage import Stage

NUMBER = "900000000000001"


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """Nobody merges meanwhile: this is the door alone."""
    seconds = 3 if options.quick else 8
    bodies = [webhooks.wrote(i, wamid=f"intake{i}", number_id=NUMBER) for i in range(4000)]
    requests = [webhooks.signed(body, port=stage.port) for body in bodies]
    options.say(f"bodies of {len(bodies[0])} bytes, 64 connections, {seconds} s each")

    found = {}
    for name, application in (
        ("empty", "tests.bench.empty:application"),
        ("plain", "tests.bench.plain:application"),
        ("intake", "crm.asgi:application"),
    ):
        stage.empty()
        with stage.web(application):
            found[name] = saturate(stage.port, requests, seconds=seconds)
        options.say(f"{name}: {found[name].per_second:,.0f}/s")
        if found[name].refused:
            raise RuntimeError(f"{name} refused {found[name].refused} requests.")
    intake, share = found["intake"], found["intake"].per_second / found["empty"].per_second
    yield Figure(
        "webhooks accepted durably, one process", rate(intake.per_second), "≥ 10,000/s", intake.per_second >= 10_000
    )
    yield Figure(
        "… answered within, p50 · p99",
        f"{milliseconds(intake.percentile(0.5))} · {milliseconds(intake.percentile(0.99))}",
        "250 ms · 1 s",
        intake.percentile(0.99) <= 0.25,
    )
    yield Figure(
        "… as a share of an empty ASGI answer",
        f"{share:.0%} of {rate(found['empty'].per_second)}",
        "≥ 40 %",
        share >= 0.4,
    )
    yield Figure(
        "… against a Django view that inserts one row",
        times(intake.per_second / found["plain"].per_second) + f" of {rate(found['plain'].per_second)}",
    )
