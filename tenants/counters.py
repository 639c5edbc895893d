"""What happened how often, and who was alive lately: numbers that all processes share, in Redis.

Counting only adds to a dictionary; a thread sends what has gathered once a second. With Redis down the numbers wait in
the process, and nothing that counts is slowed down or fails. A metric's name is its Prometheus name without `ventana_`.
"""

import atexit
import json
import logging
import os
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name and its labels, sorted."""

FLUSH_SECONDS = 1.0
# A process that has not repeated its level for so long is gone.
LEVEL_SECONDS = 15.0
_TOTALS, _LEVELS, _SEEN = "ventana:totals", "ventana:levels", "ventana:seen"

_lock = threading.Lock()
_gathered: Counter[Series] = Counter()
_own_levels: dict[str, float] = {}
_sender: threading.Thread | None = None
_connection: Any = None


def count(name: str, amount: int = 1, **labels: str) -> None:
    """Add to a total that only grows. Never waits for anything and never raises."""
    series = (name, tuple(sorted((key, str(value)) for key, value in labels.items())))
    with _lock:
        _gathered[series] += amount
    _ensure_sender()


def level(name: str, value: float) -> None:
    """Say what this process has at the moment (open streams, say); the levels of all processes are added up."""
    with _lock:
        _own_levels[name] = value
    _ensure_sender()


def read_totals() -> dict[Series, int]:
    """Every total of all processes. Raises redis.RedisError."""
    flush()
    return {_series(field): int(value) for field, value in _redis().hgetall(_TOTALS).items()}


def read_levels() -> dict[str, float]:
    """The sum of every level over the processes that are alive. Raises redis.RedisError."""
    flush()
    sums: dict[str, float] = defaultdict(float)
    for field, text in _redis().hgetall(_LEVELS).items():
        value, _at, said_at = text.partition("@")
        if time.time() - float(said_at) < LEVEL_SECONDS:
            sums[field.partition("|")[0]] += float(value)
        else:
            _redis().hdel(_LEVELS, field)
    return dict(sums)


def heartbeat(name: str) -> None:
    """Say that the worker, or beat, is at work. When Redis is down the silence says enough."""
    try:
        _redis().hset(_SEEN, name, repr(time.time()))
    except redis.RedisError:
        log.warning("heartbeat not sent")


def last_seen(name: str) -> float | None:
    """The moment of the last heartbeat in seconds since 1970; None when there never was one. Raises redis.RedisError."""
    found = _redis().hget(_SEEN, name)
    return float(found) if found is not None else None


def ping() -> None:
    """Raises redis.RedisError when Redis does not answer."""
    _redis().ping()


def flush() -> None:
    """Send what has gathered. What cannot be sent waits for the next time."""
    with _lock:
        sending = Counter(_gathered)
        _gathered.clear()
        levels = dict(_own_levels)
    if not sending and not levels:
        return
    try:
        _send(totals=sending, levels=levels)
    except redis.RedisError:
        # If only the answer was lost these are counted twice: better than losing them while Redis restarts.
        with _lock:
            _gathered.update(sending)


def _send(*, totals: Mapping[Series, int], levels: Mapping[str, float]) -> None:
    with _redis().pipeline(transaction=False) as pipe:
        for (name, labels), amount in totals.items():
            pipe.hincrby(_TOTALS, json.dumps([name, *labels]), amount)
        process = f"{socket.gethostname()}:{os.getpid()}"
        for name, value in levels.items():
            pipe.hset(_LEVELS, f"{name}|{process}", f"{value}@{time.time()}")
        pipe.execute()


def _series(field: str) -> Series:
    name, *labels = json.loads(field)
    return name, tuple((key, value) for key, value in labels)


def _redis() -> Any:
    global _connection
    if _connection is None:
        # No second try: the next flush is one, and a probe wants its answer now.
        _connection = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
    return _connection


def _ensure_sender() -> None:
    global _sender
    if _sender is None or not _sender.is_alive():
        with _lock:
            if _sender is None or not _sender.is_alive():
                _sender = threading.Thread(target=_send_for_ever, name="counters", daemon=True)
                _sender.start()


def _send_for_ever() -> None:
    while True:
        time.sleep(FLUSH_SECONDS)
        flush()


def _start_anew() -> None:
    """A forked child has neither the thread nor a right to the parent's connection or numbers."""
    global _lock, _sender, _connection
    _lock, _sender, _connection = threading.Lock(), None, None
    _gathered.clear()
    _own_levels.clear()


atexit.register(flush)
os.register_at_fork(after_in_child=_start_anew)
