"""Charts as points and rectangles: plain geometry that a template writes down as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

LEFT, TOP, BOTTOM = 38.0, 10.0, 22.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A plot's frame: lines with their labels across, labels below."""

    width: float
    height: float
    rows: list[tuple[float, str]]
    columns: list[tuple[float, str]]

    @property
    def right(self) -> float:
        return self.width - 10

    @property
    def floor(self) -> float:
        return self.height - BOTTOM

    @property
    def below(self) -> float:
        return self.height - 6


@dataclass(frozen=True, slots=True)
class Lines:
    grid: Grid
    paths: list[str]
    dots: list[list[tuple[float, float]]]
    goal: float | None = None  # the height of its line


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str
    series: int


@dataclass(frozen=True, slots=True)
class Bars:
    grid: Grid
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Cell:
    x: float
    y: float
    shade: int
    title: str


@dataclass(frozen=True, slots=True)
class Heat:
    cells: list[Cell]
    rows: list[tuple[float, str]]
    columns: list[tuple[float, str]]


def lines(
    series: Sequence[Sequence[float | None]],
    labels: Sequence[str],
    *,
    goal: float = 0,
    width: float = 520,
    height: float = 240,
) -> Lines:
    """Lines over the same days; a day without a value interrupts its line. `goal` is a level to be under."""
    top = nice(max((value for line in series for value in line if value is not None), default=0))
    grid, places = _frame(top, labels, width, height)
    paths, dots = [], []
    for line in series:
        points = [
            (x, _y(value, top, grid)) if value is not None else None for x, value in zip(places, line, strict=True)
        ]
        written, is_down = [], False
        for point in points:
            if point:
                written.append(f"{'L' if is_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
            is_down = point is not None
        paths.append(" ".join(written))
        dots.append([point for point in points if point])
    return Lines(grid, paths, dots, _y(goal, top, grid) if 0 < goal <= top else None)


def bars(
    series: Sequence[Sequence[float]],
    labels: Sequence[str],
    titles: Sequence[Sequence[str]],
    *,
    width: float = 520,
    height: float = 240,
) -> Bars:
    """Bars side by side for each day."""
    top = nice(max((value for line in series for value in line), default=0))
    grid, places = _frame(top, labels, width, height)
    room = (grid.right - LEFT) / max(len(labels), 1) * 0.7 / len(series)
    drawn = []
    for number, line in enumerate(series):
        for x, value, title in zip(places, line, titles[number], strict=True):
            y = _y(value, top, grid)
            left = x + (number - len(series) / 2) * room
            drawn.append(
                Bar(round(left, 1), round(y, 1), round(room * 0.9, 1), round(grid.floor - y, 1), title, number + 1)
            )
    return Bars(grid, drawn)


def stacked(
    series: Sequence[Sequence[float]],
    labels: Sequence[str],
    titles: Sequence[str],
    *,
    width: float = 400,
    height: float = 240,
) -> Bars:
    """One bar for each day, its parts upon each other; a title for the whole bar."""
    top = nice(max((sum(parts) for parts in zip(*series, strict=True)), default=0))
    grid, places = _frame(top, labels, width, height)
    room = (grid.right - LEFT) / max(len(labels), 1) * 0.7
    drawn = []
    for x, title, parts in zip(places, titles, zip(*series, strict=True), strict=True):
        below = 0.0
        for number, part in enumerate(parts):
            y = _y(below + part, top, grid)
            if part:
                size = round(_y(below, top, grid) - y, 1)
                drawn.append(Bar(round(x - room / 2, 1), y, round(room, 1), size, title, number + 1))
            below += part
    return Bars(grid, drawn)


def heat(counts: dict[tuple[int, int], int], days: Sequence[str], title: str) -> Heat:
    """A week of hours, darker where more came; `title` is written with `day`, `hour` and `count`."""
    most = max(counts.values(), default=0)
    cells = [
        Cell(
            30 + hour * 11.0,
            4 + (day - 1) * 33.4,
            -(-counts.get((day, hour), 0) * 5 // most) if most else 0,
            title % {"day": days[day - 1], "hour": f"{hour}:00", "count": counts.get((day, hour), 0)},
        )
        for day in range(1, 8)
        for hour in range(24)
    ]
    return Heat(
        cells,
        [(4 + day * 33.4 + 20, name) for day, name in enumerate(days)],
        [(30 + hour * 11.0 + 5.5, f"{hour}h") for hour in range(0, 24, 3)],
    )


def spark(values: Sequence[float]) -> str:
    """A line of 72 × 24 without axes; empty where there is nothing to see."""
    if len(values) < 2:
        return ""
    most, step = max(max(values), 1e-9), 66 / (len(values) - 1)
    return " ".join(f"{2 + n * step:.1f},{21 - 18 * value / most:.1f}" for n, value in enumerate(values))


def nice(most: float) -> float:
    """The end of an axis: a round number not below the largest value."""
    if most < 1e-9:
        return 4
    unit = 1.0
    while unit * 10 <= most:
        unit *= 10
    while unit > most:
        unit /= 10
    return next(unit * factor for factor in (1, 2, 4, 6, 8, 10, 20) if unit * factor >= most)


def _frame(top: float, labels: Sequence[str], width: float, height: float) -> tuple[Grid, list[float]]:
    """The frame with at most eight labels below, and where each day stands."""
    rows = [(_y_of(part / 4, height), _written(top * part / 4)) for part in range(5)]
    places = _places(len(labels), width - 10)
    every = -(-len(labels) // 8) or 1
    shown = [(round(x, 1), label) for n, (x, label) in enumerate(zip(places, labels, strict=True)) if n % every == 0]
    return Grid(width, height, rows, shown), places


def _places(count: int, right: float) -> list[float]:
    step = (right - LEFT) / max(count, 1)
    return [LEFT + step * (n + 0.5) for n in range(count)]


def _y(value: float, top: float, grid: Grid) -> float:
    return _y_of(value / top, grid.height)


def _y_of(share: float, height: float) -> float:
    return round(height - BOTTOM - share * (height - BOTTOM - TOP), 1)


def _written(value: float) -> str:
    return f"{value:g}" if value < 10_000 else f"{value / 1000:g} k"
