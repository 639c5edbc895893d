"""Opening hours: what is written, when it is open, and when it opens next, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.hours import Hours, NotHours, read_day

LIMA = ZoneInfo("America/Lima")
SANTIAGO = ZoneInfo("America/Santiago")


def at(text: str, zone: ZoneInfo = LIMA) -> datetime:
    """“mon 09:00” of the week of Monday 23 November 2026."""
    day, time = text.split()
    day_of_month = 23 + ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day)
    return datetime.fromisoformat(f"2026-11-{day_of_month}T{time}").replace(tzinfo=zone).astimezone(UTC)


def week(**days: str) -> Hours:
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    return Hours.of([each for name, text in days.items() for each in Hours(
        tuple(read_day(names.index(name), text))).stored])  # fmt: skip


@pytest.mark.parametrize(("written", "shown"), [
    ("9-13", "9:00–13:00"),
    ("9:00–13:00, 15:00–19:00", "9:00–13:00, 15:00–19:00"),
    (" 9h30 - 13h  15.00 — 19.30h ", "9:30–13:00, 15:00–19:30"),
    ("0-24", "0:00–24:00"),
    ("22:00-6:00", "22:00–6:00"),
    ("", ""),
])  # fmt: skip
def test_a_day_is_written_as_people_write_it(written, shown):
    assert Hours(tuple(read_day(0, written))).on(0) == shown


@pytest.mark.parametrize("written", ["9", "9-", "25-26", "9:60-10", "9-9", "closed", "9-10 x", "1-2,3-4,5-6,7-8,9-10"])
def test_what_is_no_hours_is_not_taken(written):
    with pytest.raises(NotHours):
        read_day(0, written)


@pytest.mark.parametrize(("moment", "is_open"), [
    ("mon 08:59:59", False), ("mon 09:00", True), ("mon 12:59:59", True), ("mon 13:00", False), ("mon 15:00", True),
    ("mon 19:00", False), ("sun 12:00", False), ("fri 23:00", True), ("sat 05:59", True), ("sat 06:00", False),
    ("fri 05:00", False), ("wed 00:00", True), ("wed 23:59:59", True), ("thu 00:00", False),
])  # fmt: skip
def test_open_from_the_first_second_to_the_one_before_the_last(moment, is_open):
    hours = week(mon="9-13 15-19", fri="22-6", wed="0-24")

    assert hours.is_open(at(moment), LIMA) is is_open


def test_sunday_night_goes_on_into_monday():
    assert week(sun="22-6").is_open(at("mon 05:00"), LIMA)


def test_without_hours_it_is_always_open():
    assert Hours().is_open(at("sun 03:00"), LIMA)
    assert Hours().opens_after(at("sun 03:00"), LIMA) is None


@pytest.mark.parametrize(("moment", "opens"), [
    ("mon 08:00", "mon 09:00"), ("mon 09:00", "mon 15:00"), ("mon 20:00", "tue 09:00"), ("tue 19:00", None),
])  # fmt: skip
def test_when_it_opens_next(moment, opens):
    hours = week(mon="9-13 15-19", tue="9-19")

    assert hours.opens_after(at(moment), LIMA) == (at(opens) if opens else datetime(2026, 11, 30, 14, tzinfo=UTC))


def test_it_is_the_clock_of_the_place_that_counts():
    hours = week(mon="9-19")
    moment = at("mon 08:00", SANTIAGO)  # ten in the morning of Lima is noon there

    assert not hours.is_open(moment, SANTIAGO)
    assert hours.is_open(at("mon 08:00", LIMA), SANTIAGO)


def test_a_day_whose_clock_is_put_forward_opens_as_soon_as_it_can():
    hours = Hours.of([[6, "00:30", "08:00"]])
    before = datetime(2026, 9, 6, 3, 59, tzinfo=UTC)  # 23:59 on Saturday in Santiago; then it is 1:00 on Sunday

    opens = hours.opens_after(before, SANTIAGO)

    assert opens == datetime(2026, 9, 6, 4, 30, tzinfo=UTC)
    assert hours.is_open(opens, SANTIAGO)


def test_days_that_are_alike_stand_together():
    hours = week(mon="9-18", tue="9-18", wed="9-18", fri="9-18", sat="9-13")

    assert hours.alike() == [(0, 2, "9:00–18:00"), (4, 4, "9:00–18:00"), (5, 5, "9:00–13:00")]


@pytest.mark.parametrize(
    "stored", [None, {}, "x", [[7, "09:00", "10:00"]], [[0, "x", "10:00"]], [[0]], [None], [[0, 9, 10]]]
)
def test_what_cannot_be_read_is_no_hours(stored):
    assert Hours.of(stored) == Hours()


@given(st.lists(st.tuples(st.integers(0, 6), st.times(), st.times()), max_size=6), st.integers(0, 365 * 24 * 60))
def test_it_comes_back_as_it_was_stored_and_is_open_when_it_opens(spans, minutes):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    hours = Hours.of([[day, f"{begins:%H:%M}", f"{ends:%H:%M}"] for day, begins, ends in spans])

    assert Hours.of(hours.stored) == hours
    opens = hours.opens_after(moment, LIMA)
    assert opens is None or (opens > moment and hours.is_open(opens, LIMA))
