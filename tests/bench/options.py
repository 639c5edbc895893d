"""How much is measured, and a word about how it goes."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    conversations: int = 100_000
    sustain_s: int = 0  # how long the whole system is to bear the rate of the goal; 0: not measured
    quick: bool = False
    began_at: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        print(f"  {time.monotonic() - self.began_at:5.0f} s  {text}", file=sys.stderr, flush=True)
