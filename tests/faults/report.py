"""The table of counts, and docs/faults.md, which it becomes after a full run; a part's run renews its rows there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.report import ROOT, commit, surroundings

PAGE = ROOT / "docs" / "faults.md"
INTRODUCTION = """# Faults

Written by `make faults`. Real processes are killed, cut off and starved under load; the counts come from the client that
plays Meta, from the ledger of the simulated WhatsApp, and from the tables. *Lost* is acknowledged minus present, *double* is
present or delivered more than once. F numbers are those of the fault matrix, G numbers those of the goals. A small run of
all of it is part of `make test`. A row that is of a later run than the rest says of which.

The processes are the Procfile's commands, forked from a process that has imported the product already, so that a start
takes a fraction of a second; a kill is SIGKILL to the whole process group at a random moment while it works. PostgreSQL
runs with fsync.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: what was done, and what became of it."""

    id: str
    fault: str
    scale: str
    found: str


rows: list[Row] = []


def note(id: str, fault: str, scale: str, found: str) -> None:
    rows.append(Row(id, fault, scale, found))


def table(shown: Sequence[Row]) -> str:
    cells = [("", "fault", "scale", "found")]
    cells += [(row.id, row.fault, row.scale, row.found) for row in sorted(shown, key=_place)]
    return "\n".join(
        ["| " + " | ".join(cells[0]) + " |", "|---|---|---|---|", *("| " + " | ".join(row) + " |" for row in cells[1:])]
    )


def write(page: Path = PAGE, *, seconds: float) -> None:
    """The page of a whole run."""
    page.parent.mkdir(exist_ok=True)
    _save(page, f"{surroundings()} {seconds:.0f} s in all.", rows)


def renew(page: Path = PAGE) -> None:
    """Put the rows of a part's run in the places of those that tell of the same, and leave the others as they are."""
    if not page.exists():
        return
    *_, about, said = page.read_text().rstrip().split("\n\n")
    of_this_run = f" (commit {commit()}, {datetime.now(UTC):%Y-%m-%d})"
    new = [replace(row, found=row.found + of_this_run) for row in rows]
    kept = [row for row in _rows_of(said) if not any(_tells_the_same(row, other) for other in new)]
    _save(page, about, [*kept, *new])


def _save(page: Path, about: str, shown: Sequence[Row]) -> None:
    page.write_text(f"{INTRODUCTION}\n{about}\n\n{table(shown)}\n")


def _rows_of(said: str) -> list[Row]:
    return [Row(*line.removeprefix("| ").removesuffix(" |").split(" | ")) for line in said.splitlines()[2:]]


def _tells_the_same(one: Row, other: Row) -> bool:
    return (one.id, one.fault) == (other.id, other.fault)


def _place(row: Row) -> tuple[str, int, str]:
    """Faults by their first number, then goals, then what else was tried."""
    first = row.id.split()[0]
    digits = "".join(character for character in first if character.isdigit())
    return first.rstrip("0123456789").replace("F", "0"), int(digits or 99), row.fault
