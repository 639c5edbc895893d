"""The time a person would call time: windows, due dates, snoozes.

Read it at the doors (views, tasks, commands) and pass it in. Leases, back-off and sweeps use the database's clock
instead, so that one machine's wrong clock cannot send a message twice.
"""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
