from datetime import UTC, datetime, timedelta

import pytest

from whatsapp.window import Window, WindowState, expires_after, free_after

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def window(**left: float) -> Window:
    return Window(expires_at=NOON + timedelta(**left), now=NOON)


@pytest.mark.parametrize(
    ("left", "state", "free_form"),
    [
        (timedelta(hours=24), WindowState.OPEN, True),
        (timedelta(hours=2), WindowState.OPEN, True),
        (timedelta(hours=2) - timedelta(seconds=1), WindowState.SOON, True),
        (timedelta(seconds=61), WindowState.SOON, True),
        (timedelta(seconds=60), WindowState.SOON, False),
        (timedelta(seconds=1), WindowState.SOON, False),
        (timedelta(microseconds=1), WindowState.SOON, False),
        (timedelta(0), WindowState.CLOSED, False),
        (timedelta(seconds=-1), WindowState.CLOSED, False),
        (timedelta(days=-400), WindowState.CLOSED, False),
    ],
)
def test_state_at_the_boundary_seconds(left, state, free_form):
    there = Window(expires_at=NOON + left, now=NOON)

    assert there.state is state
    assert there.is_open is (state is not WindowState.CLOSED)
    assert there.can_send_free_form is free_form


def test_nobody_ever_wrote():
    never = Window(expires_at=None, now=NOON)

    assert never.state is WindowState.CLOSED
    assert never.remaining == timedelta(0)
    assert not never.is_free_of_charge
    assert never.panes(4).value == 0


def test_the_time_left_is_never_negative():
    assert window(hours=-5).remaining == timedelta(0)


def test_it_ends_a_day_after_the_person_wrote_whatever_the_local_clock_does():
    # New York sets its clocks back in this night: 24 hours are 24 hours all the same.
    before_the_change = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)

    assert expires_after(before_the_change) == datetime(2026, 11, 2, 3, 30, tzinfo=UTC)


def test_the_free_entry_point_counts_72_hours_from_our_answer():
    assert free_after(NOON) == NOON + timedelta(hours=72)


def test_a_free_entry_point_outlives_the_window_but_opens_nothing():
    from_an_ad = Window(expires_at=NOON - timedelta(hours=1), now=NOON, free_until=NOON + timedelta(seconds=1))

    assert from_an_ad.is_free_of_charge
    assert not from_an_ad.can_send_free_form
    assert not Window(expires_at=None, now=NOON, free_until=NOON).is_free_of_charge


@pytest.mark.parametrize(
    ("left", "count", "pane", "value", "most"),
    [
        ({"hours": 24}, 4, timedelta(hours=6), 1440, 1440),
        ({"hours": 24}, 24, timedelta(hours=1), 1440, 1440),
        ({"hours": 11, "minutes": 20}, 4, timedelta(hours=6), 680, 1440),
        ({"hours": 2}, 4, timedelta(hours=6), 120, 1440),
        ({"minutes": 119}, 4, timedelta(minutes=30), 119, 120),
        ({"minutes": 119}, 24, timedelta(minutes=5), 119, 120),
        ({"seconds": 1}, 4, timedelta(minutes=30), 1, 120),
        ({"seconds": 0}, 4, timedelta(hours=6), 0, 1440),
        ({"hours": 30}, 4, timedelta(hours=6), 1440, 1440),
    ],
)
def test_panes_zoom_in_under_two_hours(left, count, pane, value, most):
    panes = window(**left).panes(count)

    assert (panes.pane, panes.value, panes.max) == (pane, value, most)


def test_panes_go_dark_from_the_end():
    assert window(hours=9).panes(4).fills == (1.0, 0.5, 0.0, 0.0)
    assert window(hours=24).panes(4).fills == (1.0, 1.0, 1.0, 1.0)
    assert window(hours=-1).panes(4).fills == (0.0, 0.0, 0.0, 0.0)
    assert window(minutes=45).panes(4).fills == (1.0, 0.5, 0.0, 0.0)
