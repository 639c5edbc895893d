"""The evidence of blocks: what was sent to whom in vain, what became of the others, and what numbers have learned.

Set-based reading for `crm.suspecting`; the judging itself is in `crm.blocking`.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, Sum

from crm.blocking import FOR_GOOD, PATIENCE, Kind, Silences
from crm.models import Conversation, DeliveryIssue, Direction, IssueState, MessageHour, Source
from crm.models.issues import ACTIVE
from tenants.models import Tenant
from whatsapp.errors import Reason

HORIZON = timedelta(days=45)
"""Older silences are not looked for; those found are kept."""
MEMORY = timedelta(days=90)
"""So far back goes what is known of silences that ended."""
AROUND, WIDER = timedelta(hours=12), timedelta(hours=36)
"""Others who were written to within this time tell whether the number worked; the wider one where there are few."""
KINDS = {Reason.UNDELIVERABLE: Kind.UNDELIVERABLE, Reason.BLOCKED_BY_CONTACT: Kind.REPORTED}

_REACHED = """
SELECT c.id, c.number_id, c.queue_id, c.assignee_id, GREATEST(c.last_inbound_at, (
           SELECT max(GREATEST(m.delivered_at, m.read_at, m.played_at)) FROM crm_message m
           WHERE m.conversation_id = c.id AND m.direction = 'outbound')),
       (SELECT max(i.closed_at) FROM crm_deliveryissue i WHERE i.conversation_id = c.id AND i.state = 'dismissed')
FROM crm_conversation c WHERE c.id = ANY(%s) ORDER BY c.id FOR NO KEY UPDATE OF c
"""
# Of what was typed on a phone WhatsApp may report nothing: it speaks for or against nobody until it has reported once.
REPORTED = "(m.source <> 'phone' OR m.left_at IS NOT NULL)"
_SENT = f"""
SELECT m.conversation_id, m.id, COALESCE(m.accepted_at, m.failed_at, m.sent_at), m.status, m.error_reason, m.country
FROM crm_message m
WHERE m.conversation_id = ANY(%s) AND m.direction = 'outbound' AND m.sent_at >= %s AND {REPORTED}
  AND (m.status IN ('accepted', 'sent') OR (m.status = 'failed' AND m.error_reason = ANY(%s)))
ORDER BY 3, m.id
"""
_DAYS = f"""
SELECT m.number_id, m.country, date_trunc('day', m.accepted_at, 'UTC'),
       count(*) FILTER (WHERE COALESCE(m.delivered_at, m.read_at) <= m.accepted_at + %(length)s), count(*)
FROM crm_message m
WHERE m.tenant_id = %(tenant)s AND m.direction = 'outbound' AND m.sent_at >= %(since)s AND m.accepted_at <= %(patient)s
  AND {REPORTED}
GROUP BY 1, 2, 3
"""
_LATE = """
SELECT m.number_id, m.country, date_trunc('day', m.accepted_at, 'UTC'), m.conversation_id,
       COALESCE(m.delivered_at, m.read_at) - m.accepted_at
FROM crm_message m
WHERE m.tenant_id = %(tenant)s AND m.direction = 'outbound' AND m.sent_at >= %(since)s
  AND COALESCE(m.delivered_at, m.read_at) > m.accepted_at + %(length)s
"""
_OWN = """
SELECT m.conversation_id, max(COALESCE(m.delivered_at, m.read_at) - m.accepted_at) FROM crm_message m
WHERE m.conversation_id = ANY(%(ids)s) AND m.direction = 'outbound' AND m.sent_at >= %(since)s
  AND COALESCE(m.delivered_at, m.read_at) > m.accepted_at + %(length)s
GROUP BY m.conversation_id, COALESCE(m.delivered_at, m.read_at)::date ORDER BY 2
"""


@dataclass(slots=True)
class Talk:
    """One conversation with what was sent since the person was last reached."""

    conversation: Conversation
    reached_at: datetime | None
    since: datetime | None  # they were reached, or somebody said that nothing was wrong
    messages: list[tuple[UUID, datetime, Kind, str]] = field(default_factory=list)  # id, at, kind, country


def gathered(ids: list[UUID], now: datetime) -> list[Talk]:
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, [ids])
        talks = {}
        for id, number_id, queue_id, assignee_id, reached, dismissed in cursor.fetchall():
            conversation = Conversation(id=id, number_id=number_id, queue_id=queue_id, assignee_id=assignee_id)
            since = max((at for at in (reached, dismissed) if at), default=None)
            talks[id] = Talk(conversation, reached, since)
        cursor.execute(_SENT, [ids, now - HORIZON, list(KINDS)])
        for id, message_id, at, status, reason, country in cursor.fetchall():
            talk = talks.get(id)
            if talk and (talk.since is None or at > talk.since):
                kind = Kind.STUCK if status in ("accepted", "sent") else KINDS[Reason(reason)]
                talk.messages.append((message_id, at, kind, country))
    return list(talks.values())


def learn(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """For each number: how long its silences lasted that ended, one for a person, and how many did not end."""
    about: dict[str, Any] = {"tenant": tenant.pk, "since": now - MEMORY, "patient": now - PATIENCE, "length": PATIENCE}
    longest: dict[UUID, dict[UUID, timedelta]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, about)
        # On a day of which most came late, the number or a carrier was down: that says nothing about people.
        good = {row[:3] for row in cursor.fetchall() if row[3] * 2 >= row[4]}
        cursor.execute(_LATE, about)
        for number_id, country, day, conversation_id, late in cursor.fetchall():
            if (number_id, country, day) in good:
                longest[number_id][conversation_id] = max(longest[number_id].get(conversation_id, late), late)
    ended = DeliveryIssue.objects.exclude(state__in=ACTIVE).filter(closed_at__gte=now - MEMORY)
    for number_id, conversation_id, since, closed in ended.values_list("number", "conversation", "since", "closed_at"):
        if closed - since >= PATIENCE:
            longest[number_id][conversation_id] = max(longest[number_id].get(conversation_id, PATIENCE), closed - since)
    never: dict[UUID, int] = defaultdict(int)
    # Who was never reached, or missed once, may have no WhatsApp at all.
    silent = Q(misses__gte=2, reached_at__isnull=False, since__lte=now - FOR_GOOD)
    active = DeliveryIssue.objects.filter(Q(state=IssueState.CONFIRMED) | Q(state=IssueState.OPEN) & silent)
    for number_id in active.values_list("number", flat=True):
        never[number_id] += 1
    return {
        str(number): {
            "ended": sorted(int(length.total_seconds()) for length in longest[number].values()),
            "never": never[number],
        }
        for number in {*longest, *never}
    }


def own_silences(ids: list[UUID], now: datetime) -> dict[UUID, list[timedelta]]:
    """Each person's earlier silences, sorted: of the messages that came on one day, the longest on its way."""
    with connection.cursor() as cursor:
        about: dict[str, Any] = {"ids": ids, "since": now - MEMORY, "length": PATIENCE}
        cursor.execute(_OWN, about)
        found: dict[UUID, list[timedelta]] = defaultdict(list)
        for conversation_id, length in cursor.fetchall():
            found[conversation_id].append(length)
        return found


class Traffic:
    """What each number sent and delivered around a moment, from the hourly figures."""

    def __init__(self) -> None:
        self._hours: dict[tuple[UUID, str], list[datetime]] = defaultdict(list)
        self._sums: dict[tuple[UUID, str], list[tuple[int, int]]] = defaultdict(list)

    @classmethod
    def since(cls, start: datetime) -> "Traffic":
        traffic = cls()
        found = MessageHour.objects.filter(hour__gte=start, direction=Direction.OUTBOUND).exclude(source=Source.PHONE)
        hours = found.values("number", "country", "hour").annotate(sent=Sum("accepted"), got=Sum("delivered"))
        for number_id, country, hour, sent, got in hours.order_by("hour").values_list(
            "number", "country", "hour", "sent", "got"
        ):
            for key in {(number_id, country), (number_id, "")}:
                traffic._add(key, hour, sent, got)
        return traffic

    def _add(self, key: tuple[UUID, str], hour: datetime, accepted: int, delivered: int) -> None:
        sums = self._sums[key]
        before = sums[-1] if sums else (0, 0)
        self._hours[key].append(hour)
        sums.append((before[0] + accepted, before[1] + delivered))

    def around(self, number_id: UUID, country: str, at: datetime) -> tuple[int, int]:
        """(sent, delivered) to others: in the same country where enough is known, else anywhere; this one is left out."""
        found = (0, 0)
        for place in (country, "") if country else ("",):
            for reach in (AROUND, WIDER):
                sent, delivered = self._between((number_id, place), at - reach, at + reach)
                found = max(sent - 1, 0), delivered
                if found[0] >= 3:
                    return found
        return found

    def _between(self, key: tuple[UUID, str], first: datetime, last: datetime) -> tuple[int, int]:
        hours, sums = self._hours.get(key, []), self._sums.get(key, [])
        start, end = bisect_left(hours, first), bisect_right(hours, last)
        if start >= end:
            return 0, 0
        before = sums[start - 1] if start else (0, 0)
        return sums[end - 1][0] - before[0], sums[end - 1][1] - before[1]


def silences_of(learned: dict[str, Any]) -> dict[UUID, Silences]:
    """What `learn` found, as it is kept, by number."""
    return {
        UUID(number): Silences(tuple(timedelta(seconds=seconds) for seconds in found["ended"]), found["never"])
        for number, found in learned.items()
    }
