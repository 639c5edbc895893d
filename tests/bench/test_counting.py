"""The arithmetic of the figures; the measurements themselves run by `make bench`."""

from math import isnan

import pytest

from tests.bench.load import percentile
from tests.bench.report import Figure, table


@pytest.mark.parametrize(("share", "found"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_a_value_that_was_measured(share, found):
    assert percentile(list(range(100, 0, -1)), share) == found


def test_percentiles_of_few_and_of_none():
    assert percentile([7.0], 0.99) == 7.0
    assert isnan(percentile([], 0.5))


def test_the_table_says_what_misses():
    lines = table([Figure("sent", "12/s", "≥ 500/s", False), Figure("… beside", "3 ×")]).splitlines()

    assert lines[2].split("|")[4].strip() == "**misses**"
    assert len({len(line) for line in lines}) == 1
