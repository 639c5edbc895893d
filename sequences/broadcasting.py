"""Broadcasts: one template to a frozen list, at a pace, pausing by itself when something goes wrong.

A recipient's message has an id that broadcast and recipient give, so it is one message however often it is tried. Only
as much as the pace allows for a moment is handed to the outbox; what waits there is held while the broadcast is paused.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any
from uuid import UUID, uuid5

from django.db import connection
from django.db.models import QuerySet

from crm import bells, budgets, outbound
from crm.blocking import Level
from crm.explanations import CANCELLED, INACTIVE, PAUSED, UNKNOWN_TEMPLATE
from crm.models import DeliveryIssue, Message, MessageStatus, Priority, Source
from crm.outbound import CannotSend, Draft
from sequences import freezing
from sequences.freezing import Skip
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from sequences.saying import template_content
from sequences.schedule import BLOCKING
from tenants.alerts import raise_alert, resolve_alert
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Severity, Tenant
from whatsapp.errors import Reason
from whatsapp.models import Number, Template

log = logging.getLogger(__name__)

PAGE = 500
AHEAD_S = 2.0
"""So many seconds of the pace may wait in the outbox; more would go out after a pause."""
JUDGED, FEWEST = 200, 20
"""Failures are judged by the newest so many messages, once so many have an outcome."""
BLOCK_SHARE, FEWEST_BLOCKS = 0.02, 3
ALERT = "broadcast-paused"
_ROWS: Any = Broadcast._meta.get_field("rows")
_QUALITIES = ("GREEN", "YELLOW", "RED")
# Meta's choice about one person, not a fault of the broadcast.
_FORGIVEN = (Reason.MARKETING_CAP, Reason.EXPERIMENT, Reason.OPTED_OUT, CANCELLED)


class Pause(StrEnum):
    """Why a broadcast paused; `sequences.words` says each to a person."""

    BY_HAND = "by_hand"
    FAILURES = "failures"
    BLOCKS = "blocks"
    QUALITY = "quality"
    BUDGET = "budget"
    TEMPLATE = "template"
    NUMBER = "number"


# --- People's orders --------------------------------------------------------------------------------------------------


def draft(
    *,
    name: str,
    number: Number,
    template: Template,
    audience: dict[str, Any],
    rows: list[list[Any]],
    by: Membership,
    now: datetime,
    variables: dict[str, str] | None = None,
) -> Broadcast:
    """Write one; nobody is on its list before it is prepared. Variables that are not given begin with the first name."""
    return Broadcast.objects.create(
        tenant_id=number.tenant_id,
        name=name.strip(),
        number=number,
        template_name=template.name,
        template_language=template.language,
        template_category=template.category.lower(),
        variables=variables or {name: "{first_name}" if name == "1" else "" for name in template.variables},
        audience=audience,
        rows=rows,
        created_by=by,
        created_at=now,
    )


def start(broadcast: Broadcast, *, now: datetime, at: datetime | None = None) -> bool:
    """Begin now, or at a moment. False: it is not ready, or somebody was faster."""
    later = at is not None and at > now
    fields: dict[str, Any] = {"scheduled_at": at if later else now, "state": BroadcastState.SCHEDULED}
    ready = Broadcast.objects.filter(pk=broadcast.pk, state__in=(BroadcastState.READY, BroadcastState.SCHEDULED))
    return bool(ready.update(**fields, rows=_no_rows(broadcast)))


def _no_rows(broadcast: Broadcast) -> Any:
    """The file is not kept once its lines are recipients."""
    return _ROWS.sealed([], tenant_id=broadcast.tenant_id)


def pause(broadcast: Broadcast, *, why: Pause = Pause.BY_HAND) -> bool:
    """Stop handing over at once; what waits in the outbox is held, what is on its way cannot be called back."""
    running = Broadcast.objects.filter(pk=broadcast.pk, state__in=(BroadcastState.SCHEDULED, BroadcastState.RUNNING))
    if not running.update(state=BroadcastState.PAUSED, reason=why):
        return False
    _outbox(broadcast, held=True)
    return True


def resume(broadcast: Broadcast, *, now: datetime) -> bool:
    """Go on where it stopped; what had failed until now is not held against it again."""
    paused = Broadcast.objects.filter(pk=broadcast.pk, state=BroadcastState.PAUSED)
    quality = Number.objects.values_list("quality", flat=True).get(pk=broadcast.number_id)
    state = BroadcastState.RUNNING if broadcast.started_at else BroadcastState.SCHEDULED
    if not paused.update(state=state, reason="", resumed_at=now, quality=quality, paced_at=None):
        return False
    _outbox(broadcast, held=False)
    resolve_alert(tenant_id=broadcast.tenant_id, kind=ALERT, subject=str(broadcast.pk))
    return True


def cancel(broadcast: Broadcast, *, now: datetime) -> bool:
    """End it: nobody else gets it, and what was waiting in the outbox does not go out."""
    if (
        not Broadcast.objects.filter(pk=broadcast.pk)
        .exclude(state__in=(BroadcastState.DONE, BroadcastState.CANCELLED, BroadcastState.DISCARDED))
        .update(state=BroadcastState.CANCELLED, ended_at=now, rows=_no_rows(broadcast))
    ):
        return False
    _unsent(broadcast).update(status=MessageStatus.FAILED, failed_at=now, error_reason=CANCELLED, next_attempt_at=None)
    Recipient.objects.filter(broadcast=broadcast, fate=Fate.WAITING).update(fate=Fate.SKIPPED, reason=Skip.CANCELLED)
    resolve_alert(tenant_id=broadcast.tenant_id, kind=ALERT, subject=str(broadcast.pk))
    return True


def _unsent(broadcast: Broadcast) -> QuerySet[Message]:
    ids = Recipient.objects.filter(broadcast=broadcast, fate=Fate.SENT).values("message")
    return Message.objects.filter(pk__in=ids, status=MessageStatus.QUEUED)


def _outbox(broadcast: Broadcast, *, held: bool) -> None:
    if held:
        _unsent(broadcast).update(next_attempt_at=None)
        return
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [broadcast.pk])
    bells.ring_dispatch(broadcast.tenant_id, broadcast.number_id)


_RELEASE = """
UPDATE crm_message m SET next_attempt_at = statement_timestamp()
FROM sequences_recipient r
WHERE r.broadcast_id = %s AND r.message_id = m.id AND m.status = 'queued' AND m.next_attempt_at IS NULL
"""


# --- Running ----------------------------------------------------------------------------------------------------------

_BUSY = """
SELECT tenant_id, id FROM sequences_broadcast
WHERE state = 'running' OR (state = 'scheduled' AND scheduled_at <= %s) ORDER BY created_at
"""
# The pace by the database's clock: the demonstration's may jump. What has not been used of it is kept for two seconds,
# or for one message where the pace is slower than that.
_ALLOWANCE = """
SELECT EXTRACT(epoch FROM statement_timestamp() - b.paced_at),
       (SELECT count(*) FROM crm_message m WHERE m.number_id = b.number_id AND m.status = 'queued' AND m.priority = %s
        AND m.next_attempt_at IS NOT NULL),
       statement_timestamp()
FROM sequences_broadcast b WHERE b.id = %s
"""
_HEALTH = """
SELECT count(*) FILTER (WHERE m.status IN ('delivered', 'read', 'played', 'failed', 'unknown')),
       count(*) FILTER (WHERE m.status = 'unknown' OR (m.status = 'failed' AND NOT m.error_reason = ANY(%(forgiven)s)))
FROM (
    SELECT message_id FROM sequences_recipient r
    WHERE r.broadcast_id = %(broadcast)s AND r.fate = 'sent' ORDER BY r.position DESC LIMIT %(judged)s
) newest JOIN crm_message m ON m.id = newest.message_id
WHERE %(since)s::timestamptz IS NULL OR m.sent_at >= %(since)s
"""
_SENT = """
UPDATE sequences_recipient r SET fate = n.fate, reason = n.reason, message_id = n.message_id
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[]) AS n (id, fate, reason, message_id) WHERE r.id = n.id
"""


def run(now: datetime) -> int:
    """Begin and go on with whatever is due, then freeze lists; returns how many messages were handed over."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_BUSY, [now])
        busy = cursor.fetchall()
    handed_over = sum(_guarded_tick(tenant_id, broadcast_id, now) for tenant_id, broadcast_id in busy)
    freezing.run(now)  # the last, as it takes its time
    return handed_over


def next_start(now: datetime) -> datetime | None:
    """When the next one is scheduled, for the demonstration's clock."""
    with system_transaction():
        waiting = Broadcast.objects.filter(state=BroadcastState.SCHEDULED, scheduled_at__gt=now)
        return waiting.order_by("scheduled_at").values_list("scheduled_at", flat=True).first()


def _guarded_tick(tenant_id: UUID, broadcast_id: UUID, now: datetime) -> int:
    """One that cannot go on stops no other; it is tried again at the next beat, and what is wrong is in the log."""
    try:
        return _tick(tenant_id, broadcast_id, now)
    except Exception:
        log.exception("broadcast not gone on with", extra={"broadcast_id": str(broadcast_id)})
        return 0


def _tick(tenant_id: UUID, broadcast_id: UUID, now: datetime) -> int:
    with tenant_transaction(tenant_id):
        # One at a time, whoever else looks at it now.
        found = Broadcast.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=broadcast_id)
        broadcast = found.select_related("number").first()
        if broadcast is None:
            return 0
        if broadcast.state == BroadcastState.SCHEDULED and broadcast.scheduled_at and broadcast.scheduled_at <= now:
            broadcast.state, broadcast.started_at = BroadcastState.RUNNING, now
            broadcast.quality = broadcast.number.quality
            broadcast.save(update_fields=["state", "started_at", "quality"])
        if broadcast.state != BroadcastState.RUNNING:
            return 0
        if why := _trouble(broadcast, now):
            _pause_by_itself(broadcast, why)
            return 0
        return _hand_over(broadcast, now)


def _trouble(broadcast: Broadcast, now: datetime) -> Pause | None:
    """Why it must not go on, if anything is wrong."""
    number = broadcast.number
    if not number.can_send:
        return Pause.NUMBER
    if _rank(number.quality) > _rank(broadcast.quality):
        return Pause.QUALITY
    about: dict[str, Any] = {
        "broadcast": broadcast.pk, "judged": JUDGED, "since": broadcast.resumed_at,
        "forgiven": [str(reason) for reason in _FORGIVEN],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_HEALTH, about)
        known, failed = cursor.fetchone()
    if known >= FEWEST and failed * 100 >= broadcast.failure_limit * known:
        return Pause.FAILURES
    sent = Recipient.objects.filter(broadcast=broadcast, fate=Fate.SENT)
    blocks = DeliveryIssue.objects.filter(
        number_id=number.pk, found_at__gte=broadcast.resumed_at or broadcast.started_at,
        level__in=(Level.PROBABLE, Level.VERY_LIKELY), conversation__in=sent.values("conversation"),
    ).count()  # fmt: skip
    if blocks >= FEWEST_BLOCKS and blocks >= BLOCK_SHARE * sent.count():
        return Pause.BLOCKS
    left = budgets.left_for_automatic(Tenant.objects.get(pk=broadcast.tenant_id), now)
    return Pause.BUDGET if left is not None and left <= 0 else None


def _rank(quality: str) -> int:
    return _QUALITIES.index(quality) if quality in _QUALITIES else 0


def _pause_by_itself(broadcast: Broadcast, why: Pause) -> None:
    if pause(broadcast, why=why):
        raise_alert(
            tenant_id=broadcast.tenant_id, kind=ALERT, subject=str(broadcast.pk), severity=Severity.WARNING,
            facts={"broadcast": broadcast.name, "reason": why},
        )  # fmt: skip


def _hand_over(broadcast: Broadcast, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_ALLOWANCE, [Priority.CAMPAIGN.value, broadcast.pk])
        elapsed, waiting, moment = cursor.fetchone()
    per_second = broadcast.per_minute / 60
    most = ceil(per_second * AHEAD_S)
    earned = min(per_second * float(elapsed), most) if elapsed is not None else max(per_second, 1)
    count = min(int(earned), most - waiting, PAGE)
    if count <= 0:
        return 0
    due = Recipient.objects.filter(broadcast=broadcast, fate=Fate.WAITING).order_by("position")
    recipients = list(due.select_related("conversation__contact", "conversation__number")[:count])
    if not recipients:
        Broadcast.objects.filter(pk=broadcast.pk).update(state=BroadcastState.DONE, ended_at=now)
        return 0
    left = timedelta(seconds=min(earned - count, 1) / per_second)  # of a message, for the next time
    Broadcast.objects.filter(pk=broadcast.pk).update(paced_at=moment - left)
    results = _composed(broadcast, recipients, now)
    if any(fate == Fate.WAITING for fate, _reason, _message in results):
        _pause_by_itself(broadcast, Pause.TEMPLATE)
        return 0
    with connection.cursor() as cursor:
        columns = zip(*results, strict=True)
        cursor.execute(_SENT, [[one.pk for one in recipients], *(list(column) for column in columns)])
    return sum(fate == Fate.SENT for fate, *_ in results)


def _composed(broadcast: Broadcast, recipients: list[Recipient], now: datetime) -> list[tuple[str, str, UUID | None]]:
    """(fate, reason, message) of each; all of them WAITING when the template or the number may not be used any more."""
    drafts = {}
    for one in recipients:
        talk = one.conversation
        if talk and talk.suspicion not in BLOCKING:
            content = template_content(broadcast.template_name, broadcast.template_language, one.values)
            drafts[one.pk] = Draft(talk, content, uuid5(broadcast.pk, str(talk.pk)))
    sent = outbound.compose_many(list(drafts.values()), source=Source.BROADCAST, now=now, priority=Priority.CAMPAIGN)
    results: list[tuple[str, str, UUID | None]] = []
    for one in recipients:
        if one.pk not in drafts:
            results.append((Fate.SKIPPED.value, Skip.BLOCKED.value, None))
            continue
        found = sent[drafts[one.pk].client_id]
        if not isinstance(found, CannotSend):
            results.append((Fate.SENT.value, "", found))
        elif found.reason in (UNKNOWN_TEMPLATE, Reason.TEMPLATE_STATE, INACTIVE, PAUSED):
            results.append((Fate.WAITING.value, "", None))
        else:
            results.append((Fate.SKIPPED.value, found.reason[:40], None))
    return results


def summary(broadcasts: Iterable[Broadcast]) -> dict[UUID, dict[str, int]]:
    """How many of each broadcast are waiting, on their way, delivered, read, failed …: one query for all."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY, [[one.pk for one in broadcasts]])
        names = [column.name for column in cursor.description or ()]
        return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in cursor.fetchall()}


# Of who was erased the line says what their message had come to.
_SUMMARY = """
SELECT r.broadcast_id, count(*) AS total,
       count(*) FILTER (WHERE r.fate = 'waiting') AS waiting,
       count(*) FILTER (WHERE r.fate = 'skipped') AS skipped,
       count(*) FILTER (WHERE r.fate = 'refused') AS refused,
       count(*) FILTER (WHERE r.fate = 'sent') AS sent,
       count(*) FILTER (WHERE s.status IN ('queued', 'sending')) AS queued,
       count(*) FILTER (WHERE m.accepted_at IS NOT NULL OR (r.kept->>'accepted')::bool) AS accepted,
       count(*) FILTER (WHERE s.status IN ('delivered', 'read', 'played')) AS delivered,
       count(*) FILTER (WHERE s.status IN ('read', 'played')) AS read,
       count(*) FILTER (WHERE s.status = 'failed') AS failed,
       count(*) FILTER (WHERE s.status = 'unknown') AS unknown,
       count(*) FILTER (WHERE c.last_inbound_at > m.sent_at OR (r.kept->>'replied')::bool) AS replied,
       COALESCE(sum(COALESCE(m.cost_amount, (r.kept->>'cost')::numeric)) FILTER (WHERE s.status <> 'failed'), 0) AS cost
FROM sequences_recipient r
LEFT JOIN crm_message m ON m.id = r.message_id LEFT JOIN crm_conversation c ON c.id = r.conversation_id,
LATERAL (SELECT COALESCE(m.status, r.kept->>'status') AS status) s
WHERE r.broadcast_id = ANY(%s) GROUP BY 1
"""
