"""How likely a block is: what counts, what does not, and what takes it back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm.blocking import CEILING, Kind, Level, Send, Silences, Weight, judge

NOW = datetime(2026, 11, 24, 17, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
USUAL = Silences()


def stuck(*days_ago: float, sent: int = 20, got: int = 19) -> list[Send]:
    return [Send(NOW - days * DAY, Kind.STUCK, sent, got) for days in days_ago]


def judged(sends, *, was_reached=True, silences=USUAL, own=()):
    return judge(sends, was_reached=was_reached, silences=silences, own=own, now=NOW)


@pytest.mark.parametrize(
    ("sends", "level", "least", "most"),
    [
        ([], Level.NONE, 0, 0),
        (stuck(4), Level.POSSIBLE, 0.3, 0.5),
        (stuck(5, 4), Level.PROBABLE, 0.95, 0.99),
        (stuck(6, 5, 4), Level.VERY_LIKELY, 0.99, CEILING),
        (stuck(9, 8, 7, 6, 5, 4), Level.VERY_LIKELY, 0.99, CEILING),
        ([Send(NOW - 2 * DAY, Kind.UNDELIVERABLE), Send(NOW, Kind.UNDELIVERABLE)], Level.PROBABLE, 0.95, 0.99),
        ([Send(NOW, Kind.REPORTED)], Level.VERY_LIKELY, 0.99, CEILING),
    ],
)
def test_two_misses_are_probable_and_three_very_likely(sends, level, least, most):
    found = judged(sends)
    assert found.level is level
    assert least <= found.likelihood <= most


@pytest.mark.parametrize(
    ("second", "weight"),
    [
        (Send(NOW - 3 * DAY + timedelta(seconds=1), Kind.STUCK, 20, 19), Weight.TOO_SOON),
        (Send(NOW - 5 * DAY + 19 * HOUR, Kind.STUCK, 20, 19), Weight.SAME_DAY),
        (Send(NOW - 4 * DAY, Kind.STUCK, 20, 9), Weight.NUMBER_TROUBLE),
        (Send(NOW - 4 * DAY, Kind.STUCK, 2, 2), Weight.NOBODY_ELSE),
        (Send(NOW - 4 * DAY, Kind.STUCK, 0, 0), Weight.NOBODY_ELSE),
        (Send(NOW - 4 * DAY, Kind.STUCK, 20, 10), Weight.COUNTED),
        (Send(NOW - 3 * DAY, Kind.STUCK, 3, 3), Weight.COUNTED),
        (Send(NOW - 4 * DAY, Kind.UNDELIVERABLE, 20, 0), Weight.COUNTED),
        (Send(NOW, Kind.UNDELIVERABLE), Weight.COUNTED),
    ],
)
def test_what_counts_as_a_miss(second, weight):
    found = judged([*stuck(5), second])
    assert found.weights == (Weight.COUNTED, weight)
    assert found.misses == 1 + (weight is Weight.COUNTED)


def test_a_number_whose_silences_end_asks_for_longer_ones():
    ended = Silences(tuple(sorted(timedelta(days=3 + n % 10) for n in range(80))), never=4)
    short, long = judged(stuck(9, 7, 5), silences=ended), judged(stuck(40, 30, 20, 10, 4), silences=ended)
    assert short.level is Level.POSSIBLE and long.level is Level.VERY_LIKELY


def test_a_number_that_many_block_asks_for_less():
    assert judged(stuck(5, 4), silences=Silences(never=30)).likelihood > judged(stuck(5, 4)).likelihood


def test_whoever_is_always_slow_is_expected_to_be_slow_again():
    slow = [4 * DAY, 6 * DAY, 8 * DAY]
    assert judged(stuck(6, 5, 4), own=slow).level is Level.POSSIBLE
    assert judged(stuck(40, 30, 20), own=slow).likelihood > judged(stuck(6, 5, 4), own=slow).likelihood


def test_somebody_who_was_never_reached_is_no_blocker():
    assert judged(stuck(9, 8, 7, 6), was_reached=False).level is Level.POSSIBLE


sends = st.lists(
    st.builds(
        Send,
        st.floats(0, 60).map(lambda days: NOW - days * DAY),
        st.sampled_from(Kind),
        st.integers(0, 50),
        st.integers(0, 50),
    ),
    max_size=12,
).map(lambda found: sorted(found, key=lambda send: send.at))
silences = st.builds(
    lambda lengths, never: Silences(tuple(sorted(lengths)), never),
    st.lists(st.timedeltas(min_value=3 * DAY, max_value=40 * DAY), max_size=60),
    st.integers(0, 40),
)
own = st.lists(st.timedeltas(min_value=3 * DAY, max_value=40 * DAY), max_size=4).map(sorted)


@given(sends, silences, own, st.booleans())
def test_it_is_a_likelihood_and_never_certain(sends, silences, own, was_reached):
    found = judged(sends, was_reached=was_reached, silences=silences, own=own)
    assert 0 <= found.likelihood <= CEILING
    assert len(found.weights) == len(sends)
    assert found.misses == found.weights.count(Weight.COUNTED)
    assert (found.level is Level.NONE) == (found.misses == 0)
    if found.level is Level.VERY_LIKELY:
        assert found.likelihood >= 0.99


@given(sends, silences, own)
@example([Send(NOW, Kind.STUCK, 0, 3), Send(NOW, Kind.REPORTED)], Silences(ended=(), never=0), [])
def test_waiting_longer_never_makes_it_less_likely(sends, silences, own):
    """The same misses, with nothing heard for another week."""
    before = judge(sends, was_reached=True, silences=silences, own=own, now=NOW)
    after = judge(sends, was_reached=True, silences=silences, own=own, now=NOW + 7 * DAY)
    if after.misses == before.misses:
        assert after.likelihood >= before.likelihood - 1e-12
