"""A phone that shares our number hands over its contacts and its past chats: asked for, and watched as they come.

WhatsApp takes each request once for a connection, within a day of it (Cloud API, "Onboarding WhatsApp Business app
users"). A person asks; the row waits until WhatsApp has been told: by a bell at once, else by the sweep.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Q

from tenants.context import current_scope, system_transaction, tenant_transaction
from whatsapp.capabilities import CAPABILITIES
from whatsapp.errors import Reason, classify
from whatsapp.events import Notice
from whatsapp.models import Handover, HandoverKind, HandoverState, HealthChange, HealthKind, Number
from whatsapp.providers import get_provider
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, Provider, ProviderError, Refused

OPEN_FOR = timedelta(hours=24)
LEASE_SECONDS = 60
NOT_SHARED = "not_shared"

# What begins another connection, or ends the one that something was handed over for (webhook `account_update`).
_CONNECTIONS = (
    "PARTNER_ADDED", "PARTNER_APP_INSTALLED", "PARTNER_REMOVED", "ACCOUNT_RECONNECTED", "ACCOUNT_OFFBOARDED",
)  # fmt: skip
_PASSING = frozenset({Reason.RATE_API, Reason.RATE_NUMBER, Reason.TRANSIENT})
_FIELDS = {"smb_app_state_sync": HandoverKind.CONTACTS, "history": HandoverKind.HISTORY}
_CLAIM = """
UPDATE whatsapp_handover
SET claimed_until = statement_timestamp() + make_interval(secs => %s), attempts = attempts + 1
WHERE number_id = %s AND state = 'asked' AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
RETURNING id
"""
_DUE = """
SELECT DISTINCT tenant_id, number_id FROM whatsapp_handover
WHERE state = 'asked' AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
LIMIT 100
"""
# Locked by id. What is told twice changes nothing, nor what was told before it was asked for: of another connection.
_HEARD = """
WITH told AS (
    SELECT n.id AS number_id, t.kind, max(t.progress) AS progress, bool_or(t.declined) AS declined, max(t.at) AS at
    FROM unnest(%s::text[], %s::text[], %s::int[], %s::bool[], %s::timestamptz[])
        AS t (phone_number_id, kind, progress, declined, at)
    JOIN whatsapp_number n ON n.provider = 'cloud' AND n.phone_number_id = t.phone_number_id
    GROUP BY n.id, t.kind
), locked AS (
    SELECT h.id, told.progress, told.declined, told.at
    FROM whatsapp_handover h JOIN told USING (number_id, kind) ORDER BY h.id FOR NO KEY UPDATE OF h
)
UPDATE whatsapp_handover h
SET progress = GREATEST(h.progress, locked.progress), heard_at = GREATEST(h.heard_at, locked.at),
    state = CASE WHEN locked.declined THEN 'declined' ELSE h.state END
FROM locked
WHERE h.id = locked.id AND locked.at > h.asked_at - interval '10 minutes'
    AND (locked.at > COALESCE(h.heard_at, '-infinity') OR locked.progress > COALESCE(h.progress, -1)
         OR (locked.declined AND h.state <> 'declined'))
"""


class CannotAsk(Exception):
    """It may not be asked for; `reason` is NOT_SHARED or one of whatsapp.errors', `earlier` what was asked for before."""

    def __init__(self, reason: str, earlier: Handover | None = None) -> None:
        super().__init__(reason)
        self.reason, self.earlier = str(reason), earlier


def can_be_asked(number: Number) -> bool:
    """Whether there is a phone that has something to hand over."""
    return number.is_shared and CAPABILITIES[number.provider].hands_over


def connected_at(number: Number) -> datetime:
    """When the number was last connected, as far as we have heard."""
    lines = HealthChange.objects.filter(
        Q(kind=HealthKind.CONNECTED) | Q(kind=HealthKind.ACCOUNT, after__in=_CONNECTIONS), number=number
    )
    return lines.aggregate(at=Max("at"))["at"] or number.created_at


def holds(handover: Handover | None, since: datetime) -> bool:
    """Whether what was asked for stands in the way of asking again: it was taken, or nobody knows yet, in this connection."""
    return handover is not None and handover.state != HandoverState.REFUSED and handover.asked_at >= since


def ask(*, number: Number, kind: HandoverKind, now: datetime) -> Handover:
    """Have WhatsApp asked for it, after commit. Two clicks ask once. Raises CannotAsk.

    Whether a day has passed is WhatsApp's to judge: it may know of a newer connection than we do.
    """
    if not can_be_asked(number):
        raise CannotAsk(NOT_SHARED)
    with transaction.atomic():
        handover, is_new = Handover.objects.select_for_update(no_key=True).get_or_create(
            number=number, kind=kind, defaults={"tenant_id": number.tenant_id, "asked_at": now}
        )
        if is_new:
            return handover
        if holds(handover, connected_at(number)):
            raise CannotAsk(Reason.HANDED_OVER, handover)
        handover.state, handover.asked_at, handover.attempts = HandoverState.ASKED, now, 0
        handover.request_id = handover.reason = handover.detail = ""
        handover.claimed_until = handover.progress = handover.heard_at = None
        handover.save()
        return handover


def due() -> list[tuple[UUID, UUID]]:
    """(tenant, number) of what WhatsApp has not been asked for yet, whatever became of the bell."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_DUE)
        return cursor.fetchall()


def perform(*, tenant_id: UUID, number_id: UUID) -> None:
    """Ask WhatsApp for what people want of this number's phone, and store what it says.

    Opens its own short transactions with the calls in between. What did not arrive, or of what nobody knows whether it
    did, is tried again by the sweep. Raises Number.DoesNotExist.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        number = Number.objects.defer(None).get(pk=number_id)
        cursor.execute(_CLAIM, [LEASE_SECONDS, number_id])
        claimed = Handover.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]).order_by("kind")
        wanted, account = list(claimed), number.account()
    if not wanted:
        return
    provider = get_provider(number.provider)
    for handover in wanted:
        if changes := _outcome(provider, account, handover):
            with tenant_transaction(tenant_id):
                Handover.objects.filter(pk=handover.pk, state=HandoverState.ASKED).update(**changes)


def merge(notices: Iterable[tuple[Notice, datetime]]) -> None:
    """Note how far what was asked for has come, and whether it is withheld; in a system transaction, one statement."""
    told = [
        (notice.number_id, _FIELDS[notice.field].value, *_come(notice.value), notice.at or received_at)
        for notice, received_at in notices
        if notice.field in _FIELDS and notice.number_id
    ]
    if told:
        with connection.cursor() as cursor:
            cursor.execute(_HEARD, [list(column) for column in zip(*told, strict=True)])


def _outcome(provider: Provider, account: Account, handover: Handover) -> dict[str, Any]:
    """What is to be stored of asking WhatsApp; nothing where it is to be asked again."""
    try:
        request_id = provider.request_handover(account, kind=handover.kind)
    except Refused as refusal:
        if refusal.reason is Reason.HANDED_OVER and handover.attempts > 1:
            return {"state": HandoverState.TAKEN}  # an earlier try of ours had arrived after all
        if refusal.reason in _PASSING and not _is_last(handover):
            return {}
        state = HandoverState.DECLINED if refusal.reason is Reason.HISTORY_DECLINED else HandoverState.REFUSED
        detail = (refusal.said or refusal.detail)[:300]
        return {"state": state, "reason": refusal.reason.value, "detail": detail}
    except (NotSent, OutcomeUnknown) as failure:
        return _given_up(failure) if _is_last(handover) else {}
    return {"state": HandoverState.TAKEN, "request_id": request_id[:128]}


def _is_last(handover: Handover) -> bool:
    return handover.attempts >= Handover.MOST_ATTEMPTS


def _given_up(failure: ProviderError) -> dict[str, Any]:
    return {"state": HandoverState.REFUSED, "reason": Reason.UNREACHABLE.value, "detail": failure.detail[:300]}


def _come(value: dict[str, Any]) -> tuple[int | None, bool]:
    """(percent of the past that has come, whether it is withheld), as a notice of the phone says."""
    chunks = value.get("history")
    progress, declined = None, False
    for chunk in chunks if isinstance(chunks, list) else ():
        about = chunk.get("metadata") if isinstance(chunk, dict) else None
        said = about.get("progress") if isinstance(about, dict) else None
        if isinstance(said, int) and not isinstance(said, bool):
            progress = max(progress or 0, min(max(said, 0), 100))
        faults = chunk.get("errors") if isinstance(chunk, dict) else None
        for fault in faults if isinstance(faults, list) else ():
            code = fault.get("code") if isinstance(fault, dict) else None
            declined |= isinstance(code, int) and classify("cloud", code) is Reason.HISTORY_DECLINED
    return progress, declined
