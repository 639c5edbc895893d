"""Looking for blocks: the evidence of messages goes to `crm.blocking`, its judgements into delivery issues.

Everything is examined every few hours; once a minute only what has just spoken for or against somebody. A reply takes a
suspicion back at once. Examining twice, late or at the same time gives the same.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from uuid_utils.compat import uuid7

from crm import evidence, live, signals
from crm.blocking import PATIENCE, Judgement, Level, Send, Silences, Weight, judge
from crm.evidence import Talk, Traffic
from crm.models import (
    Activity,
    ActivityKind,
    Conversation,
    DeliveryIssue,
    Examination,
    IssueState,
)
from crm.models.issues import ACTIVE
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Tenant

RECENT = timedelta(hours=2)
PAGE = 500

_JUDGED = ["level", "likelihood", "misses", "evidence", "reached_at", "since", "judged_at"]
_RANK = (Level.NONE, Level.POSSIBLE, Level.PROBABLE, Level.VERY_LIKELY)
_SUSPECTED = (Level.PROBABLE, Level.VERY_LIKELY)

_SILENT = f"""
SELECT DISTINCT m.conversation_id FROM crm_message m
WHERE m.tenant_id = %(tenant)s AND m.sent_at >= %(since)s AND m.direction = 'outbound' AND {evidence.REPORTED} AND (
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
_SUSPICIONS = """
UPDATE crm_conversation c SET suspicion = s.level FROM unnest(%s::uuid[], %s::text[]) AS s (id, level) WHERE c.id = s.id
"""


def run(now: datetime) -> int:
    """Examine each company when it is time, else only what has just spoken; how many conversations were judged."""
    with system_transaction():
        tenants = list(Tenant.unfenced.order_by("pk"))
    judged = 0
    for tenant in tenants:
        with tenant_transaction(tenant.pk):
            last = Examination.objects.first()
        is_time = last is None or now - last.examined_at >= timedelta(hours=settings.BLOCK_CHECK_HOURS)
        judged += _examine(tenant, now) if is_time else _follow_up(tenant, now, last.learned if last else {})
    return judged


def _examine(tenant: Tenant, now: datetime) -> int:
    """Judge every conversation in which something sent was not received, by what the numbers have taught until now."""
    with tenant_transaction(tenant.pk):
        learned = evidence.learn(tenant, now)
        active = DeliveryIssue.objects.filter(state__in=ACTIVE).values_list("conversation", flat=True)
        found = _ids(_SILENT, _about(tenant, now, evidence.HORIZON)) | set(active)
    _judge_all(tenant, found, learned, now)
    with tenant_transaction(tenant.pk):  # last, so that one which is killed is done again
        Examination.objects.update_or_create(tenant=tenant, defaults={"examined_at": now, "learned": learned})
    return len(found)


def _follow_up(tenant: Tenant, now: datetime, learned: dict[str, Any]) -> int:
    """Judge those whose messages have just failed, and the suspected who have been reached."""
    with tenant_transaction(tenant.pk):
        found = _ids(_SILENT, _about(tenant, now, RECENT)) | _ids(_HEARD, {"tenant": tenant.pk})
    _judge_all(tenant, found, learned, now)
    return len(found)


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


def _judge_all(tenant: Tenant, ids: set[UUID], learned: dict[str, Any], now: datetime) -> None:
    """A page at a time: nobody waits for the whole, and two who do the same do it one after the other."""
    if not ids:
        return
    silences, wanted = evidence.silences_of(learned), sorted(ids)
    with tenant_transaction(tenant.pk):
        traffic = Traffic.since(now - evidence.HORIZON - evidence.WIDER)
    for start in range(0, len(wanted), PAGE):
        with tenant_transaction(tenant.pk):
            _judge_page(tenant, wanted[start : start + PAGE], silences, traffic, now)


def _judge_page(
    tenant: Tenant, ids: list[UUID], silences: dict[UUID, Silences], traffic: Traffic, now: datetime
) -> None:
    talks, own = evidence.gathered(ids, now), evidence.own_silences(ids, now)
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
            silences=silences.get(conversation.number_id, Silences()),
            own=own.get(conversation.pk, ()),
            now=now,
        )
        before = Level(issue.level) if issue else Level.NONE
        if issue and judged.misses < issue.misses and not (talk.since and talk.since >= issue.since):
            continue  # nobody reached them: what spoke for it has only become too old to be looked at
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


def _set(issue: DeliveryIssue, talk: Talk, sends: list[Send], judged: Judgement, now: datetime) -> None:
    is_confirmed = issue.state == IssueState.CONFIRMED
    issue.level = Level.VERY_LIKELY if is_confirmed else judged.level
    issue.reached_at = talk.reached_at
    issue.likelihood, issue.misses, issue.judged_at = judged.likelihood, judged.misses, now
    issue.evidence = [
        {**asdict(send), "at": send.at.isoformat(), "message": str(message[0]), "weight": weight}
        for message, send, weight in zip(talk.messages, sends, judged.weights, strict=True)
    ][-40:]
    issue.since = next(send.at for send, weight in zip(sends, judged.weights, strict=True) if weight is Weight.COUNTED)


def _about(tenant: Tenant, now: datetime, back: timedelta) -> dict[str, Any]:
    return {"tenant": tenant.pk, "since": now - back, "patient": now - PATIENCE, "reasons": list(evidence.KINDS)}


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


__all__ = ["confirm", "dismiss", "hear", "percent", "run"]
