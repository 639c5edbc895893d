"""The time a person would call time: windows, due dates, snoozes.

Read it at the doors (views, tasks, commands) and pass it in. Leases, back-off and sweeps use the database's clock
instead, so that one machine's wrong clock cannot send a message twice.

On a local machine, and nowhere else, the demonstration's clock can be moved ahead: all processes read how far from Redis.
"""

import logging
import time
from datetime import UTC, datetime, timedelta

import redis
from django.conf import settings

log = logging.getLogger(__name__)

KEY = "ventana:clock-ahead"
_FRESH_SECONDS = 1.0
_NONE = timedelta(0)

_client: redis.Redis | None = None
_read_at = float("-inf")
_ahead = _NONE


def now() -> datetime:
    return datetime.now(UTC) + ahead()


def ahead() -> timedelta:
    """How far the demonstration's clock was moved; always nothing where it cannot be. At most a second old."""
    global _ahead, _read_at
    if not settings.LOCAL:
        return _NONE
    if time.monotonic() - _read_at > _FRESH_SECONDS:
        _read_at = time.monotonic()
        try:
            _ahead = timedelta(seconds=float(_redis().get(KEY) or 0))  # type: ignore[arg-type]
        except (redis.RedisError, ValueError):
            log.debug("the clock could not be asked")  # what was known stays
    return _ahead


def move(*, ahead: timedelta) -> None:
    """Set how far the demonstration's clock is ahead, for every process. Raises RuntimeError where it cannot be moved."""
    global _read_at
    if not settings.LOCAL:
        raise RuntimeError("The clock moves on a local machine only.")
    _redis().set(KEY, ahead.total_seconds())
    _read_at = float("-inf")


def _redis() -> redis.Redis:
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return _client
