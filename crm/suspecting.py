"""Looking for blocks: the evidence of messages goes to `crm.blocking`, its judgements into delivery issues.

Everything is examined every few hours; once a minute only what has just spoken for or against somebody. A reply takes a
suspicion back at once. Examining twice, late or at the same time gives the same.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, Sum
from uuid_utils.compat import uuid7

from crm import live, signals
from crm.blocking import FOR_GOOD, PATIENCE, Judgement, Kind, Level, Send, Silences, Weight, judge
from crm.models import (
    Activity,
    ActivityKind,
    Conversation,
    DeliveryIssue,
    Direction,
    Examination,
    IssueState,
    MessageHour,
)
from crm.models.issues import ACTIVE
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Tenant
from whatsapp.errors import Reason

HORIZON = timedelta(days=45)
"""Older silences are not looked for; those found are kept."""
MEMORY = timedelta(days=90)
"""So far back goes what is known of silences that ended."""
AROUND, WIDER = timedelta(hours=12), timedelta(hours=36)
"""Others who were written to within this time tell whether the number worked; the wider one where there are few."""
RECENT = timedelta(hours=2)
PAGE = 500

_KINDS = {Reason.UNDELIVERABLE: Kind.UNDELIVERABLE, Reason.BLOCKED_BY_CONTACT: Kind.REPORTED}
_JUDGED = ["level", "likelihood", "misses", "evidence", "reached_at", "since", "judged_at"]
_RANK = (Level.NONE, Level.POSSIBLE, Level.PROBABLE, Level.VERY_LIKELY)
_SUSPECTED = (Level.PROBABLE, Level.VERY_LIKELY)

_LOCK = "SELECT pg_try_advisory_xact_lock(4203, hashtext(%s))"
_SILENT = """
SELECT DISTINCT m.conversation_id FROM crm_message m
WHERE m.tenant_id = %(tenant)s AND m.sent_at >= %(since)s AND m.direction = 'outbound' AND (
    (m.status IN ('accepted', 'sent') AND m.accepted_at <= %(patient)s)
    OR (m.status = 'failed' AND m.error_reason = ANY(%(reasons)s)))
"""
_HEARD = """
SELECT i.conversation_id FROM crm_deliveryissue i JOIN crm_conversation c ON c.id = i.conversation_id
WHERE i.tenant_id = %(tenant)s AND i.state IN ('open', 'confirmed') AND (c.last_inbound_at > i.since OR EXISTS (
    SELECT FROM crm_message m WHERE m.conversation_id = i.conversation_id AND m.direction = 'outbound'
    AND m.sent_at >= i.since - interval '45 days'
    AND GREATEST(m.delivered_at, m.read_at, m.played_at) > i.since))
"""
_REACHED = """
SELECT c.id, c.number_id, c.queue_id, c.assignee_id, GREATEST(c.last_inbound_at, (
           SELECT max(GREATEST(m.delivered_at, m.read_at, m.played_at)) FROM crm_message m
           WHERE m.conversation_id = c.id AND m.direction = 'outbound')),
       (SELECT max(i.closed_at) FROM crm_deliveryissue i WHERE i.conversation_id = c.id AND i.state = 'dismissed')
FROM crm_conversation c WHERE c.id = ANY(%s) ORDER BY c.id FOR NO KEY UPDATE OF c
"""
_SENT = """
SELECT m.conversation_id, m.id, COALESCE(m.accepted_at, m.failed_at, m.sent_at), m.status, m.error_reason, m.country
FROM crm_message m
WHERE m.conversation_id = ANY(%s) AND m.direction = 'outbound' AND m.sent_at >= %s
  AND (m.status IN ('accepted', 'sent') OR (m.status = 'failed' AND m.error_reason = ANY(%s)))
ORDER BY 3, m.id
"""
_DAYS = """
SELECT m.number_id, m.country, date_trunc('day', m.accepted_at, 'UTC'),
       count(*) FILTER (WHERE COALESCE(m.delivered_at, m.read_at) <= m.accepted_at + %(length)s), count(*)
FROM crm_message m
WHERE m.tenant_id = %(tenant)s AND m.direction = 'outbound' AND m.sent_at >= %(since)s AND m.accepted_at <= %(patient)s
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
_SUSPICIONS = """
UPDATE crm_conversation c SET suspicion = s.level FROM unnest(%s::uuid[], %s::text[]) AS s (id, level) WHERE c.id = s.id
"""


def run(now: datetime) -> int:
    """Examine each company when it is time, else only what has just spoken; how many conversations were judged."""
    with system_transaction():
        tenants = list(Tenant.unfenced.order_by("pk"))
    judged = 0
    for tenant in tenants:
        with tenant_transaction(tenant.pk), connection.cursor() as cursor:
            cursor.execute(_LOCK, [str(tenant.pk)])
            if cursor.fetchone()[0]:  # else somebody is at it, and needs no help
                last = Examination.objects.first()
                is_time = last is None or now - last.examined_at >= timedelta(hours=settings.BLOCK_CHECK_HOURS)
                judged += examine(tenant, now) if is_time else follow_up(tenant, now)
    return judged


def examine(tenant: Tenant, now: datetime) -> int:
    """Judge every conversation in which something sent was not received, by what the numbers have taught until now."""
    learned = _learn(tenant, now)
    Examination.objects.update_or_create(tenant=tenant, defaults={"examined_at": now, "learned": learned})
    active = DeliveryIssue.objects.filter(state__in=ACTIVE).values_list("conversation", flat=True)
    return _judge_all(tenant, _ids(_SILENT, _about(tenant, now, HORIZON)) | set(active), now)


def follow_up(tenant: Tenant, now: datetime) -> int:
    """Judge those whose messages have just failed, and the suspected who have been reached."""
    return _judge_all(tenant, _ids(_SILENT, _about(tenant, now, RECENT)) | _ids(_HEARD, {"tenant": tenant.pk}), now)


def hear(*, contact_ids: Sequence[UUID], now: datetime) -> None:
    """People wrote: whatever was suspected of them on the number they wrote to is over."""
    found = DeliveryIssue.objects.filter(
        state__in=ACTIVE, conversation__contact__in=contact_ids, conversation__last_inbound_at__gt=F("since")
    )
    if talks := sorted(found.values_list("conversation", flat=True)):
        _close(_locked(talks), IssueState.REACHED, now)


def dismiss(issue: DeliveryIssue, *, by: Membership, now: datetime) -> bool:
    """A person says that they did not block us: what was sent until now speaks for nothing. False: somebody was faster."""
    return _decide(issue, IssueState.DISMISSED, by, now)


def confirm(issue: DeliveryIssue, *, by: Membership, now: datetime) -> bool:
    """A person knows that they blocked us: nothing is sent by itself until they are reached."""
    return _decide(issue, IssueState.CONFIRMED, by, now)


def _decide(issue: DeliveryIssue, state: IssueState, by: Membership, now: datetime) -> bool:
    found = next((one for one in _locked([issue.conversation_id]) if one.pk == issue.pk and one.state != state), None)
    if found is None:
        return False
    if state is IssueState.DISMISSED:
        _close([found], state, now, by)
        return True
    found.state, found.decided_by, found.level = state, by, Level.VERY_LIKELY
    found.save(update_fields=["state", "decided_by", "level"])
    _note([found], ActivityKind.CONFIRMED, now, by)
    _tell(found.tenant_id, {found.conversation: Level.VERY_LIKELY}, now)
    return True


def _locked(conversation_ids: Sequence[UUID]) -> list[DeliveryIssue]:
    """The active issues of conversations. Conversations are locked first, in the order of their ids, as merging does."""
    talks = Conversation.objects.filter(pk__in=conversation_ids).order_by("pk").select_for_update(no_key=True)
    by_id = {talk.pk: talk for talk in talks}
    issues = list(DeliveryIssue.objects.filter(conversation__in=by_id, state__in=ACTIVE).select_for_update())
    for issue in issues:
        issue.conversation = by_id[issue.conversation_id]
    return issues


@dataclass(slots=True)
class _Talk:
    """One conversation with what was sent since the person was last reached."""

    conversation: Conversation
    reached_at: datetime | None
    since: datetime | None  # they were reached, or somebody said that nothing was wrong
    messages: list[tuple[UUID, datetime, Kind, str]] = field(default_factory=list)  # id, at, kind, country


def _judge_all(tenant: Tenant, ids: Iterable[UUID], now: datetime) -> int:
    wanted = sorted(ids)
    if not wanted:
        return 0
    examination = Examination.objects.first()
    learned = {
        UUID(number): Silences(tuple(timedelta(seconds=seconds) for seconds in found["ended"]), found["never"])
        for number, found in (examination.learned if examination else {}).items()
    }
    traffic = _Traffic.since(now - HORIZON - WIDER)
    for start in range(0, len(wanted), PAGE):
        _judge_page(tenant, wanted[start : start + PAGE], learned, traffic, now)
    return len(wanted)


def _judge_page(
    tenant: Tenant, ids: list[UUID], learned: dict[UUID, Silences], traffic: "_Traffic", now: datetime
) -> None:
    talks, own = _gathered(ids, now), _own(ids, now)
    active = DeliveryIssue.objects.filter(conversation__in=ids, state__in=ACTIVE).select_for_update()
    known = {each.conversation_id: each for each in active}
    new: list[DeliveryIssue] = []
    changed: list[DeliveryIssue] = []
    over: list[DeliveryIssue] = []
    worse: list[DeliveryIssue] = []
    levels: dict[Conversation, Level] = {}
    for talk in talks:
        conversation, issue = talk.conversation, known.get(talk.conversation.pk)
        sends = [
            Send(at, kind, *traffic.around(conversation.number_id, country, at))
            for _id, at, kind, country in talk.messages
        ]
        judged = judge(
            sends,
            was_reached=talk.reached_at is not None,
            silences=learned.get(conversation.number_id, Silences()),
            own=own.get(conversation.pk, ()),
            now=now,
        )
        before = Level(issue.level) if issue else Level.NONE
        if issue:
            issue.conversation = conversation
            (over if judged.level is Level.NONE else changed).append(issue)
        elif judged.level is not Level.NONE:
            issue = DeliveryIssue(
                tenant_id=tenant.pk, conversation=conversation, number_id=conversation.number_id, found_at=now
            )
            new.append(issue)
        if issue is None or judged.level is Level.NONE:
            continue
        _set(issue, talk, sends, judged, now)
        if issue.level != before:
            levels[conversation] = Level(issue.level)
        if issue.level in _SUSPECTED and _RANK.index(Level(issue.level)) > _RANK.index(before):
            worse.append(issue)
    DeliveryIssue.objects.bulk_create(new)
    DeliveryIssue.objects.bulk_update(changed, _JUDGED)
    _note(worse, ActivityKind.SUSPECTED, now)
    _close(over, IssueState.REACHED, now)
    _tell(tenant.pk, levels, now)


def _set(issue: DeliveryIssue, talk: _Talk, sends: list[Send], judged: Judgement, now: datetime) -> None:
    is_confirmed = issue.state == IssueState.CONFIRMED
    issue.level = Level.VERY_LIKELY if is_confirmed else judged.level
    issue.reached_at = talk.reached_at
    issue.likelihood, issue.misses, issue.judged_at = judged.likelihood, judged.misses, now
    issue.evidence = [
        {**asdict(send), "at": send.at.isoformat(), "message": str(message[0]), "weight": weight}
        for message, send, weight in zip(talk.messages, sends, judged.weights, strict=True)
    ][-40:]
    issue.since = next(send.at for send, weight in zip(sends, judged.weights, strict=True) if weight is Weight.COUNTED)


def _gathered(ids: list[UUID], now: datetime) -> list[_Talk]:
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, [ids])
        talks = {}
        for id, number_id, queue_id, assignee_id, reached, dismissed in cursor.fetchall():
            conversation = Conversation(id=id, number_id=number_id, queue_id=queue_id, assignee_id=assignee_id)
            since = max((at for at in (reached, dismissed) if at), default=None)
            talks[id] = _Talk(conversation, reached, since)
        cursor.execute(_SENT, [ids, now - HORIZON, list(_KINDS)])
        for id, message_id, at, status, reason, country in cursor.fetchall():
            talk = talks.get(id)
            if talk and (talk.since is None or at > talk.since):
                kind = Kind.STUCK if status in ("accepted", "sent") else _KINDS[Reason(reason)]
                talk.messages.append((message_id, at, kind, country))
    return list(talks.values())


def _learn(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """For each number: how long its silences lasted that ended, one for a person, and how many did not end."""
    about = _about(tenant, now, MEMORY) | {"length": PATIENCE}
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
    active = DeliveryIssue.objects.filter(state__in=ACTIVE)
    for number_id, state, since in active.values_list("number", "state", "since"):
        never[number_id] += state == IssueState.CONFIRMED or now - since >= FOR_GOOD
    return {
        str(number): {
            "ended": sorted(int(length.total_seconds()) for length in longest[number].values()),
            "never": never[number],
        }
        for number in {*longest, *never}
    }


def _own(ids: list[UUID], now: datetime) -> dict[UUID, list[timedelta]]:
    """Each person's earlier silences, sorted: of the messages that came on one day, the longest on its way."""
    with connection.cursor() as cursor:
        about: dict[str, Any] = {"ids": ids, "since": now - MEMORY, "length": PATIENCE}
        cursor.execute(_OWN, about)
        found: dict[UUID, list[timedelta]] = defaultdict(list)
        for conversation_id, length in cursor.fetchall():
            found[conversation_id].append(length)
        return found


class _Traffic:
    """What each number sent and delivered around a moment, from the hourly figures."""

    def __init__(self) -> None:
        self._hours: dict[tuple[UUID, str], list[datetime]] = defaultdict(list)
        self._sums: dict[tuple[UUID, str], list[tuple[int, int]]] = defaultdict(list)

    @classmethod
    def since(cls, start: datetime) -> "_Traffic":
        traffic = cls()
        found = MessageHour.objects.filter(hour__gte=start, direction=Direction.OUTBOUND)
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


def _about(tenant: Tenant, now: datetime, back: timedelta) -> dict[str, Any]:
    return {"tenant": tenant.pk, "since": now - back, "patient": now - PATIENCE, "reasons": list(_KINDS)}


def _ids(query: str, about: dict[str, Any]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, about)
        return {row[0] for row in cursor.fetchall()}


def _close(issues: list[DeliveryIssue], state: IssueState, now: datetime, by: Membership | None = None) -> None:
    for issue in issues:
        issue.state, issue.closed_at, issue.decided_by = state, now, by or issue.decided_by
    DeliveryIssue.objects.bulk_update(issues, ["state", "closed_at", "decided_by"])
    kind = ActivityKind.DISMISSED if state is IssueState.DISMISSED else ActivityKind.REACHED
    _note([issue for issue in issues if issue.level in _SUSPECTED], kind, now, by)
    if issues:
        _tell(issues[0].tenant_id, {issue.conversation: Level.NONE for issue in issues}, now)


def _note(issues: list[DeliveryIssue], kind: ActivityKind, now: datetime, by: Membership | None = None) -> None:
    Activity.objects.bulk_create(
        [
            Activity(
                id=uuid7(), tenant_id=issue.tenant_id, conversation_id=issue.conversation_id, kind=kind, actor=by, at=now,
                facts={"percent": percent(issue.likelihood)} if kind == ActivityKind.SUSPECTED else {},
            )
            for issue in issues
        ]
    )  # fmt: skip


def percent(likelihood: float) -> str:
    """“96 %”; never rounded up to certainty."""
    return f"{min(int(likelihood * 100), 99)} %"


def _tell(tenant_id: UUID, levels: dict[Conversation, Level], now: datetime) -> None:
    if not levels:
        return
    by_id = {conversation.pk: str(level) for conversation, level in levels.items()}
    with connection.cursor() as cursor:
        cursor.execute(_SUSPICIONS, [list(by_id), list(by_id.values())])
    signals.suspicion_changed.send(sender=None, tenant_id=tenant_id, levels=by_id, at=now)
    live.publish(tenant_id, [live.Change(one.pk, (one.queue_id,), (one.assignee_id,)) for one in levels])


__all__ = ["confirm", "dismiss", "examine", "follow_up", "hear", "percent", "run"]
