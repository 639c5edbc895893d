"""When a step is due and what becomes of it: every rule, the seconds beside every limit, and the days that clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.blanks import filled
from sequences.definition import Closed, Definition, Delay, Step, Template, Unit, Variant
from sequences.schedule import LATE, SPREAD, Action, Facts, Why, decide, due_after, next_allowed
from whatsapp.window import Window

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # Tuesday, 12:00 in Lima
LIMA = ZoneInfo("America/Lima")
TEMPLATE = Template("carrito", "es", {"1": "{name}"})
BOTH = Step("", variants=(Variant(text="hola", template=TEMPLATE),))
TEXT = Step("", variants=(Variant(text="hola"),))
ANYTIME = Definition(steps=(BOTH,), quiet_from="00:00", quiet_to="00:00")
OPEN = Window(expires_at=NOON + timedelta(hours=3), now=NOON)
SHUT = Window(expires_at=NOON - timedelta(seconds=1), now=NOON)


def facts(**known) -> Facts:
    defaults = {
        "due_at": NOON,
        "window": OPEN,
        "zone": LIMA,
        "replied_at": NOON - timedelta(hours=21),
        "since": NOON - timedelta(hours=21),
        "template_categories": {("carrito", "es"): "marketing"},
    }
    return Facts(**defaults | known)


def asked(step: Step = BOTH, definition: Definition = ANYTIME, now: datetime = NOON, **known) -> tuple[Action, Why]:
    decision = decide(definition, step, facts(**known), now)
    return decision.action, decision.why


@pytest.mark.parametrize(
    ("step", "known", "expected"),
    [
        (BOTH, {}, (Action.SEND, Why.WINDOW_OPEN)),
        (BOTH, {"window": SHUT}, (Action.TEMPLATE, Why.WINDOW_CLOSED)),
        (TEXT, {"window": SHUT}, (Action.TASK, Why.NO_TEMPLATE)),
        (Step("", variants=TEXT.variants, closed=Closed.SKIP), {"window": SHUT}, (Action.SKIP, Why.NO_TEMPLATE)),
        (BOTH, {"window": SHUT, "template_categories": {}}, (Action.TASK, Why.TEMPLATE_STATE)),
        (BOTH, {"window": SHUT, "marketing_stopped": True}, (Action.TASK, Why.OPTED_OUT)),
        (
            BOTH,
            {"window": SHUT, "marketing_stopped": True, "template_categories": {("carrito", "es"): "utility"}},
            (Action.TEMPLATE, Why.WINDOW_CLOSED),
        ),
        (
            BOTH,
            {"marketing_stopped": True},
            (Action.SEND, Why.WINDOW_OPEN),
        ),  # an answer within the window is no marketing
        (BOTH, {"window": SHUT, "has_window": False}, (Action.SEND, Why.WINDOW_OPEN)),
        (Step("", variants=(Variant(text="llamar"),), is_manual=True), {}, (Action.TASK, Why.MANUAL_STEP)),
        (Step("", variants=(Variant(template=TEMPLATE),)), {}, (Action.TEMPLATE, Why.WINDOW_CLOSED)),
        (BOTH, {"can_send": False}, (Action.WAIT, Why.NUMBER_DOWN)),
        (BOTH, {"replied_at": NOON}, (Action.PAUSE, Why.REPLIED)),
    ],
)
def test_what_becomes_of_a_step(step, known, expected):
    assert asked(step, **known) == expected


@pytest.mark.parametrize(
    ("changes", "known", "expected"),
    [
        ({"stop_on_reply": True}, {"replied_at": NOON}, (Action.STOP, Why.REPLIED)),
        ({}, {"is_closed": True}, (Action.STOP, Why.CLOSED)),
        ({"stop_on_close": False}, {"is_closed": True}, (Action.SEND, Why.WINDOW_OPEN)),
        ({"stop_label": "compró"}, {"labels": frozenset({"compró", "vip"})}, (Action.STOP, Why.LABEL)),
        ({"stop_label": "compró"}, {"labels": frozenset({"vip"})}, (Action.SEND, Why.WINDOW_OPEN)),
        ({"goal_label": "vip"}, {"labels": frozenset({"vip"})}, (Action.GOAL, Why.GOAL)),
        ({"goal_attribute": "pedido"}, {"attributes": frozenset({"pedido"})}, (Action.GOAL, Why.GOAL)),
        ({"goal_label": "vip", "stop_label": "vip"}, {"labels": frozenset({"vip"})}, (Action.GOAL, Why.GOAL)),
        ({}, {"labels": frozenset({""}), "attributes": frozenset({""})}, (Action.SEND, Why.WINDOW_OPEN)),
        ({"stop_on_opt_out": True}, {"marketing_stopped": True}, (Action.STOP, Why.OPTED_OUT)),
        ({}, {"marketing_stopped": True}, (Action.SEND, Why.WINDOW_OPEN)),
        ({"max_cost": "0.50"}, {"spent": 0.5}, (Action.STOP, Why.COST)),
        ({"max_cost": "0.50"}, {"spent": 0.49}, (Action.SEND, Why.WINDOW_OPEN)),
        ({}, {"suspicion": "very_likely"}, (Action.STOP, Why.BLOCKED)),
        ({}, {"suspicion": "probable"}, (Action.PAUSE, Why.BLOCKED)),
        ({}, {"suspicion": "possible"}, (Action.SEND, Why.WINDOW_OPEN)),
    ],
)
def test_every_stop_rule(changes, known, expected):
    definition = Definition(steps=(BOTH,), quiet_from="00:00", quiet_to="00:00", **changes)
    assert asked(definition=definition, **known) == expected


@pytest.mark.parametrize(
    ("left", "action"),
    [
        (timedelta(hours=24), Action.SEND),
        (timedelta(seconds=61), Action.SEND),
        (timedelta(seconds=60), Action.TEMPLATE),  # the margin: it might arrive too late
        (timedelta(seconds=1), Action.TEMPLATE),
        (timedelta(0), Action.TEMPLATE),
        (timedelta(seconds=-1), Action.TEMPLATE),
    ],
)
def test_the_seconds_around_the_end_of_a_window(left, action):
    assert asked(window=Window(expires_at=NOON + left, now=NOON))[0] is action


@pytest.mark.parametrize("moment", [timedelta(0), timedelta(seconds=-1)])
def test_a_reply_that_was_known_already_does_not_pause(moment):
    since = NOON - timedelta(hours=2)
    assert asked(since=since, replied_at=since + moment) == (Action.SEND, Why.WINDOW_OPEN)
    assert asked(since=since, replied_at=since + timedelta(seconds=1)) == (Action.PAUSE, Why.REPLIED)


def test_what_was_held_up_is_spread_once():
    late = facts(due_at=NOON - LATE - timedelta(seconds=1), spread=0.5)
    decision = decide(ANYTIME, BOTH, late, NOON)
    assert (decision.action, decision.why, decision.until) == (Action.WAIT, Why.CATCHING_UP, NOON + SPREAD / 2)
    assert asked(due_at=NOON - LATE) == (Action.SEND, Why.WINDOW_OPEN)
    assert asked(due_at=NOON - timedelta(days=3), was_spread=True) == (Action.SEND, Why.WINDOW_OPEN)


def test_a_variant_is_always_the_same_for_one_person():
    step = Step("", variants=(Variant(text="a"), Variant(text="b")))
    chosen = [decide(ANYTIME, step, facts(variant=number), NOON).chosen.text for number in range(4)]
    assert chosen == ["a", "b", "a", "b"]


# --- Quiet hours and weekdays -----------------------------------------------------------------------------------------


def local(text: str, zone: ZoneInfo = LIMA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        ("2026-11-24 20:59:59", "2026-11-24 20:59:59"),
        ("2026-11-24 21:00:00", "2026-11-25 08:00:00"),
        ("2026-11-25 00:30:00", "2026-11-25 08:00:00"),
        ("2026-11-25 07:59:59", "2026-11-25 08:00:00"),
        ("2026-11-25 08:00:00", "2026-11-25 08:00:00"),
        ("2026-11-27 21:30:00", "2026-11-30 08:00:00"),  # Friday night: over the weekend
        ("2026-11-28 12:00:00", "2026-11-30 08:00:00"),
    ],
)
def test_quiet_hours_end_in_the_morning_and_weekends_on_monday(moment, allowed):
    definition = Definition(steps=(BOTH,), weekdays=(0, 1, 2, 3, 4))
    assert next_allowed(definition, local(moment), LIMA) == local(allowed)


def test_a_step_in_quiet_hours_waits_for_their_end():
    definition = Definition(steps=(BOTH,))
    night = local("2026-11-24 23:00:00")
    decision = decide(definition, BOTH, facts(due_at=night), night)
    assert (decision.action, decision.why, decision.until) == (Action.WAIT, Why.QUIET, local("2026-11-25 08:00:00"))


ZONES = ["America/New_York", "America/Santiago", "America/Sao_Paulo", "Europe/Lisbon", "America/Lima", "Asia/Kolkata"]
MOMENTS = st.integers(1_420_000_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TIMES = st.times().map(lambda moment: f"{moment:%H:%M}")
WEEKDAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))


@given(moment=MOMENTS, zone=st.sampled_from(ZONES).map(ZoneInfo), start=TIMES, end=TIMES, weekdays=WEEKDAYS)
def test_the_allowed_moment_is_allowed_and_the_first(moment, zone, start, end, weekdays):
    definition = Definition(steps=(BOTH,), quiet_from=start, quiet_to=end, weekdays=weekdays)

    allowed = next_allowed(definition, moment, zone)

    def is_allowed(when: datetime) -> bool:
        there, first, last = when.astimezone(zone), time.fromisoformat(start), time.fromisoformat(end)
        if first == last:
            is_quiet = False
        elif first < last:
            is_quiet = first <= there.time() < last
        else:
            is_quiet = there.time() >= first or there.time() < last
        return there.weekday() in weekdays and not is_quiet

    assert allowed >= moment
    assert is_allowed(allowed)
    if is_allowed(moment):
        assert allowed == moment
    # Nothing before it would have done: looked at by the quarter of an hour, so as to stay quick.
    step = moment
    while step < min(allowed, moment + timedelta(days=9)):
        assert not is_allowed(step), step
        step += timedelta(minutes=15)


@given(
    moment=MOMENTS,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    delay=st.one_of(
        st.builds(Delay, count=st.integers(0, 400), unit=st.sampled_from([Unit.MINUTES, Unit.HOURS])),
        st.builds(Delay, count=st.integers(0, 60), unit=st.just(Unit.DAYS), at=st.one_of(st.just(""), TIMES)),
        st.builds(Delay, weekday=st.integers(0, 6), at=TIMES),
    ),
)
def test_a_due_date_is_never_before_and_at_its_local_time(moment, zone, delay):
    due = due_after(delay, moment, ANYTIME, zone)

    assert due >= moment
    there = due.astimezone(zone)
    if delay.weekday is not None:
        assert there.weekday() == delay.weekday or _is_skipped(there.date(), delay.at, zone)
        assert due - moment <= timedelta(days=7, hours=2)
    if delay.at and not _is_skipped(there.date(), delay.at, zone):
        assert f"{there:%H:%M}" == delay.at
    if delay.unit is Unit.DAYS and delay.weekday is None:
        days = (there.date() - moment.astimezone(zone).date()).days
        assert days in (delay.count, delay.count + 1)
    if delay.unit in (Unit.MINUTES, Unit.HOURS) and delay.weekday is None:
        assert due - moment == timedelta(**{delay.unit.value: delay.count})


def _is_skipped(day, at: str, zone: ZoneInfo) -> bool:
    """Whether the clocks leave this time of day out."""
    naive = datetime.combine(day, time.fromisoformat(at))
    for shift in (-1, 0):
        one = naive + timedelta(days=shift)
        there = one.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
        if there.replace(tzinfo=None) != one:
            return True
    return False


@pytest.mark.parametrize(
    ("zone", "after", "at", "due"),
    [
        # Clocks go forward: 02:30 does not exist, and is taken an hour later.
        ("America/New_York", "2026-03-07 12:00", "02:30", "2026-03-08T07:30:00+00:00"),
        # They go back: 01:30 comes twice, and the first is meant.
        ("America/New_York", "2026-10-31 12:00", "01:30", "2026-11-01T05:30:00+00:00"),
        # Midnight itself is left out in Chile and was in Brazil.
        ("America/Santiago", "2026-09-05 12:00", "00:30", "2026-09-06T04:30:00+00:00"),
        ("America/Sao_Paulo", "2018-11-03 12:00", "00:30", "2018-11-04T03:30:00+00:00"),
        ("America/Sao_Paulo", "2018-02-17 12:00", "23:30", "2018-02-19T02:30:00+00:00"),
        ("Europe/Lisbon", "2026-03-28 12:00", "01:30", "2026-03-29T01:30:00+00:00"),
        ("Europe/Lisbon", "2026-10-24 12:00", "10:00", "2026-10-25T10:00:00+00:00"),
    ],
)
def test_tomorrow_at_a_time_on_the_day_that_clocks_change(zone, after, at, due):
    zone = ZoneInfo(zone)
    delay = Delay(count=1, unit=Unit.DAYS, at=at)
    assert due_after(delay, local(after, zone), ANYTIME, zone) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("after", "weekday", "due"),
    [
        ("2026-11-24 09:59", 1, "2026-11-24 10:00"),  # it is Tuesday, and not yet ten
        ("2026-11-24 10:00", 1, "2026-12-01 10:00"),
        ("2026-11-24 12:00", 2, "2026-11-25 10:00"),
        ("2026-11-24 12:00", 0, "2026-11-30 10:00"),
    ],
)
def test_the_next_weekday(after, weekday, due):
    assert due_after(Delay(weekday=weekday, at="10:00"), local(after), ANYTIME, LIMA) == local(due)


# --- Words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hola {name}, ¿sigue en pie?", "Hola Rosa, ¿sigue en pie?"),
        ("{ name }{nobody}.", "Rosa."),
        ("100 {% y {{name}}", "100 {% y {Rosa}"),
        ("{", "{"),
        ("} {", "} {"),
        ("{name.__class__}{0}{}", ""),
    ],
)
def test_places_are_filled_and_nothing_else_is_read(text, said):
    assert filled(text, {"name": "Rosa"}) == said


@given(text=st.text(max_size=80))
def test_any_text_can_be_filled(text):
    assert isinstance(filled(text, {"name": "{name}"}), str)
