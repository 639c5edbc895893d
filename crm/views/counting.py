"""How many conversations each work mode holds for one member: counted to a thousand, in one query."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from crm.models import Conversation, ConversationStatus
from crm.views.filters import Filters, Mode
from tenants.models import Membership
from whatsapp.window import SOON

MOST = 1000
MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Counters:
    """By section of the list. MOST stands for “more than 999”: counting on would cost more than knowing is worth.

    `answered`, which no tab shows, is 0 where its section is not there either.
    """

    waiting: int = 0
    missed: int = 0
    soon: int = 0
    triage: int = 0
    answered: int = 0
    all: int = 0

    @property
    def answer(self) -> int:
        """Everybody who waits, with the window open or closed."""
        return self.waiting + self.missed


def counters(membership: Membership, filters: Filters, *, heads: Collection[str], now: datetime) -> Counters:
    """Count with the member's rights and the filters; a status and words do not belong to the modes.

    `heads` are the sections whose heads stand on the page.
    """
    mine = filters.in_mode(Mode.ALL).narrow(Conversation.objects.visible_to(membership), membership=membership)
    waiting = mine.waiting()
    counted = {
        "waiting": waiting.filter(window_expires_at__gt=now),
        "missed": waiting.filter(Q(window_expires_at__lte=now) | Q(window_expires_at=None)),
        "soon": mine.running_out(now=now, until=now + SOON),
        "triage": mine.in_triage(),
        # In an index's order: without one PostgreSQL may read other companies' rows to get to a thousand of ours.
        "all": mine.order_by("-last_message_at", "-id"),
    }
    if "answered" in heads:
        answered = mine.filter(status=ConversationStatus.OPEN, waiting_since=None, last_message_at__isnull=False)
        counted["answered"] = answered
    # count(*) over a LIMIT stops at the limit; they run in one round trip.
    parts: list[str] = []
    values: list[Any] = []
    for name, conversations in counted.items():
        sql, parameters = conversations.values("pk")[:MOST].query.sql_with_params()
        parts.append(f'(SELECT count(*) FROM ({sql}) AS "{name}")')
        values += parameters
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        return Counters(**dict(zip(counted, cursor.fetchone(), strict=True)))


def waiting(membership: Membership) -> int:
    """How many wait for this member, counted to MOST_WAITING: for the rail of every page."""
    return Conversation.objects.visible_to(membership).waiting()[:MOST_WAITING].count()
