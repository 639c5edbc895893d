"""Who knocks at the webhook's door with forged deliveries, in this process's memory."""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

MOST_FORGED = 60
MINUTE, TRUSTED_SECONDS = 60.0, 3600.0
MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Caller:
    since: float
    forged: int = 0
    genuine_at: float = float("-inf")


class Strangers:
    """Refuses an address that has sent too many forged deliveries within a minute, until that minute is over.

    An address from which a genuine delivery came within the last hour is never refused: Meta may reach us through the
    same proxy as whoever forges.
    """

    def __init__(self) -> None:
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def is_refused(self, address: str) -> bool:
        caller, now = self._callers.get(address), monotonic()
        return (
            caller is not None
            and caller.forged >= MOST_FORGED
            and now - caller.since < MINUTE
            and now - caller.genuine_at > TRUSTED_SECONDS
        )

    def saw(self, address: str, *, genuine: bool) -> None:
        now = monotonic()
        caller = self._callers.setdefault(address, _Caller(now))
        if genuine:
            caller.genuine_at = now
        elif now - caller.since >= MINUTE:
            caller.since, caller.forged = now, 1
        else:
            caller.forged += 1
        self._callers.move_to_end(address)
        if len(self._callers) > MOST_KNOWN:
            self._callers.popitem(last=False)
