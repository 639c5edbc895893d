"""The customer service window: how long we may still write freely, and how to draw it.

It opens when the person writes or calls and ends 24 hours after the last time, by WhatsApp's own timestamp. A template
does not open it, nor what was typed on the phone (Cloud API, "Customer service windows").
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LENGTH = timedelta(hours=24)
FREE_ENTRY_LENGTH = timedelta(hours=72)
SOON = timedelta(hours=2)
MARGIN = timedelta(seconds=60)
"""A message sent in the last minute may reach Meta after the end; we do not try."""

_NOTHING = timedelta(0)


class WindowState(StrEnum):
    OPEN = "open"
    SOON = "soon"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Panes:
    """Time left as panes of glass: `value` of `max` minutes over `count` panes (4 in a row, 24 above the composer).

    Under two hours the glass zooms in: the same panes then stand for two hours instead of twenty-four.
    """

    count: int
    zoomed: bool
    value: int
    max: int

    @property
    def pane(self) -> timedelta:
        """How long one pane stands for."""
        return timedelta(minutes=self.max) / self.count

    @property
    def fills(self) -> tuple[float, ...]:
        """Each pane's filled part, 0 to 1, the last to go dark first."""
        lit = self.value * self.count / self.max
        return tuple(min(max(lit - position, 0.0), 1.0) for position in range(self.count))


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one conversation at one moment. `free_until` is the end of a free entry point (an ad), if any."""

    expires_at: datetime | None
    now: datetime
    free_until: datetime | None = None

    @property
    def remaining(self) -> timedelta:
        """Time left, never negative; zero when nobody ever wrote."""
        return max(self.expires_at - self.now, _NOTHING) if self.expires_at else _NOTHING

    @property
    def state(self) -> WindowState:
        remaining = self.remaining
        if remaining == _NOTHING:
            return WindowState.CLOSED
        return WindowState.SOON if remaining < SOON else WindowState.OPEN

    @property
    def is_open(self) -> bool:
        return self.state is not WindowState.CLOSED

    @property
    def can_send_free_form(self) -> bool:
        """Whether something else than a template will still arrive in time: more than the margin is left."""
        return self.remaining > MARGIN

    @property
    def free_remaining(self) -> timedelta:
        """How long messages still cost nothing because the person came through an ad."""
        return max(self.free_until - self.now, _NOTHING) if self.free_until else _NOTHING

    @property
    def is_free_of_charge(self) -> bool:
        return self.free_remaining > _NOTHING

    def panes(self, count: int = 4) -> Panes:
        """The window as `count` panes. Minutes are rounded up, so that an open window never looks shut."""
        remaining = self.remaining
        zoomed = self.state is WindowState.SOON
        span = SOON if zoomed else LENGTH
        minutes = -(-remaining // timedelta(minutes=1))
        most = span // timedelta(minutes=1)
        return Panes(count=count, zoomed=zoomed, value=min(minutes, most), max=most)


def expires_after(inbound_at: datetime) -> datetime:
    """When the window ends that a message of `inbound_at` opened or prolonged."""
    return inbound_at + LENGTH


def free_after(answered_at: datetime) -> datetime:
    """When the free entry point ends. Meta counts from the business's first answer, which must come within 24 hours."""
    return answered_at + FREE_ENTRY_LENGTH
