"""Writing down how a page of sends ended: one UPDATE, each row under the attempt it answers."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crm import bells, live
from crm.explanations import TEST_MODE
from crm.inbound import statuses
from crm.models import MessageStatus
from crm.outbound import pace
from tenants import clock, counters
from tenants.alerts import raise_alert
from tenants.bulk import bulk_cursor
from tenants.context import tenant_transaction
from tenants.crash_points import crash_point
from tenants.models import Severity
from whatsapp.errors import Handling, Reason, Scope, handling
from whatsapp.models import Number
from whatsapp.outgoing import Template
from whatsapp.providers.base import Accepted
from whatsapp.template_use import mark_used

if TYPE_CHECKING:
    from crm.outbound.dispatching import Claimed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. `wait` is None when there is no next try."""

    message_id: UUID
    conversation_id: UUID
    attempt: int
    status: MessageStatus
    provider_message_id: str | None = None
    reason: str = ""
    code: int | None = None
    detail: str = ""
    wait: float | None = None
    handling: Handling = Handling()
    template: tuple[str, str] | None = None  # (name, language) of the one that was sent

    @classmethod
    def accepted(cls, claimed: "Claimed", answer: Accepted) -> "Outcome":
        is_template = claimed.type == Template.type
        return cls(
            claimed.message_id,
            claimed.conversation_id,
            claimed.attempt,
            MessageStatus.ACCEPTED,
            answer.message_id,
            template=(claimed.payload["name"], claimed.payload["language"]) if is_template else None,
        )

    @classmethod
    def unknown(cls, claimed: "Claimed", detail: str) -> "Outcome":
        return cls(claimed.message_id, claimed.conversation_id, claimed.attempt, MessageStatus.UNKNOWN, detail=detail)

    @classmethod
    def barred(cls, claimed: "Claimed") -> "Outcome":
        """Not tried: the number is in test mode, and this is none of its test phones."""
        return cls(claimed.message_id, claimed.conversation_id, claimed.attempt, MessageStatus.FAILED, reason=TEST_MODE)

    @classmethod
    def refused(
        cls, claimed: "Claimed", reason: Reason, code: int | None, detail: str, retry_after: float | None
    ) -> "Outcome":
        what = handling(reason)
        again = what.retries_after(claimed.attempt)
        wait = what.delay(claimed.attempt, retry_after) * random.uniform(1.0, 1.25) if again else None  # noqa: S311
        if again and what.pauses_number:
            wait = 0.0  # the pause is the wait: once somebody has mended the number, everything goes on
        return cls(
            claimed.message_id,
            claimed.conversation_id,
            claimed.attempt,
            MessageStatus.QUEUED if again else MessageStatus.FAILED,
            reason=reason,
            code=code,
            detail=detail,
            wait=wait,
            handling=what,
        )


# What a person sees as a moment goes with the demonstration's clock where that is ahead; waits and leases do not.
# `attempt` and `status` guard it: a late answer to an old attempt, or one that a webhook has overtaken, changes nothing.
# Rows are locked by id, as the merge of statuses does; an UPDATE alone would lock in any order.
_SETTLE = """
WITH locked AS (SELECT id FROM crm_message WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)
UPDATE crm_message m
SET status = o.status,
    provider_message_id = COALESCE(m.provider_message_id, o.provider_message_id),
    accepted_at = CASE WHEN o.status = 'accepted' THEN statement_timestamp() + %s ELSE m.accepted_at END,
    failed_at = CASE WHEN o.status = 'failed' THEN statement_timestamp() + %s ELSE m.failed_at END,
    unknown_at = CASE WHEN o.status = 'unknown' THEN statement_timestamp() ELSE NULL END,
    next_attempt_at = statement_timestamp() + make_interval(secs => o.wait),
    lease_expires_at = CASE WHEN o.status = 'unknown' THEN m.lease_expires_at ELSE NULL END,
    error_reason = o.reason, error_code = o.code, error_detail = o.detail
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::float8[])
     AS o (id, attempt, status, provider_message_id, reason, code, detail, wait)
JOIN locked USING (id)
WHERE m.id = o.id AND m.attempt = o.attempt AND m.status IN ('sending', 'unknown')
RETURNING m.id
"""
# By id, as everybody locks contacts who locks several.
_OPT_OUT = """
WITH locked AS (
    SELECT id FROM crm_contact
    WHERE NOT marketing_stopped AND id IN (SELECT contact_id FROM crm_conversation WHERE id = ANY(%s))
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE crm_contact c
SET marketing_stopped = true, marketing_preference_at = statement_timestamp() + %s, marketing_source = 'whatsapp'
FROM locked WHERE c.id = locked.id
"""
_AUDIENCES = "SELECT id, queue_id, assignee_id FROM crm_conversation WHERE id = ANY(%s)"


def settle(*, tenant_id: UUID, number: Number, outcomes: list[Outcome]) -> None:
    """Record the outcomes of a page, and what they mean for the number and the people. Idempotent."""
    if not outcomes:
        return
    with tenant_transaction(tenant_id), bulk_cursor() as cursor:
        accepted = {
            outcome.provider_message_id: outcome.conversation_id for outcome in outcomes if outcome.provider_message_id
        }
        statuses.hold_people_of_parked(cursor, number_id=number.pk, accepted=accepted)
        facts: list[Any] = [clock.ahead(), clock.ahead(), *_columns(outcomes)]
        cursor.execute(_SETTLE, [[outcome.message_id for outcome in outcomes], *facts])
        # A status may have come before we knew the id it is about.
        statuses.match_parked(cursor, number_id=number.pk, provider_message_ids=list(accepted))
        cursor.execute(_AUDIENCES, [list({outcome.conversation_id for outcome in outcomes})])
        live.publish(tenant_id, [live.Change(row[0], (row[1],), (row[2],)) for row in cursor.fetchall()])
        crash_point("settle.before-commit")
    crash_point("settle.after-commit")
    # On their own: they lock other rows, and what happened to the messages must be written down in any case.
    with tenant_transaction(tenant_id), bulk_cursor() as cursor:
        _act_on_refusals(cursor, tenant_id, number, outcomes)
        if any(outcome.handling.resyncs_templates for outcome in outcomes):
            bells.ring_templates(tenant_id)  # Meta has it otherwise than we do
        used = [outcome.template for outcome in outcomes if outcome.template]
        mark_used(cursor, tenant_id=tenant_id, waba_id=number.waba_id, templates=used, at=clock.now())
    for outcome in outcomes:
        counters.count("sends_total", outcome=outcome.status.value)


def _columns(outcomes: list[Outcome]) -> list[list[Any]]:
    return [
        [outcome.message_id for outcome in outcomes],
        [outcome.attempt for outcome in outcomes],
        [outcome.status.value for outcome in outcomes],
        [outcome.provider_message_id for outcome in outcomes],
        [outcome.reason for outcome in outcomes],
        [outcome.code for outcome in outcomes],
        [outcome.detail[:500] for outcome in outcomes],
        [outcome.wait for outcome in outcomes],
    ]


def _act_on_refusals(cursor: Any, tenant_id: UUID, number: Number, outcomes: list[Outcome]) -> None:
    opted_out = [outcome.conversation_id for outcome in outcomes if outcome.handling.suppresses_marketing]
    if opted_out:
        cursor.execute(_OPT_OUT, (opted_out, clock.ahead()))
    pausing = next((outcome for outcome in outcomes if outcome.handling.pauses_number), None)
    if pausing:
        Number.objects.filter(pk=number.pk, paused_reason="").update(paused_reason=pausing.reason)
        raise_alert(
            tenant_id=tenant_id,
            kind="number-paused",
            subject=str(number.pk),
            severity=Severity.CRITICAL,
            facts={"number": number.alias, "reason": pausing.reason, "code": pausing.code},
        )
    slow = [
        outcome.wait
        for outcome in outcomes
        if outcome.wait and outcome.handling.scope is Scope.NUMBER and not outcome.handling.pauses_number
    ]
    if slow:
        pace.hold(number.pk, seconds=max(slow))
