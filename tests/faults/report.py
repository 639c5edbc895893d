"""The table of counts, and docs/faults.md, which it becomes after a full run."""

from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import ROOT, surroundings

PAGE = ROOT / "docs" / "faults.md"
INTRODUCTION = """# Faults

Written by `make faults`. Real processes are killed, cut off and starved under load; the counts come from the client that
plays Meta, from the ledger of the simulated WhatsApp, and from the tables. *Lost* is acknowledged minus present, *double* is
present or delivered more than once. F numbers are those of the fault matrix. A small run of all of it is part of `make test`.

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


def table() -> str:
    cells = [("", "fault", "scale", "found")]
    cells += [(row.id, row.fault, row.scale, row.found) for row in sorted(rows, key=_place)]
    return "\n".join(
        ["| " + " | ".join(cells[0]) + " |", "|---|---|---|---|", *("| " + " | ".join(row) + " |" for row in cells[1:])]
    )


def write(page: Path = PAGE, *, seconds: float) -> None:
    page.parent.mkdir(exist_ok=True)
    page.write_text(f"{INTRODUCTION}\n{surroundings()} {seconds:.0f} s in all.\n\n{table()}\n")


def _place(row: Row) -> tuple[int, str]:
    digits = "".join(character for character in row.id.split("–")[0] if character.isdigit())
    return int(digits or 99), row.fault
