"""For machines: is the process up, is the whole ready, and the numbers."""

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import redis
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from tenants import counters
from tenants.context import system_transaction

# Beat rings every 2 seconds and the worker answers; a worker busy with one long task is still alive.
BEAT_SECONDS = 60
WORKER_SECONDS = 120
BACKLOG_SECONDS = 300


class NotReady(Exception):
    """A part of the whole does not work; the text says which and since when."""


@never_cache
@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200, or 503 with the reason for each part that fails."""
    parts = {
        "database": _check_database,
        "redis": _check_redis,
        "worker": lambda: _check_seen("worker", WORKER_SECONDS),
        "beat": lambda: _check_seen("beat", BEAT_SECONDS),
        "backlog": _check_backlog,
    }
    failing = {name: reason for name, check in parts.items() if (reason := _reason(check))}
    status = {"status": "failing", "failing": failing} if failing else {"status": "ok"}
    response = JsonResponse(status, status=503 if failing else 200)
    # Who asks every second knows; the log need not.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Numbers(Collector):
    """Reads everything at the moment it is asked; what cannot be read is left out and `ventana_up` says so."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("ventana_up", "Whether the part could be read.", labels=["part"])
        for part, read in (("redis", _shared_numbers), ("database", _webhook_numbers)):
            try:
                found = list(read())
            except (DatabaseError, redis.RedisError):
                found = []
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
            yield from found
        yield up


def _shared_numbers() -> Iterator[Metric]:
    totals = {("webhooks_accepted_total", ()): 0} | counters.read_totals()
    for name, group in groupby(sorted(totals.items()), key=lambda item: item[0][0]):
        members = [(dict(labels), amount) for (_name, labels), amount in group]
        labels = sorted({label for own, _amount in members for label in own})
        metric = CounterMetricFamily(f"ventana_{name}", f"{name.replace('_', ' ')}, by all processes.", labels=labels)
        for own, amount in members:
            metric.add_metric([own.get(label, "") for label in labels], amount)
        yield metric
    for name, value in ({"live_clients": 0.0} | counters.read_levels()).items():
        yield GaugeMetricFamily(f"ventana_{name}", f"{name.replace('_', ' ')}, in all processes.", value=value)


def _webhook_numbers() -> Iterator[Metric]:
    amounts, oldest = _backlog()
    events = GaugeMetricFamily("ventana_webhook_events", "Stored webhooks that are not merged.", labels=["state"])
    for state, amount in amounts.items():
        events.add_metric([state], amount)
    yield events
    yield GaugeMetricFamily("ventana_webhook_backlog_age_seconds", "Age of the oldest one waiting.", value=oldest)


# Answered from the two partial indexes, however many are done. The age counts from when an event was due: one that
# failed and waits for its next try is not a backlog.
_BACKLOG = """
SELECT (SELECT count(*) FROM whatsapp_webhookevent WHERE state = 'new'),
       (SELECT count(*) FROM whatsapp_webhookevent WHERE state = 'unrouted'),
       (SELECT count(*) FROM whatsapp_webhookevent WHERE state = 'dead'),
       (SELECT greatest(0, extract(epoch FROM now() - min(next_attempt_at)))
          FROM whatsapp_webhookevent WHERE state = 'new')
"""


def _backlog() -> tuple[dict[str, int], float]:
    """How many webhooks wait in each state, and for how many seconds the oldest new one has been due."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_BACKLOG)
        new, unrouted, dead, oldest = cursor.fetchone()
    return {"new": new, "unrouted": unrouted, "dead": dead}, float(oldest or 0)


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_redis() -> None:
    counters.ping()


def _check_seen(name: str, seconds: float) -> None:
    seen = counters.last_seen(name)
    if seen is None:
        raise NotReady("never seen")
    if (silent := time.time() - seen) > seconds:
        raise NotReady(f"last seen {silent:.0f} seconds ago")


def _check_backlog() -> None:
    _amounts, age = _backlog()
    if age > BACKLOG_SECONDS:
        raise NotReady(f"the oldest webhook has waited {age:.0f} seconds")


def _reason(check: Callable[[], Any]) -> str:
    try:
        check()
    except NotReady as failure:
        return str(failure)
    except (DatabaseError, redis.RedisError) as failure:
        # The class says enough; the text of a connection error holds addresses.
        return type(failure).__name__
    return ""
