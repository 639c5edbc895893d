"""The simulated clock: real time plus what a person asked to skip. Windows and timestamps follow it, delays do not."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class Clock:
    offset_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset_s

    def advance(self, seconds: float) -> None:
        self.offset_s += seconds

    def as_json(self) -> dict[str, object]:
        now = self.now()
        return {"now": datetime.fromtimestamp(now, UTC).isoformat(), "timestamp": int(now), "offset_s": self.offset_s}
