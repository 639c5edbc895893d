"""The lines of the table, and the page they become."""

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, and what the design promises of it. Without a promise it is there to compare with."""

    what: str
    measured: str
    hold: str = ""
    holds: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "**misses**", None: ""}[self.holds]


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.02 else f"{seconds * 1000:,.0f} ms"


def times(ratio: float) -> str:
    return f"{ratio:.1f} ×"


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table whose columns line up as plain text too."""
    rows = [("what", "measured", "to hold", "")]
    rows += [(figure.what, figure.measured, figure.hold, figure.verdict) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def surroundings() -> str:
    """Of what machine and which commit the figures are."""
    memory = psutil.virtual_memory().total / 2**30
    machine = platform.machine().replace("_", "-")
    return (
        f"{os.cpu_count()} cores, {machine}, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()},"
        f" embedded PostgreSQL 18 with fsync. Load average before: {os.getloadavg()[0]:.1f}. Commit {commit()},"
        f" {datetime.now(UTC):%Y-%m-%d}."
    )


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed
