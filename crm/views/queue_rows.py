"""What the page of numbers and queues shows of each queue: its hours in words, whether it is open, and who waits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crm.models import Conversation
from tenants.hours import Hours
from tenants.models import Queue, QueueMember, Tenant
from whatsapp.models import Number


@dataclass(frozen=True, slots=True)
class QueueRow:
    """`opens` is when a queue that is closed opens next; `waiting` counts who waits in it and is nobody's."""

    queue: Queue
    hours: str
    is_open: bool
    opens: datetime | None
    waiting: int

    @property
    def lacks_room(self) -> bool:
        """Whether it would give out what waits, if only it had somebody to give it to."""
        return self.is_open and self.queue.is_shared_out and self.waiting > 0


def queues() -> list[Queue]:
    """Every queue but triage, with its people and numbers, by name."""
    members = QueueMember.objects.select_related("membership__user").order_by("pk")
    found = Queue.objects.filter(is_triage=False).prefetch_related(
        Prefetch("queue_members", members), Prefetch("numbers", Number.objects.order_by("alias"))
    )
    return list(found.order_by("name"))


def rows(found: list[Queue], *, tenant: Tenant, now: datetime) -> list[QueueRow]:
    unowned = Conversation.objects.unowned().filter(queue__in=found).order_by()
    waiting: dict[UUID, int] = dict(unowned.values_list("queue").annotate(count=Count("pk")))
    return [_row(queue, tenant=tenant, now=now, waiting=waiting.get(queue.pk, 0)) for queue in found]


def _row(queue: Queue, *, tenant: Tenant, now: datetime, waiting: int) -> QueueRow:
    opening, zone = queue.opening, queue.zone(tenant)
    is_open = opening.is_open(now, zone)
    return QueueRow(
        queue=queue,
        hours=hours_words(opening, elsewhere=queue.timezone if queue.timezone != tenant.timezone else ""),
        is_open=is_open,
        opens=None if is_open else opening.opens_after(now, zone),
        waiting=waiting,
    )


def hours_words(opening: Hours, *, elsewhere: str = "") -> str:
    """“Mon–Sat 9:00–19:00”; `elsewhere` is the zone of a clock that is not the company's."""
    if not opening.spans:
        return _("always")
    parts = [f"{_days(first, last)} {written}" for first, last, written in opening.alike()]
    place = f" ({elsewhere.rpartition('/')[2].replace('_', ' ')})" if elsewhere else ""
    return f"{' · '.join(parts)}{place}"


def _days(first: int, last: int) -> str:
    return _day(first) if first == last else f"{_day(first)}–{_day(last)}"


def _day(weekday: int) -> Any:
    """Names of days as they stand within a sentence: Spanish and Portuguese write them small."""
    name = str(WEEKDAYS_ABBR[weekday])
    return name if (get_language() or "en").startswith("en") else name.lower()
