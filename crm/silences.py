"""A number that usually gets messages at this hour of the week, and now hears nothing at all: the webhook is broken.

Sending goes on meanwhile, so nobody notices until customers complain. What is usual is what customers wrote in the same
span of the four weeks before; any webhook, also of a status, shows that the number is heard.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_noop

from tenants import clock
from tenants.context import system_transaction
from tenants.models import Severity
from whatsapp.alerting import resolve_others, tell
from whatsapp.models import Number

SILENT = gettext_noop("number-silent")

WEEKS = 4
SHORTEST = timedelta(minutes=15)  # shorter ones are the network's, or a deploy of ours
LONGEST = timedelta(hours=12)  # further back nothing more is learned
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
# Twenty expected and none there: by chance once in twenty thousand spans even when people write two messages at a time.
LEAST_EXPECTED = 20.0
CERTAIN = 60.0


@dataclass(frozen=True, slots=True)
class Silence:
    """How long nothing was heard, and how many messages usually come in such a span."""

    length: timedelta
    expected: float

    @property
    def is_certain(self) -> bool:
        return self.expected >= CERTAIN


def judge(*, now: datetime, last_at: datetime, hours: Mapping[datetime, int]) -> Silence | None:
    """Whether it is too quiet since `last_at`. `hours` are the messages of past hours, by when each began (UTC).

    The second quietest of the four weeks counts: one holiday among them does not hide a silence, and two busy weeks do
    not make one.
    """
    length = now - last_at
    if length < SHORTEST:
        return None
    start = max(last_at, now - LONGEST)
    usual = sorted(counted(hours, start - week * WEEK, now - week * WEEK) for week in range(1, WEEKS + 1))
    expected = usual[1]
    return Silence(length, expected) if expected >= LEAST_EXPECTED else None


def counted(hours: Mapping[datetime, int], start: datetime, end: datetime) -> float:
    """The messages between two moments; of an hour that is only partly between them, its share."""
    total, hour = 0.0, _hour_of(start)
    while hour < end:
        share = (min(end, hour + HOUR) - max(start, hour)) / HOUR
        total += hours.get(hour, 0) * share
        hour += HOUR
    return total


# Served by crm_messagehour_hour: only the hours that are compared, of the numbers that are quiet.
_HOURS = """
SELECT number_id, hour, sum(messages) FROM crm_messagehour
WHERE hour = ANY(%s) AND direction = 'inbound' AND number_id = ANY(%s) GROUP BY 1, 2
"""


def watch(now: datetime) -> int:
    """Raise and resolve the alerts of silence for every company; returns how many numbers are too quiet."""
    with system_transaction():
        quiet = _quiet(now)
        hours = _hours(now, quiet)
        silent = []
        for number, last_at in quiet:
            silence = judge(now=now, last_at=last_at, hours=hours[number.pk])
            if silence:
                _tell(number, silence)
                silent.append(str(number.pk))
        resolve_others(SILENT, silent)
    return len(silent)


def _quiet(now: datetime) -> list[tuple[Number, datetime]]:
    """Active numbers that were heard once and not lately, with when; moments of the database moved to `now`'s clock."""
    ahead = clock.ahead()
    heard = Number.objects.filter(is_active=True, last_webhook_at__lt=now - ahead - SHORTEST).order_by("pk")
    return [(number, number.last_webhook_at + ahead) for number in heard]


def _hours(now: datetime, quiet: list[tuple[Number, datetime]]) -> dict[UUID, dict[datetime, int]]:
    found: dict[UUID, dict[datetime, int]] = defaultdict(dict)
    if not quiet:
        return found
    start = max(min(last_at for _number, last_at in quiet), now - LONGEST)
    count = int((now - _hour_of(start)) / HOUR) + 1
    wanted = [_hour_of(start) + hour * HOUR - week * WEEK for week in range(1, WEEKS + 1) for hour in range(count)]
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, [wanted, [number.pk for number, _last_at in quiet]])
        for number_id, hour, messages in cursor.fetchall():
            found[number_id][hour] = int(messages)
    return found


def _tell(number: Number, silence: Silence) -> None:
    severity = Severity.CRITICAL if silence.is_certain else Severity.WARNING
    facts: dict[str, Any] = {
        "minutes": int(silence.length / timedelta(minutes=1)),
        "every": max(round(min(silence.length, LONGEST) / timedelta(minutes=1) / silence.expected), 1),
    }
    tell(number, SILENT, True, severity=severity, **facts)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
