"""Broadcasts: one template to a frozen list, at a pace, pausing by itself when something goes wrong.

A recipient's message has an id that broadcast and recipient give, so it is one message however often it is tried. Only
as much as the pace allows for a moment is handed to the outbox; what waits there is held while the broadcast is paused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import Any
from uuid import UUID, uuid5

from django.db import connection
from django.db.models import QuerySet

from crm import bells, budgets, costs, outbound
from crm.blocking import Level
from crm.explanations import CANCELLED, INACTIVE, PAUSED, UNKNOWN_TEMPLATE
from crm.inbound import conversations, people
from crm.inbound.directory import Line
from crm.models import Conversation, DeliveryIssue, Message, MessageStatus, Priority, Source
from crm.outbound import CannotSend, Draft
from sequences.audience import number_of
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from sequences.runner import places_for, template_content
from sequences.schedule import BLOCKING, filled
from tenants.alerts import raise_alert, resolve_alert
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Queue, Severity, Tenant
from whatsapp.errors import Reason
from whatsapp.events import Person
from whatsapp.models import Number, TemplateStatus
from whatsapp.models import Template as StoredTemplate
from whatsapp.pricing import category_of

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


class Skip(StrEnum):
    """Why a line of the list gets nothing."""

    NOT_A_PHONE = "not_a_phone"
    TWICE = "twice"
    EMPTY = "empty_variable"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


# --- Preparing: the list is frozen ------------------------------------------------------------------------------------


def prepare(broadcast: Broadcast) -> None:
    """Freeze the list soon, in the background; until then it can be changed."""
    Broadcast.objects.filter(pk=broadcast.pk, state__in=(BroadcastState.DRAFT, BroadcastState.READY)).update(
        state=BroadcastState.PREPARING
    )


def audience_of(broadcast: Broadcast, now: datetime) -> QuerySet[Conversation]:
    """Those who wrote to the number, narrowed by label and by how lately."""
    found = Conversation.objects.filter(number_id=broadcast.number_id, last_inbound_at__isnull=False)
    if label := broadcast.audience.get("label"):
        found = found.filter(contact__labels__contains=[label])
    if days := broadcast.audience.get("days"):
        found = found.filter(last_inbound_at__gte=now - timedelta(days=days))
    return found


def freeze(broadcast: Broadcast, now: datetime) -> None:
    """Write the list with a reason for whoever is left out, and what it will cost. In one transaction, all or nothing."""
    Recipient.objects.filter(broadcast=broadcast).delete()
    tenant = Tenant.objects.get(pk=broadcast.tenant_id)
    if broadcast.rows:
        found = _from_rows(broadcast, tenant, now)
    else:
        ids = audience_of(broadcast, now).order_by("pk").values_list("pk", flat=True)
        found = [_Line(conversation_id=id) for id in ids]
    priced: dict[tuple[str, str], _Priced] = {}
    for start in range(0, len(found), PAGE):
        page = found[start : start + PAGE]
        recipients = _recipients(broadcast, tenant, page, start, now, priced)
        Recipient.objects.bulk_create(recipients)
    broadcast.forecast = [
        {
            "category": broadcast.template_category, "country": country, "count": one.count,
            "amount": str(one.amount), "unknown": one.unknown,
        }
        for (_category, country), one in sorted(priced.items(), key=lambda pair: -pair[1].count)
    ]  # fmt: skip
    broadcast.currency = tenant.billing_currency
    broadcast.state = BroadcastState.READY
    broadcast.save(update_fields=["forecast", "currency", "state"])


@dataclass(slots=True)
class _Line:
    conversation_id: UUID | None = None
    line: int | None = None
    address: str = ""
    values: dict[str, str] | None = None
    fault: str = ""


@dataclass(slots=True)
class _Priced:
    count: int = 0
    unknown: int = 0
    amount: Decimal = Decimal(0)


def _from_rows(broadcast: Broadcast, tenant: Tenant, now: datetime) -> list[_Line]:
    """The lines of a file, with contacts and conversations for those who have none yet."""
    number = Number.objects.get(pk=broadcast.number_id)
    queue_id = number.queue_id or Queue.objects.get(is_triage=True).pk
    place = Line(number_id=number.pk, tenant_id=tenant.pk, queue_id=queue_id, provider=number.provider)
    lines, seen = [], set[str]()
    for line, written, values in broadcast.rows:
        digits, fault = number_of(written, tenant.default_country)
        if not fault and digits in seen:
            fault = Skip.TWICE
        seen.add(digits)
        lines.append(_Line(line=line, address=digits or written, values=values, fault=fault))
    usable = [line for line in lines if not line.fault]
    with connection.cursor() as cursor:
        for start in range(0, len(usable), PAGE):
            page = [(line, Person(phone=line.address)) for line in usable[start : start + PAGE]]
            owners = people.resolve(cursor, [(tenant.pk, person, now) for _line, person in page])
            contacts = {id(line): people.contact_of(owners, tenant.pk, person) for line, person in page}
            there = conversations.ensure(cursor, [(place, contact) for contact in contacts.values() if contact])
            for line, _person in page:
                contact = contacts[id(line)]
                line.conversation_id = there.get((number.pk, contact)) if contact else None
    return lines


def _recipients(
    broadcast: Broadcast,
    tenant: Tenant,
    page: list[_Line],
    start: int,
    now: datetime,
    priced: dict[tuple[str, str], _Priced],
) -> list[Recipient]:
    ids = [line.conversation_id for line in page if line.conversation_id]
    found = Conversation.objects.filter(pk__in=ids).select_related("contact", "number").defer("number__token")
    talks = {talk.pk: talk for talk in found}
    taken = set(
        Recipient.objects.filter(broadcast=broadcast, conversation__in=ids).values_list("conversation", flat=True)
    )
    recipients = []
    for place, line in enumerate(page, start):
        talk = talks.get(line.conversation_id) if line.conversation_id else None
        recipient = Recipient(
            tenant_id=tenant.pk, broadcast=broadcast, position=place, line=line.line, address=line.address,
            conversation=talk,
        )  # fmt: skip
        fate, reason, detail = _fate(broadcast, line, talk, taken)
        recipient.fate, recipient.reason, recipient.detail = fate, reason, detail
        if talk and fate == Fate.WAITING:
            taken.add(talk.pk)
            recipient.values = _values(broadcast, line, talk)
            price = costs.price_of(talk, category_of(broadcast.template_category), now, tenant.billing_currency)
            one = priced.setdefault((broadcast.template_category, price.country), _Priced())
            one.count += 1
            one.unknown += price.is_unknown
            one.amount += price.amount or 0
        recipients.append(recipient)
    return recipients


def _fate(broadcast: Broadcast, line: _Line, talk: Conversation | None, taken: set[UUID]) -> tuple[Fate, str, str]:
    """What a line will be, and why it is left out."""
    if line.fault or talk is None:
        return Fate.REFUSED, line.fault or Skip.NOT_A_PHONE, ""
    if talk.pk in taken:
        return Fate.REFUSED, Skip.TWICE, ""
    empty = [name for name, text in _values(broadcast, line, talk).items() if not text]
    if empty:
        return Fate.REFUSED, Skip.EMPTY, ", ".join(empty)[:120]
    if talk.contact.marketing_stopped and broadcast.template_category == "marketing":
        return Fate.SKIPPED, Skip.OPTED_OUT, ""
    if talk.suspicion in BLOCKING:
        return Fate.SKIPPED, Skip.BLOCKED, ""
    return Fate.WAITING, "", ""


def _values(broadcast: Broadcast, line: _Line, talk: Conversation) -> dict[str, str]:
    places = places_for(talk.contact) | {name: text for name, text in (line.values or {}).items() if text}
    return {name: " ".join(filled(said, places).split()) for name, said in broadcast.variables.items()}


# --- People's orders --------------------------------------------------------------------------------------------------


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
        .exclude(state__in=(BroadcastState.DONE, BroadcastState.CANCELLED))
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
WHERE state IN ('preparing', 'running') OR (state = 'scheduled' AND scheduled_at <= %s) ORDER BY created_at
"""
# The pace by the database's clock: the demonstration's may jump.
_ALLOWANCE = """
SELECT LEAST(EXTRACT(epoch FROM statement_timestamp() - COALESCE(b.paced_at, statement_timestamp() - interval '1 second')), 2),
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
    """Prepare, begin and go on with whatever is due; returns how many messages were handed over."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_BUSY, [now])
        busy = cursor.fetchall()
    return sum(_tick(tenant_id, broadcast_id, now) for tenant_id, broadcast_id in busy)


def next_start(now: datetime) -> datetime | None:
    """When the next one is scheduled, for the demonstration's clock."""
    with system_transaction():
        waiting = Broadcast.objects.filter(state=BroadcastState.SCHEDULED, scheduled_at__gt=now)
        return waiting.order_by("scheduled_at").values_list("scheduled_at", flat=True).first()


def _tick(tenant_id: UUID, broadcast_id: UUID, now: datetime) -> int:
    with tenant_transaction(tenant_id):
        # One at a time, whoever else looks at it now.
        found = Broadcast.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=broadcast_id)
        broadcast = found.select_related("number").first()
        if broadcast is None:
            return 0
        if broadcast.state == BroadcastState.PREPARING:
            freeze(broadcast, now)
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
    count = min(int(per_second * float(elapsed)), ceil(per_second * AHEAD_S) - waiting, PAGE)
    if count <= 0:
        return 0
    due = Recipient.objects.filter(broadcast=broadcast, fate=Fate.WAITING).order_by("position")
    recipients = list(due.select_related("conversation__contact", "conversation__number")[:count])
    if not recipients:
        Broadcast.objects.filter(pk=broadcast.pk).update(state=BroadcastState.DONE, ended_at=now)
        return 0
    Broadcast.objects.filter(pk=broadcast.pk).update(paced_at=moment)
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
        elif found.reason in (UNKNOWN_TEMPLATE, INACTIVE, PAUSED):
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


_SUMMARY = """
SELECT r.broadcast_id, count(*) AS total,
       count(*) FILTER (WHERE r.fate = 'waiting') AS waiting,
       count(*) FILTER (WHERE r.fate = 'skipped') AS skipped,
       count(*) FILTER (WHERE r.fate = 'refused') AS refused,
       count(*) FILTER (WHERE r.fate = 'sent') AS sent,
       count(*) FILTER (WHERE m.status IN ('queued', 'sending')) AS queued,
       count(*) FILTER (WHERE m.accepted_at IS NOT NULL) AS accepted,
       count(*) FILTER (WHERE m.status IN ('delivered', 'read', 'played')) AS delivered,
       count(*) FILTER (WHERE m.status IN ('read', 'played')) AS read,
       count(*) FILTER (WHERE m.status = 'failed') AS failed,
       count(*) FILTER (WHERE m.status = 'unknown') AS unknown,
       count(*) FILTER (WHERE c.last_inbound_at > m.sent_at) AS replied,
       COALESCE(sum(m.cost_amount) FILTER (WHERE m.status <> 'failed'), 0) AS cost
FROM sequences_recipient r
LEFT JOIN crm_message m ON m.id = r.message_id LEFT JOIN crm_conversation c ON c.id = r.conversation_id
WHERE r.broadcast_id = ANY(%s) GROUP BY 1
"""


def approved(waba_id: str) -> QuerySet[StoredTemplate]:
    """The templates that a number of this account may send now."""
    return StoredTemplate.objects.filter(waba_id=waba_id, status=TemplateStatus.APPROVED).order_by("name", "language")
