import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from crm.views import health
from tenants import counters
from tenants.context import system_transaction
from whatsapp.models import WebhookEvent


@pytest.fixture(autouse=True)
def _from_zero():
    counters.flush()
    counters._redis().delete("ventana:totals", "ventana:levels", "ventana:seen")


@pytest.fixture
def at_work():
    counters.heartbeat("worker")
    counters.heartbeat("beat")


@pytest.fixture
def redis_down(monkeypatch, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(counters, "_connection", None)


def receive(state="new", *, due_ago=timedelta(), **fields) -> None:
    with system_transaction():
        WebhookEvent.objects.create(body=b"{}", state=state, next_attempt_at=timezone.now() - due_ago, **fields)


def numbers(client) -> dict[str, float]:
    """Every sample of /metrics by its name and labels, as a monitoring system would read it."""
    text = client.get("/metrics").content.decode()
    return {
        sample.name + "".join(f"|{value}" for _label, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_process_is_up_without_asking_the_database(client):
    answer = client.get("/healthz")  # this test may not use the database at all

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_every_part_works(client, db, at_work):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_not_ready_while_nobody_works(client, db):
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["failing"] == {"worker": "never seen", "beat": "never seen"}


def test_not_ready_when_the_worker_was_last_seen_long_ago(client, db, at_work):
    counters._redis().hset("ventana:seen", "worker", repr(time.time() - 600))

    assert client.get("/readyz").json()["failing"] == {"worker": "last seen 600 seconds ago"}


def test_not_ready_without_redis(client, db, redis_down):
    failing = client.get("/readyz").json()["failing"]

    assert failing == {"redis": "ConnectionError", "worker": "ConnectionError", "beat": "ConnectionError"}


def test_not_ready_without_the_database(client, db, at_work, monkeypatch):
    monkeypatch.setattr(health, "connection", _Unreachable())

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["failing"] == {"database": "OperationalError", "backlog": "OperationalError"}


def test_not_ready_when_webhooks_pile_up(client, db, at_work):
    receive(due_ago=timedelta(minutes=10))

    assert client.get("/readyz").json()["failing"] == {"backlog": "the oldest webhook has waited 600 seconds"}


def test_an_event_that_waits_for_its_next_try_is_no_backlog(client, db, at_work):
    receive(due_ago=-timedelta(minutes=30), received_at=timezone.now() - timedelta(hours=2))

    assert client.get("/readyz").status_code == 200


def test_webhooks_are_counted_by_what_became_of_them(client, db):
    receive("new", due_ago=timedelta(seconds=90))
    receive("unrouted")
    receive("dead")
    receive("dead")
    receive("done")

    found = numbers(client)

    assert found["ventana_webhook_events|new"] == 1
    assert found["ventana_webhook_events|unrouted"] == 1
    assert found["ventana_webhook_events|dead"] == 2
    assert found["ventana_webhook_backlog_age_seconds"] == pytest.approx(90, abs=5)


def test_counted_things_are_told_with_their_labels(client, db):
    counters.count("webhooks_accepted_total", 7)
    counters.count("webhooks_rejected_total", reason="signature")
    counters.count("messages_total", 3, direction="outbound", status="delivered")
    counters.count("sends_total", outcome="unknown")
    counters.level("live_clients", 2)

    found = numbers(client)

    assert found["ventana_webhooks_accepted_total"] == 7
    assert found["ventana_webhooks_rejected_total|signature"] == 1
    assert found["ventana_messages_total|outbound|delivered"] == 3
    assert found["ventana_sends_total|unknown"] == 1
    assert found["ventana_live_clients"] == 2


def test_what_never_happened_is_told_as_zero(client, db):
    found = numbers(client)

    assert found["ventana_webhooks_accepted_total"] == 0
    assert found["ventana_webhook_backlog_age_seconds"] == 0


def test_without_redis_the_rest_is_told(client, db, redis_down):
    found = numbers(client)

    assert found["ventana_up|redis"] == 0
    assert found["ventana_up|database"] == 1
    assert "ventana_webhook_events|new" in found


def test_metrics_cost_one_query(client, db, django_assert_max_num_queries):
    # Opening and closing the system scope costs three more.
    with django_assert_max_num_queries(6):
        client.get("/metrics")


class _Unreachable:
    def cursor(self):
        raise OperationalError("could not connect to 10.0.0.7")
