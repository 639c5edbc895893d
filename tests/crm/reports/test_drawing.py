"""Charts stay inside their frames, show zero as nothing, and interrupt a line where there is no value."""

from hypothesis import given
from hypothesis import strategies as st

from crm.reports import drawing

values = st.lists(st.floats(0, 1e7), min_size=1, max_size=60)


@given(st.floats(0.001, 1e9))
def test_the_end_of_an_axis_is_never_below_the_largest_value_nor_far_above(most):
    assert most <= drawing.nice(most) <= most * 2.5


def test_an_axis_without_values_still_has_a_scale():
    assert [label for _y, label in drawing.lines([[None]], ["1"]).grid.rows] == ["0", "1", "2", "3", "4"]


@given(values)
def test_bars_stand_on_the_floor_within_the_frame(line):
    labels = [str(n) for n in range(len(line))]
    drawn = drawing.bars([line, line], labels, [labels, labels])
    assert len(drawn.bars) == 2 * len(line)
    for bar in drawn.bars:
        assert abs(bar.y + bar.height - drawn.grid.floor) < 0.2
        assert bar.height >= 0
        assert bar.x + 0.1 >= drawing.LEFT and bar.x + bar.width <= drawn.grid.right + 0.1
    assert len(drawn.grid.columns) <= 8


@given(values)
def test_stacked_parts_lie_upon_each_other_and_end_at_their_sum(line):
    labels = [str(n) for n in range(len(line))]
    apart, whole = (
        drawing.stacked([line, line], labels, labels),
        drawing.stacked([[2 * v for v in line]], labels, labels),
    )
    tops = {bar.x: min(other.y for other in apart.bars if other.x == bar.x) for bar in apart.bars}
    for bar in whole.bars:
        assert abs(tops[bar.x] - bar.y) < 0.2


def test_a_day_without_a_value_interrupts_its_line():
    drawn = drawing.lines([[1, 2, None, 4]], ["a", "b", "c", "d"], goal=3)
    assert [word[0] for word in drawn.paths[0].split() if word[0] in "ML"] == ["M", "L", "M"]
    assert len(drawn.dots[0]) == 3
    assert drawn.grid.rows[3][0] == drawn.goal


def test_a_goal_beyond_the_scale_is_not_drawn():
    assert drawing.lines([[1.0]], ["a"], goal=300).goal is None


def test_the_darkest_hour_is_the_busiest_and_an_empty_one_is_blank():
    drawn = drawing.heat({(1, 9): 40, (7, 23): 1}, list("LMXJVSD"), "%(day)s %(hour)s %(count)s")
    shades = {cell.title: cell.shade for cell in drawn.cells}
    assert (shades["L 9:00 40"], shades["D 23:00 1"], shades["M 0:00 0"]) == (5, 1, 0)
    assert len(drawn.cells) == 168


def test_a_week_without_messages_is_blank():
    assert {cell.shade for cell in drawing.heat({}, list("LMXJVSD"), "").cells} == {0}


def test_a_spark_needs_two_points():
    assert drawing.spark([1]) == ""
    assert drawing.spark([0, 4]) == "2.0,21.0 68.0,3.0"
