"""Meta's two send limits as token buckets: messages a second per number, and one per six seconds per recipient.

Source: developers.facebook.com/docs/whatsapp/cloud-api/overview (throughput; pair rate limits).
"""

import time
from dataclasses import dataclass

PAIR_PER_SECOND = 1 / 6
PAIR_BURST = 45


@dataclass(slots=True)
class Bucket:
    per_second: float
    burst: float
    left: float
    filled_at: float

    def take(self, now: float) -> bool:
        self.left = min(self.burst, self.left + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Limits:
    """Buckets by number and by pair. Real time, because a client's own pacing runs on real time too."""

    MOST_PAIRS = 50_000

    def __init__(self) -> None:
        self._numbers: dict[str, Bucket] = {}
        self._pairs: dict[tuple[str, str], Bucket] = {}

    def take_throughput(self, *, number_id: str, per_second: float) -> bool:
        now = time.monotonic()
        bucket = self._numbers.get(number_id)
        if bucket is None or bucket.per_second != per_second:
            bucket = self._numbers[number_id] = Bucket(per_second, max(per_second, 1), max(per_second, 1), now)
        return bucket.take(now)

    def take_pair(self, *, number_id: str, recipient: str) -> bool:
        now = time.monotonic()
        bucket = self._pairs.get((number_id, recipient))
        if bucket is None:
            if len(self._pairs) >= self.MOST_PAIRS:
                self._forget_full(now)
            bucket = self._pairs[number_id, recipient] = Bucket(PAIR_PER_SECOND, PAIR_BURST, PAIR_BURST, now)
        return bucket.take(now)

    def reset(self) -> None:
        self._numbers.clear()
        self._pairs.clear()

    def _forget_full(self, now: float) -> None:
        self._pairs = {
            pair: bucket
            for pair, bucket in self._pairs.items()
            if bucket.left + (now - bucket.filled_at) * bucket.per_second < bucket.burst
        }
