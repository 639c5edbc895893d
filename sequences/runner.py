"""Running what is due: a page is claimed, its facts gathered by a few queries, decided, and written by a few statements.

Time lives in the rows, so any number of schedulers may run this at once and at any time: a page belongs to the one that
locked it, and a step's message has an id that its enrollment and position give, so that it is one message however often
it is run. What a killed worker had not committed is due still.
"""

import logging
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.db import connection
from uuid_utils.compat import uuid7

from crm import budgets, costs, outbound
from crm.blanks import blanks_for
from crm.explanations import NO_ADDRESS
from crm.models import Conversation, ConversationStatus, Source
from crm.outbound import CannotSend, Draft
from crm.rows import as_parameter
from sequences import files
from sequences.definition import Definition, Step, Variant
from sequences.models import Enrollment, EnrollmentState, ManualTask, SequenceVersion
from sequences.saying import content_of, filled_attributes, words_of
from sequences.schedule import Action, Decision, Facts, Why, decide, due_after
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp.capabilities import CAPABILITIES
from whatsapp.errors import Reason
from whatsapp.models import Number, TemplateStatus
from whatsapp.models import Template as StoredTemplate
from whatsapp.pricing import category_of

log = logging.getLogger(__name__)

PAGE = 1000
AT_ONCE = 3
TRIAL_PACE = timedelta(minutes=1)
"""How long a trial waits between steps, whatever the sequence says."""
# What a decision needs of a conversation and its person.
_NEEDED = (
    "tenant_id", "contact_id", "number_id", "queue_id", "assignee_id", "status", "last_inbound_at",
    "window_expires_at", "free_entry_expires_at", "suspicion",
    *(
        f"contact__{name}"
        for name in (
            "tenant_id", "name", "profile_name", "phone", "labels", "attributes", "timezone", "marketing_stopped"
        )
    ),
)  # fmt: skip
_TEXT: Any = ManualTask._meta.get_field("text")
LONGEST_RUN_SECONDS = 50.0

_TENANTS = """
SELECT t.id FROM tenants_tenant t WHERE EXISTS (
    SELECT FROM sequences_enrollment e WHERE e.tenant_id = t.id AND e.state = 'active' AND e.due_at <= %s)
"""
_CLAIM = """
SELECT id, version_id, conversation_id, position, due_at, since, was_spread, variant, is_trial
FROM sequences_enrollment WHERE tenant_id = %s AND state = 'active' AND due_at <= %s
ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_WRITE = """
UPDATE sequences_enrollment e
SET state = n.state, position = n.position, due_at = n.due_at, since = n.since, reason = n.reason,
    was_spread = n.was_spread, ended_at = n.ended_at
FROM json_to_recordset(%s) AS n (id uuid, state text, position int, due_at timestamptz, since timestamptz, reason text,
                                 was_spread bool, ended_at timestamptz)
WHERE e.id = n.id
"""
_TELL = """
INSERT INTO sequences_steprun (id, tenant_id, enrollment_id, position, action, why, facts, message_id, at)
SELECT r.id, %s, r.enrollment_id, r.position, r.action, r.why, r.facts, r.message_id, %s
FROM json_to_recordset(%s) AS r (id uuid, enrollment_id uuid, position int, action text, why text, facts jsonb, message_id uuid)
ON CONFLICT (enrollment_id, position, action) DO NOTHING
"""
_ASK = """
INSERT INTO sequences_manualtask (id, tenant_id, enrollment_id, conversation_id, position, why, priority, text,
                                  template_name, template_language, state, created_at)
SELECT t.id, %s, t.enrollment_id, t.conversation_id, t.position, t.why, t.priority, decode(t.text, 'hex'), t.name, t.language,
       'open', %s
FROM json_to_recordset(%s) AS t (id uuid, enrollment_id uuid, conversation_id uuid, position int, why text, priority int,
                                 text text, name text, language text)
ON CONFLICT (enrollment_id, position) DO NOTHING
"""
_WRITTEN = ("id", "state", "position", "due_at", "since", "reason", "was_spread", "ended_at")
_TOLD = ("id", "enrollment_id", "position", "action", "why", "facts", "message_id")
_ASKED = ("id", "enrollment_id", "conversation_id", "position", "why", "priority", "text", "name", "language")
_SPENT = """
SELECT r.enrollment_id, sum(m.cost_amount) FROM sequences_steprun r JOIN crm_message m ON m.id = r.message_id
WHERE r.enrollment_id = ANY(%s) GROUP BY 1
"""


class Due(NamedTuple):
    """A claimed enrollment's own columns."""

    pk: UUID
    version_id: UUID
    conversation_id: UUID
    position: int
    due_at: datetime
    since: datetime
    was_spread: bool
    variant: int
    is_trial: bool


@dataclass(slots=True)
class Item:
    """One claimed enrollment on its way through a page. The conversation comes with its contact and number."""

    enrollment: Due
    conversation: Conversation
    version: SequenceVersion
    facts: Facts
    decision: Decision
    message_id: UUID | None = None

    @property
    def step(self) -> Step:
        return self.version.content.steps[self.enrollment.position]

    @property
    def client_id(self) -> UUID:
        """The same for a step of an enrollment, however often it is run."""
        return uuid5(self.enrollment.pk, str(self.enrollment.position))


def run_due(now: datetime) -> int:
    """Decide and write everything that is due; returns how many enrollments were looked at."""
    until = time.monotonic() + LONGEST_RUN_SECONDS
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_TENANTS, [now])
        tenants = Tenant.objects.in_bulk([row[0] for row in cursor.fetchall()])
    finished = set[UUID]()
    done = _run_round(tenants.values(), finished, now, until)
    rest = [tenant for tenant in tenants.values() if tenant.pk not in finished]
    if not rest:
        return done
    # One page is computed while PostgreSQL works on the others.
    with ThreadPoolExecutor(AT_ONCE - 1, thread_name_prefix="sequences") as executor:
        beside = [executor.submit(_run_beside, rest, finished, now, until) for _ in range(AT_ONCE - 1)]
        done += _run_rounds(rest, finished, now, until)
    return done + sum(each.result() for each in beside)


def _run_beside(tenants: Sequence[Tenant], finished: set[UUID], now: datetime, until: float) -> int:
    try:
        return _run_rounds(tenants, finished, now, until)
    finally:
        connection.close()


def _run_rounds(tenants: Sequence[Tenant], finished: set[UUID], now: datetime, until: float) -> int:
    """Rounds of pages until no company has a full one; threads that share `finished` may run them side by side."""
    done = 0
    while time.monotonic() < until and (rest := [tenant for tenant in tenants if tenant.pk not in finished]):
        done += _run_round(rest, finished, now, until)
    return done


def _run_round(tenants: Iterable[Tenant], finished: set[UUID], now: datetime, until: float) -> int:
    """A page of each company, so that a large one keeps no other waiting; who has less than a page is `finished`."""
    done = 0
    for tenant in tenants:
        if time.monotonic() >= until:
            break
        count = _run_page(tenant, now)
        done += count
        if count < PAGE:
            finished.add(tenant.pk)
    return done


def next_due(now: datetime) -> datetime | None:
    """The earliest due date of all that run; for the demonstration's clock."""
    with system_transaction():
        running = Enrollment.objects.filter(state=EnrollmentState.ACTIVE, due_at__isnull=False)
        return running.order_by("due_at").values_list("due_at", flat=True).first()


def _run_page(tenant: Tenant, now: datetime) -> int:
    with tenant_transaction(tenant.pk):
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [tenant.pk, now, PAGE])
            due = [Due(*row) for row in cursor.fetchall()]
        if due:
            items = _gathered(due, tenant, now)
            _send(items, now)
            _record(items, tenant.pk, now)
        return len(due)


def _gathered(enrollments: list[Due], tenant: Tenant, now: datetime) -> list[Item]:
    ids = [each.conversation_id for each in enrollments]
    with_person = Conversation.objects.select_related("contact").only(*_NEEDED)
    conversations = {each.pk: each for each in with_person.filter(pk__any_of=ids)}
    numbers = Number.objects.in_bulk({each.number_id for each in conversations.values()})
    versions = SequenceVersion.objects.in_bulk({each.version_id for each in enrollments})
    categories = categories_of(version.content for version in versions.values())
    left = budgets.left_for_automatic(tenant, now, hold=True)
    spent = _spent([each.pk for each in enrollments if versions[each.version_id].content.max_cost])
    items = []
    for enrollment in enrollments:
        version, conversation = versions[enrollment.version_id], conversations[enrollment.conversation_id]
        number = numbers[conversation.number_id]
        conversation.number = number
        templates = categories.get(number.waba_id, {})
        facts = facts_of(
            conversation,
            now,
            tenant,
            due_at=enrollment.due_at,
            since=enrollment.since,
            spent=spent.get(enrollment.pk, Decimal(0)),
            budget_left=left,
            prices=prices_of(conversation, templates, now, tenant) if left is not None else {},
            template_categories=templates,
            spread=(enrollment.pk.int >> 8) % 1000 / 1000,
            was_spread=enrollment.was_spread,
            variant=enrollment.variant,
            is_trial=enrollment.is_trial,
        )
        step = version.content.steps[enrollment.position]
        item = Item(enrollment, conversation, version, facts, decide(version.content, step, facts, now))
        items.append(item)
        if left is not None:
            left = max(left - (price_of(item.decision, facts) or Decimal(0)), Decimal(0))
    return items


def variant_of(conversation: Conversation) -> int:
    """By which of several wordings somebody gets: by chance, and always the same one."""
    return zlib.crc32(conversation.pk.bytes) % 97


def facts_of(conversation: Conversation, now: datetime, tenant: Tenant, **known: Any) -> Facts:
    """What a conversation (with its contact and number) says at a moment, beside what is `known` of the enrollment."""
    contact, number = conversation.contact, conversation.number
    return Facts(
        window=conversation.window(now),
        zone=ZoneInfo(contact.timezone or tenant.timezone),
        has_window=CAPABILITIES[number.provider].has_window,
        replied_at=conversation.last_inbound_at,
        is_closed=conversation.status == ConversationStatus.CLOSED,
        labels=frozenset(contact.labels),
        attributes=filled_attributes(contact),
        marketing_stopped=contact.marketing_stopped,
        suspicion=conversation.suspicion,
        can_send=number.can_send,
        **known,
    )


def prices_of(
    conversation: Conversation, templates: dict[tuple[str, str], str], now: datetime, tenant: Tenant
) -> dict[str, Decimal | None]:
    """What a message of each category that may be chosen would cost for this person now."""
    found = {}
    for category in {"service", *templates.values()}:
        price = costs.price_of(conversation, category_of(category), now, tenant.billing_currency)
        found[category] = price.amount if price.is_priced else Decimal(0)
    return found


def price_of(decision: Decision, facts: Facts) -> Decimal | None:
    """What the decision will cost; nothing where nothing is sent."""
    chosen = decision.chosen
    if decision.action is Action.SEND:
        return facts.prices.get("service")
    if decision.action is Action.TEMPLATE and chosen and chosen.template:
        return facts.prices.get(facts.template_categories[chosen.template.name, chosen.template.language])
    return Decimal(0)


def categories_of(definitions: Iterable[Definition]) -> dict[str, dict[tuple[str, str], str]]:
    """The approved templates that these definitions name: by business account, (name, language) and category."""
    names = {
        variant.template.name
        for definition in definitions
        for step in definition.steps
        for variant in step.variants
        if variant.template
    }
    found: dict[str, dict[tuple[str, str], str]] = {}
    for each in StoredTemplate.objects.filter(name__in=names, status=TemplateStatus.APPROVED) if names else ():
        found.setdefault(each.waba_id, {})[each.name, each.language] = each.category.lower()
    return found


def _spent(ids: list[UUID]) -> dict[UUID, Decimal]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, [ids])
        return {id: amount or Decimal(0) for id, amount in cursor.fetchall()}


def _send(items: Sequence[Item], now: datetime) -> None:
    """Queue what is to be said; what the rules of sending refuse becomes a task for a person, or ends it."""
    sent = {item.client_id: item for item in items if item.decision.action in (Action.SEND, Action.TEMPLATE)}
    kept = files.of(item.version.content for item in sent.values())
    drafts = []
    for client_id, item in sent.items():
        file = item.decision.chosen.file if item.decision.chosen and item.decision.action is Action.SEND else None
        if file and file.id not in kept:
            item.decision = Decision(Action.TASK, Why.NO_FILE, chosen=item.decision.chosen)
            continue
        carried = files.new_file(kept[file.id]) if file else None
        drafts.append(Draft(item.conversation, content_of(item.decision, item.conversation), client_id, carried))
    for client_id, result in outbound.compose_many(drafts, source=Source.SEQUENCE, now=now).items():
        item = sent[client_id]
        if isinstance(result, CannotSend):
            item.decision = _refused(item.decision, result.reason)
        else:
            item.message_id = result


def _refused(decision: Decision, reason: str) -> Decision:
    if reason == NO_ADDRESS:
        return Decision(Action.STOP, Why.NO_ADDRESS)
    why = {Reason.OPTED_OUT.value: Why.OPTED_OUT, Reason.WINDOW_CLOSED.value: Why.NO_TEMPLATE}
    usual = Why.TEMPLATE_STATE if decision.action is Action.TEMPLATE else Why.REFUSED
    return Decision(Action.TASK, why.get(reason, usual), chosen=decision.chosen, refusal=reason)


def _record(items: Sequence[Item], tenant_id: UUID, now: datetime) -> None:
    rows = [_after(item, now) for item in items]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [_as_rows(_WRITTEN, rows)])
        told = [item for item in items if item.decision.action is not Action.WAIT]
        if told:
            cursor.execute(_TELL, [tenant_id, now, _as_rows(_TOLD, map(_run, told))])
        tasks = [item for item in told if item.decision.action is Action.TASK]
        if tasks:
            cursor.execute(_ASK, [tenant_id, now, _as_rows(_ASKED, map(_task, tasks))])


def _as_rows(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    return as_parameter(dict(zip(names, row, strict=True)) for row in rows)


def _after(item: Item, now: datetime) -> tuple[Any, ...]:
    """The enrollment's row after its decision: (id, state, position, due_at, since, reason, was_spread, ended_at)."""
    enrollment, decision = item.enrollment, item.decision
    here = (enrollment.position, enrollment.since)
    match decision.action:
        case Action.WAIT:
            was_spread = enrollment.was_spread or decision.why is Why.CATCHING_UP
            state, since = EnrollmentState.ACTIVE, here[1]
            return enrollment.pk, state.value, here[0], decision.until, since, decision.why.value, was_spread, None
        case Action.TASK:
            return enrollment.pk, EnrollmentState.TASK.value, here[0], None, here[1], decision.why.value, False, None
        case Action.PAUSE:
            return enrollment.pk, EnrollmentState.PAUSED.value, here[0], None, here[1], decision.why.value, False, None
        case Action.STOP:
            return enrollment.pk, EnrollmentState.STOPPED.value, here[0], None, here[1], decision.why.value, False, now
        case Action.GOAL:
            return enrollment.pk, EnrollmentState.DONE.value, here[0], None, here[1], decision.why.value, False, now
    heard = item.facts.replied_at or enrollment.since
    return (enrollment.pk, *advanced(enrollment, item.version, item.facts.zone, now, heard=heard))


def advanced(
    enrollment: Enrollment | Due, version: SequenceVersion, zone: Any, now: datetime, *, heard: datetime
) -> tuple[Any, ...]:
    """The row once its step is over: the next one with its due date, or the end. `heard`: replies up to then are known."""
    position, steps = enrollment.position + 1, version.content.steps
    if position >= len(steps):
        return EnrollmentState.DONE.value, enrollment.position, None, heard, Why.FINISHED.value, False, now
    due = now + TRIAL_PACE if enrollment.is_trial else due_after(steps[position].delay, now, version.content, zone)
    return EnrollmentState.ACTIVE.value, position, due, heard, "", False, None


def _told(item: Item) -> dict[str, Any]:
    """The facts that a person needs to understand the decision."""
    facts, chosen = item.facts, item.decision.chosen
    told: dict[str, Any] = {"due_at": facts.due_at.isoformat(), "zone": str(facts.zone)}
    if facts.has_window:
        told["window_until"] = facts.window.expires_at.isoformat() if facts.window.expires_at else None
    if chosen and chosen.template:
        told["template"] = chosen.template.name
    if len(item.step.variants) > 1:
        told["variant"] = facts.variant % len(item.step.variants) + 1
    if item.decision.refusal:
        told["error"] = item.decision.refusal
    if item.decision.why is Why.REPLIED and facts.replied_at:
        told["replied_at"] = facts.replied_at.isoformat()
    if item.version.content.max_cost:
        told["spent"] = str(facts.spent)
    if facts.budget_left is not None:
        told["budget_left"] = f"{facts.budget_left:.2f}"
    return told


def _run(item: Item) -> tuple[Any, ...]:
    enrollment, decision = item.enrollment, item.decision
    return (
        uuid7(), enrollment.pk, enrollment.position, decision.action.value, decision.why.value, _told(item),
        item.message_id,
    )  # fmt: skip


def _task(item: Item) -> tuple[Any, ...]:
    enrollment, chosen = item.enrollment, item.decision.chosen or Variant()
    contact = item.conversation.contact
    sealed = _TEXT.sealed(words_of(chosen, blanks_for(contact)), tenant_id=contact.tenant_id)
    name, language = (chosen.template.name, chosen.template.language) if chosen.template else ("", "")
    return (
        uuid7(), enrollment.pk, enrollment.conversation_id, enrollment.position, item.decision.why.value,
        item.step.priority, bytes(sealed).hex(), name, language,
    )  # fmt: skip
