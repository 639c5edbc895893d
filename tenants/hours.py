"""When something of a company is open: hours of the week, read off the clock on the wall of one place. Plain Python."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Any

MOST_A_DAY = 4
_SPAN = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?\s*h?\s*[-–—]\s*(\d{1,2})(?:[:.h](\d{2}))?\s*h?")
_BETWEEN = re.compile(r"[\s,;]*")


class NotHours(ValueError):
    """What is written is no part of a day."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a day, `weekday` 0 being Monday. One that ends no later than it begins goes on past midnight."""

    weekday: int
    begins: time
    ends: time

    def __str__(self) -> str:
        return f"{_short(self.begins)}–{_short(self.ends) if self.ends != time.min else '24:00'}"

    def holds(self, weekday: int, moment: time) -> bool:
        """Whether this time of this day lies in it."""
        if self.begins < self.ends:
            return weekday == self.weekday and self.begins <= moment < self.ends
        after_midnight = weekday == (self.weekday + 1) % 7 and moment < self.ends
        return after_midnight or (weekday == self.weekday and moment >= self.begins)


@dataclass(frozen=True, slots=True)
class Hours:
    """The open parts of a week, in order; without any it is always open."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, stored: Any) -> "Hours":
        """From `[[0, "09:00", "19:00"], …]`; what is no span in it is left out."""
        found = [span for each in stored if (span := _read(each))] if isinstance(stored, list) else []
        return cls(tuple(sorted(set(found))))

    @property
    def stored(self) -> list[list[Any]]:
        return [[span.weekday, f"{span.begins:%H:%M}", f"{span.ends:%H:%M}"] for span in self.spans]

    def on(self, weekday: int) -> str:
        """“9:00–13:00, 15:00–19:00”: one day as it is written."""
        return ", ".join(str(span) for span in self.spans if span.weekday == weekday)

    def alike(self) -> list[tuple[int, int, str]]:
        """(first weekday, last one, its hours) of days in a row that are the same; closed ones are left out."""
        days = [(written, list(alike)) for written, alike in groupby(range(7), key=self.on)]
        return [(alike[0], alike[-1], written) for written, alike in days if written]

    def is_open(self, moment: datetime, zone: tzinfo) -> bool:
        if not self.spans:
            return True
        local = moment.astimezone(zone)
        return any(span.holds(local.weekday(), local.time()) for span in self.spans)

    def opens_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """When it opens next, in UTC; None for what is always open."""
        today = moment.astimezone(zone).date()
        openings = (
            datetime.combine(day, span.begins, tzinfo=zone).astimezone(UTC)
            for day in (today + timedelta(days=ahead) for ahead in range(8))
            for span in self.spans
            if span.weekday == day.weekday()
        )
        return min((each for each in openings if each > moment), default=None)


def read_day(weekday: int, written: str) -> list[Span]:
    """The parts of one day as a person writes them: “9-13, 15:00–19:00”; none when it is empty. Raises NotHours."""
    found: list[Span] = []
    place = _past(written, 0)
    while place < len(written):
        match = _SPAN.match(written, place)
        if match is None or len(found) == MOST_A_DAY:
            raise NotHours
        begins, ends = _time(match[1], match[2]), _time(match[3], match[4])
        if begins == ends and begins != time.min:
            raise NotHours
        found.append(Span(weekday, begins, ends))
        place = _past(written, match.end())
    return found


def _past(written: str, place: int) -> int:
    found = _BETWEEN.match(written, place)
    return found.end() if found else place


def _time(hour: str, minute: str | None) -> time:
    """Raises NotHours for what no clock shows; 24:00 is the midnight that ends a day."""
    if (int(hour), int(minute or 0)) == (24, 0):
        return time.min
    try:
        return time(int(hour), int(minute or 0))
    except ValueError:
        raise NotHours from None


def _read(value: Any) -> Span | None:
    try:
        weekday, begins, ends = value
        span = Span(int(weekday), time.fromisoformat(begins), time.fromisoformat(ends))
    except (ValueError, TypeError):
        return None
    return span if 0 <= span.weekday < 7 else None


def _short(moment: time) -> str:
    return f"{moment.hour}:{moment.minute:02}"
