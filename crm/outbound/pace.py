"""How fast we may send: token buckets in Redis, shared by every worker, timed by Redis's own clock."""

import logging
from collections.abc import Sequence
from uuid import UUID

import redis
from django.conf import settings

log = logging.getLogger(__name__)

# KEYS[1] bucket; ARGV: rate per second, burst, wanted. Returns {granted, milliseconds until one more}. After a hold one
# goes first and alone, to see whether WhatsApp takes us again; the others follow a second later, or are held again.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'held', 'asked')
local tokens, at, held = tonumber(state[1]) or burst, tonumber(state[2]) or now, tonumber(state[3]) or 0
if held > now then return {0, math.ceil((held - now) * 1000)} end
if held > 0 and not state[4] then
    redis.call('HSET', KEYS[1], 'tokens', 0, 'at', now, 'held', now + 1, 'asked', 1)
    return {math.min(1, wanted), 1000}
end
redis.call('HDEL', KEYS[1], 'held', 'asked')
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local granted = math.max(0, math.min(wanted, math.floor(tokens)))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 3600)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / rate * 1000) end
return {granted, wait}
"""
_HOLD = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
redis.call('HSET', KEYS[1], 'held', now + tonumber(ARGV[1]))
redis.call('HDEL', KEYS[1], 'asked')
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1])) + 3600)
"""

# Without Redis nobody counts for all workers: go on, slowly.
_SMALL_PAGE = 5

_client: redis.Redis | None = None


def _redis() -> redis.Redis:
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    return _client


def take(number_id: UUID, *, per_second: float, wanted: int) -> tuple[int, float]:
    """(how many may be sent now, seconds until one more may). A burst is at most one second's worth."""
    try:
        granted, wait = _redis().eval(_TAKE, 1, f"pace:{number_id}", per_second, max(per_second, 1), wanted)
    except redis.RedisError:
        log.warning("pace unknown, sending slowly")
        return min(_SMALL_PAGE, wanted), 0.0
    return int(granted), int(wait) / 1000


def give_back(number_id: UUID, unused: int) -> None:
    """Return tokens that were taken and not needed."""
    if unused > 0:
        try:
            _redis().hincrbyfloat(f"pace:{number_id}", "tokens", unused)
        except redis.RedisError:
            log.warning("pace not returned")


def hold(number_id: UUID, *, seconds: float) -> None:
    """Send nothing from this number for a while: WhatsApp said that it is too fast."""
    try:
        _redis().eval(_HOLD, 1, f"pace:{number_id}", seconds)
    except redis.RedisError:
        log.warning("pace not held")


def take_pairs(recipients: Sequence[UUID], *, seconds: float, burst: int) -> list[float]:
    """For each send, in order: 0 when it may go to that person now, else the seconds to wait.

    Meta lets a number write to one person once every 6 s, 45 of them borrowed in advance (throughput page, pair limit).
    """
    try:
        pipeline = _redis().pipeline(transaction=False)
        for recipient in recipients:
            pipeline.eval(_TAKE, 1, f"pair:{recipient}", 1 / seconds, burst, 1)
        return [0.0 if granted else wait / 1000 for granted, wait in pipeline.execute()]
    except redis.RedisError:
        log.warning("pair pace unknown")
        return [0.0] * len(recipients)
