import threading
import time

import pytest
import redis
from django.conf import settings

from tenants import counters


@pytest.fixture(autouse=True)
def _from_zero():
    counters.flush()
    counters._redis().delete("ventana:totals", "ventana:levels", "ventana:seen")
    counters._own_levels.clear()
    yield
    counters._own_levels.clear()


@pytest.fixture
def redis_down(monkeypatch):
    """A Redis that answers nobody; calling the result brings it back."""
    monkeypatch.setattr(counters, "_connection", None)
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:9/0")
    return monkeypatch.undo


def test_what_was_counted_is_read():
    counters.count("sends_total", outcome="accepted")
    counters.count("sends_total", 2, outcome="accepted")
    counters.count("sends_total", outcome="unknown")

    assert counters.read_totals() == {
        ("sends_total", (("outcome", "accepted"),)): 3,
        ("sends_total", (("outcome", "unknown"),)): 1,
    }


def test_labels_are_the_same_in_any_order():
    counters.count("messages_total", direction="inbound", status="received")
    counters.count("messages_total", status="received", direction="inbound")

    assert list(counters.read_totals().values()) == [2]


def test_many_threads_lose_nothing():
    threads = [
        threading.Thread(target=lambda: [counters.count("threads_total") for _n in range(500)]) for _t in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counters.read_totals()["threads_total", ()] == 4000


def test_what_is_counted_reaches_redis_by_itself():
    counters.count("by_itself_total")

    for _tenth in range(40):
        if counters._redis().hlen("ventana:totals"):
            break
        time.sleep(0.1)

    assert counters._redis().hgetall("ventana:totals") == {'["by_itself_total"]': "1"}


def test_counting_goes_on_while_redis_is_down_and_nothing_is_lost(redis_down, monkeypatch):
    asked, real = set(), counters._redis
    monkeypatch.setattr(counters, "_redis", lambda: asked.add(threading.current_thread()) or real())
    for _event in range(1000):
        counters.count("patient_total")
    assert threading.current_thread() not in asked  # who counts waits for no Redis
    counters.flush()

    redis_down()

    assert counters.read_totals()["patient_total", ()] == 1000


def test_reading_says_when_redis_is_down(redis_down):
    with pytest.raises(redis.RedisError):
        counters.read_totals()


def test_a_heartbeat_is_seen():
    assert counters.last_seen("worker") is None

    counters.heartbeat("worker")

    assert time.time() - counters.last_seen("worker") < 5


def test_a_heartbeat_does_not_fail_while_redis_is_down(redis_down):
    counters.heartbeat("worker")


def test_levels_of_all_processes_are_added_up():
    counters.level("live_clients", 3)
    counters._redis().hset("ventana:levels", "live_clients|elsewhere:1", f"4@{time.time()}")

    assert counters.read_levels() == {"live_clients": 7}


def test_a_process_that_is_gone_has_no_level():
    counters._redis().hset("ventana:levels", "live_clients|gone:1", f"4@{time.time() - 60}")

    assert counters.read_levels() == {}
    assert counters._redis().hlen("ventana:levels") == 0
