"""Hours since a beginning, as moments."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return BEGINNING + hours * HOUR
