"""When the next step is due, and what to do with one that is: pure functions of facts and the moment.

Local times are the contact's. A time that a change of the clock leaves out is taken an hour later, one that comes twice
is taken the first time; a day is a day on the calendar, whatever its hours.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from sequences.definition import Closed, Definition, Delay, Step, Unit, Variant
from whatsapp.window import Window

LATE = timedelta(hours=1)
"""What is due for longer was held up by us: it is spread over SPREAD instead of going out all at once."""
SPREAD = timedelta(minutes=30)
RECHECK = timedelta(minutes=15)


class Action(StrEnum):
    SEND = "send"
    TEMPLATE = "template"
    TASK = "task"
    SKIP = "skip"
    WAIT = "wait"
    PAUSE = "pause"
    STOP = "stop"
    GOAL = "goal"  # what it is for came about: it ends well
    FORCE = "force"  # a person's doing, never a decision


class Why(StrEnum):
    """The reason of a decision; `sequences.words` says each to a person."""

    WINDOW_OPEN = "window_open"
    WINDOW_CLOSED = "window_closed"
    NO_TEMPLATE = "no_template"
    TEMPLATE_STATE = "template_state"
    MANUAL_STEP = "manual_step"
    OPTED_OUT = "opted_out"
    REPLIED = "replied"
    CLOSED = "closed"
    LABEL = "label"
    GOAL = "goal"
    BLOCKED = "blocked"
    COST = "cost"
    BUDGET = "budget"
    NOT_DELIVERED = "not_delivered"
    QUIET = "quiet"
    CATCHING_UP = "catching_up"
    NUMBER_DOWN = "number_down"
    NO_ADDRESS = "no_address"
    NO_FILE = "no_file"
    REFUSED = "refused"
    BY_HAND = "by_hand"
    FINISHED = "finished"
    MERGED = "merged"


BLOCKING = {"probable": Action.PAUSE, "very_likely": Action.STOP}
"""What a suspected block does to whatever sends by itself."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one enrollment whose step is due. `spread` is its own share (0 to 1) of the spreading."""

    due_at: datetime
    window: Window
    zone: tzinfo
    has_window: bool = True  # the provider knows the 24-hour window
    replied_at: datetime | None = None  # the customer's last message
    since: datetime | None = None  # their last message that was known at the step before, or at the beginning
    is_closed: bool = False
    labels: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()  # names of those that hold something
    marketing_stopped: bool = False
    suspicion: str = ""  # how likely they have blocked us: a level of `crm.blocking`
    can_send: bool = True  # the number may
    spent: Decimal = Decimal(0)
    budget_left: Decimal | None = None  # of the company's month; None: no limit
    prices: dict[str, Decimal | None] = field(default_factory=dict)  # by category, for this person now; None: not known
    template_categories: dict[tuple[str, str], str] = field(default_factory=dict)  # (name, language) of approved ones
    spread: float = 0.0
    was_spread: bool = False
    variant: int = 0
    is_trial: bool = False  # somebody tries it out: it neither rests nor is spread


@dataclass(frozen=True, slots=True)
class Decision:
    """`until` is when to look again, for a wait. `chosen` is the wording of a step that is sent or given to a person.

    `refusal` is why the rules of sending did not take it, in the words of `crm.outbound.CannotSend`.
    """

    action: Action
    why: Why
    until: datetime | None = None
    chosen: Variant | None = None
    refusal: str = ""


def decide(definition: Definition, step: Step, facts: Facts, now: datetime) -> Decision:
    """What becomes of a due step at this moment."""
    return _stopped(definition, facts) or _held(definition, facts, now) or _done(step, facts, now)


def _stopped(definition: Definition, facts: Facts) -> Decision | None:
    if is_reached(definition, facts.labels, facts.attributes):
        return Decision(Action.GOAL, Why.GOAL)
    if definition.stop_label and definition.stop_label in facts.labels:
        return Decision(Action.STOP, Why.LABEL)
    if definition.stop_on_close and facts.is_closed:
        return Decision(Action.STOP, Why.CLOSED)
    if facts.replied_at and facts.since and facts.replied_at > facts.since:
        return Decision(Action.STOP if definition.stop_on_reply else Action.PAUSE, Why.REPLIED)
    if definition.stop_on_opt_out and facts.marketing_stopped:
        return Decision(Action.STOP, Why.OPTED_OUT)
    if facts.suspicion in BLOCKING:
        return Decision(BLOCKING[facts.suspicion], Why.BLOCKED)
    if definition.max_cost and facts.spent >= Decimal(definition.max_cost):
        return Decision(Action.STOP, Why.COST)
    return None


def is_reached(definition: Definition, labels: Collection[str], attributes: Collection[str]) -> bool:
    """Whether a contact with these labels and filled attributes is what the sequence is for."""
    return bool(
        (definition.goal_label and definition.goal_label in labels)
        or (definition.goal_attribute and definition.goal_attribute in attributes)
    )


def _held(definition: Definition, facts: Facts, now: datetime) -> Decision | None:
    allowed = now if facts.is_trial else next_allowed(definition, now, facts.zone)
    if allowed > now:
        return Decision(Action.WAIT, Why.QUIET, until=allowed)
    if not facts.can_send:
        return Decision(Action.WAIT, Why.NUMBER_DOWN, until=now + RECHECK)
    if now - facts.due_at > LATE and not (facts.was_spread or facts.is_trial):
        until = next_allowed(definition, now + SPREAD * facts.spread, facts.zone)
        return Decision(Action.WAIT, Why.CATCHING_UP, until=until)
    return None


def _done(step: Step, facts: Facts, now: datetime) -> Decision:
    chosen = step.variants[facts.variant % len(step.variants)] if step.variants else Variant()
    if step.is_manual:
        return Decision(Action.TASK, Why.MANUAL_STEP, chosen=chosen)
    if chosen.says_something and (not facts.has_window or facts.window.can_send_free_form):
        return _affordable(facts, "service", Decision(Action.SEND, Why.WINDOW_OPEN, chosen=chosen))
    why = Why.NO_TEMPLATE if facts.has_window else Why.MANUAL_STEP
    if chosen.template and facts.has_window:
        category = facts.template_categories.get((chosen.template.name, chosen.template.language))
        if category is None:
            why = Why.TEMPLATE_STATE
        elif category == "marketing" and facts.marketing_stopped:
            why = Why.OPTED_OUT
        else:
            return _affordable(facts, category, Decision(Action.TEMPLATE, Why.WINDOW_CLOSED, chosen=chosen))
    return Decision(Action.SKIP if step.closed is Closed.SKIP else Action.TASK, why, chosen=chosen)


def _affordable(facts: Facts, category: str, decision: Decision) -> Decision:
    """The decision, or a person's task where the month's budget does not cover it. What costs nothing always goes."""
    price = facts.prices.get(category)
    if facts.budget_left is None or price == 0 or (price is not None and price <= facts.budget_left):
        return decision
    if price is None and facts.budget_left > 0:
        return decision  # nobody knows what it costs; a budget that is not used up lets it pass
    return Decision(Action.TASK, Why.BUDGET, chosen=decision.chosen)


def due_after(delay: Delay, after: datetime, definition: Definition, zone: tzinfo) -> datetime:
    """When a step is due that follows one of the moment `after`: never before it, never in quiet hours."""
    local = after.astimezone(zone)
    if delay.weekday is not None:
        days = (delay.weekday - local.weekday()) % 7
        due = at_local(local + timedelta(days=days), delay.at, zone)
        if due <= after:
            due = at_local(local + timedelta(days=days + 7), delay.at, zone)
    elif delay.unit is Unit.DAYS:
        due = at_local(local + timedelta(days=delay.count), delay.at or f"{local:%H:%M:%S.%f}", zone)
        if due < after:
            due = at_local(local + timedelta(days=delay.count + 1), delay.at, zone) if delay.at else after
    else:
        due = after + timedelta(**{delay.unit.value: delay.count})
    return next_allowed(definition, due, zone)


def next_allowed(definition: Definition, moment: datetime, zone: tzinfo) -> datetime:
    """The first moment from this one on that is neither in quiet hours nor on a weekday that is left out."""
    start, end = time.fromisoformat(definition.quiet_from), time.fromisoformat(definition.quiet_to)
    for _ in range(20):
        local = moment.astimezone(zone)
        if local.weekday() not in definition.weekdays:
            moment = at_local(local + timedelta(days=1), "00:00", zone)
        elif start != end and _is_within(local.time(), start, end):
            # After midnight the quiet ends today, before it tomorrow.
            over = local if local.time() < end else local + timedelta(days=1)
            moment = max(at_local(over, definition.quiet_to, zone), moment + timedelta(seconds=1))
        else:
            return moment
    return moment


def _is_within(moment: time, start: time, end: time) -> bool:
    return start <= moment < end if start < end else moment >= start or moment < end


def at_local(day: datetime, at: str, zone: tzinfo) -> datetime:
    """A time of day on the calendar day of `day`, in UTC."""
    local = datetime.combine(day.date(), time.fromisoformat(at), tzinfo=zone)
    return local.astimezone(UTC)
