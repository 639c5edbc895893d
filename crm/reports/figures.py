"""The figures of a company over some days, in its own zone: few grouped queries over rollups and episodes."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, TruncDate

from crm import budgets
from crm.models import Conversation, ConversationStatus, Direction, MessageHour, RollupProgress
from tenants.models import Tenant
from whatsapp.window import SOON

RANGES = {"today": 1, "7": 7, "14": 14, "month": 0}
USUAL = "14"
_COUNTED = ("messages", "accepted", "delivered", "read", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages are looked at: whole days of the company's zone, one number or queue or all of them."""

    tenant: Tenant
    name: str
    first: date
    last: date
    number: UUID | None = None
    queue: UUID | None = None

    @classmethod
    def of(cls, tenant: Tenant, now: datetime, *, name: str, number: UUID | None, queue: UUID | None) -> "Scope":
        """A range by its name in RANGES; one that nobody knows is the usual one."""
        name = name if name in RANGES else USUAL
        today = now.astimezone(ZoneInfo(tenant.timezone)).date()
        first = today.replace(day=1) if name == "month" else today - timedelta(days=RANGES[name] - 1)
        return cls(tenant, name, first, today, number, queue)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.timezone)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, datetime.min.time(), tzinfo=self.zone)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), datetime.min.time(), tzinfo=self.zone)

    def hours(self) -> QuerySet[MessageHour]:
        found = MessageHour.objects.filter(hour__gte=self.start, hour__lt=self.end)
        if self.number:
            found = found.filter(number_id=self.number)
        return found.filter(queue_id=self.queue) if self.queue else found


@dataclass(slots=True)
class Day:
    """What one day had. Durations are seconds, None where nobody was answered or nothing closed."""

    day: date
    inbound: int = 0
    outbound: int = 0
    amount: Decimal = Decimal(0)
    amounts: dict[str, Decimal] = field(default_factory=dict)  # by category
    first_reply_p50: float | None = None
    first_reply_p90: float | None = None


@dataclass(slots=True)
class Replies:
    """How long customers waited for the first answer, and how long until it was closed. Seconds."""

    p50: float | None = None
    p90: float | None = None
    resolution_p50: float | None = None
    answered: int = 0
    closed: int = 0


@dataclass(slots=True)
class Figures:
    scope: Scope
    days: list[Day]
    sent: dict[str, int]
    inbound: int
    amount: Decimal
    unpriced: int
    replies: Replies
    heat: dict[tuple[int, int], int]  # (ISO weekday, hour) and what came in
    by_category: list[dict[str, Any]]
    by_country: list[dict[str, Any]]
    by_number: list[dict[str, Any]]
    counted_at: datetime | None = None

    def share(self, name: str) -> float | None:
        """A part of what was sent, in percent; None where nothing was."""
        return self.sent[name] * 100 / self.sent["messages"] if self.sent["messages"] else None


def figures(scope: Scope) -> Figures:
    """Everything the dashboard says about the scope."""
    outbound = scope.hours().filter(direction=Direction.OUTBOUND)
    inbound = scope.hours().filter(direction=Direction.INBOUND)
    totals = outbound.aggregate(
        **{name: Sum(name, default=0) for name in _COUNTED}, cost=Sum("amount", default=Decimal(0)), none=Sum("unpriced", default=0)
    )  # fmt: skip
    days = {day: Day(day) for day in scope.days}
    local = TruncDate("hour", tzinfo=scope.zone)
    counted = scope.hours().annotate(day=local).values("day", "direction", "category")
    for row in counted.annotate(count=Sum("messages"), cost=Sum("amount")):
        day = days[row["day"]]
        if row["direction"] == Direction.INBOUND:
            day.inbound += row["count"]
        else:
            day.outbound += row["count"]
            day.amount += row["cost"]
            day.amounts[row["category"]] = day.amounts.get(row["category"], Decimal(0)) + row["cost"]
    replies = _replies(scope, days)
    heat = inbound.annotate(
        weekday=ExtractIsoWeekDay("hour", tzinfo=scope.zone), at=ExtractHour("hour", tzinfo=scope.zone)
    )
    progress = RollupProgress.objects.first()
    return Figures(
        scope=scope,
        days=list(days.values()),
        sent={name: totals[name] for name in _COUNTED},
        inbound=sum(day.inbound for day in days.values()),
        amount=totals["cost"],
        unpriced=totals["none"],
        replies=replies,
        heat={
            (row["weekday"], row["at"]): row["count"]
            for row in heat.values("weekday", "at").annotate(count=Sum("messages"))
        },
        by_category=_grouped(outbound, "category"),
        by_country=_grouped(outbound, "country"),
        by_number=_grouped(outbound, "number_id"),
        counted_at=progress.refreshed_at if progress else None,
    )


def _grouped(found: QuerySet[MessageHour], column: str) -> list[dict[str, Any]]:
    rows: Any = found.values(of=F(column)).annotate(
        count=Sum("messages"), reached=Sum("delivered"), cost=Sum("amount"), none=Sum("unpriced")
    )
    return list(rows.order_by("-cost", "-count", "of")[:12])


_REPLIES = """
SELECT (e.opened_at AT TIME ZONE %(zone)s)::date AS day,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM e.first_reply_at - e.opened_at)) AS p50,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM e.first_reply_at - e.opened_at)) AS p90,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM e.closed_at - e.opened_at)) AS resolution,
       count(e.first_reply_at) AS answered, count(e.closed_at) AS closed
FROM crm_episode e {join}
WHERE e.tenant_id = %(tenant)s AND e.opened_at >= %(start)s AND e.opened_at < %(end)s AND e.opened_by_customer {more}
GROUP BY GROUPING SETS ((1), ())
"""


def _replies(scope: Scope, days: dict[date, Day]) -> Replies:
    join = "JOIN crm_conversation c ON c.id = e.conversation_id AND c.number_id = %(number)s" if scope.number else ""
    more = "AND e.queue_id = %(queue)s" if scope.queue else ""
    total = Replies()
    with connection.cursor() as cursor:
        cursor.execute(
            _REPLIES.format(join=join, more=more),
            {
                "zone": scope.tenant.timezone,
                "tenant": scope.tenant.pk,
                "start": scope.start,
                "end": scope.end,
                "number": scope.number,
                "queue": scope.queue,
            },
        )
        for day, p50, p90, resolution, answered, closed in cursor.fetchall():
            if day is None:
                total = Replies(p50, p90, resolution, answered, closed)
            elif day in days:
                days[day].first_reply_p50, days[day].first_reply_p90 = p50, p90
    return total


def waiting_by_queue(scope: Scope, now: datetime) -> list[dict[str, Any]]:
    """Who waits at this moment, by queue: how many, how many whose window closes soon, since when, how many are open."""
    waits = Q(waiting_since__isnull=False)
    found = Conversation.objects.filter(status=ConversationStatus.OPEN)
    if scope.number:
        found = found.filter(number_id=scope.number)
    if scope.queue:
        found = found.filter(queue_id=scope.queue)
    rows = found.values(of=F("queue_id"), name=F("queue__name")).annotate(
        open=Count("pk"),
        waiting=Count("pk", filter=waits),
        soon=Count("pk", filter=waits & Q(window_expires_at__gt=now, window_expires_at__lte=now + SOON)),
        oldest=Min("waiting_since"),
    )
    return list(rows.order_by("-waiting", "name"))


def load_by_person(scope: Scope) -> list[dict[str, Any]]:
    """How many open conversations each person has, and how many of those customers wait."""
    found = Conversation.objects.filter(status=ConversationStatus.OPEN, assignee__isnull=False)
    if scope.number:
        found = found.filter(number_id=scope.number)
    if scope.queue:
        found = found.filter(queue_id=scope.queue)
    rows = found.values(of=F("assignee_id"), name=F("assignee__user__name")).annotate(
        open=Count("pk"), waiting=Count("pk", filter=Q(waiting_since__isnull=False))
    )
    return list(rows.order_by("-open", "name")[:12])


@dataclass(frozen=True, slots=True)
class Month:
    """What this month has cost, and at that pace will have when it ends."""

    spent: Decimal
    projected: Decimal
    standing: budgets.Standing | None


def month(tenant: Tenant, now: datetime) -> Month:
    start = budgets.month_start(tenant, now)
    following = (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    standing = budgets.standing(tenant, now)
    spent = standing.spent if standing else budgets.spent(tenant, start)
    share = (now - start) / (following - start)
    return Month(spent, spent / Decimal(max(share, 0.01)), standing)
