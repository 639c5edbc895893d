"""`python -m tests.faults.flakes [--runs N]` (or RUNS=N): the part of this suite that `make test` runs, again and again.

A test that fails once in a while proves nothing when it passes. Counts failures by test, keeps what failed runs said,
and puts the figure on the page of faults. An interrupt ends it early; what was run until then counts.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.faults import report
from tests.faults.stage import ROOT

KEPT = ROOT / "test-results" / "flakes"
MOST_SHARE = 0.001


@dataclass(slots=True)
class Tally:
    """What so many runs came to. A run that was broken off is none."""

    runs: int = 0
    tests: int = 0
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, failed: dict[str, bool], seconds: float) -> None:
        self.runs += 1
        self.tests += len(failed)
        self.seconds += seconds
        self.failures.update(name for name, has_failed in failed.items() if has_failed)

    @property
    def share(self) -> float:
        return self.failures.total() / self.tests if self.tests else 0.0

    @property
    def found(self) -> str:
        names = "".join(f"; {count} × `{name}`" for name, count in self.failures.most_common())
        return f"**{self.failures.total()} failed** of {self.tests:,} ({self.share:.2%}){names}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.flakes", description="Look for tests that flake.")
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS") or 200))
    runs, tally = parser.parse_args().runs, Tally()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for failed, seconds in _results(runs):
            tally.add(failed, seconds)
            left = (runs - tally.runs) * tally.seconds / tally.runs
            print(f"run {tally.runs} of {runs}, {seconds:.0f} s: {tally.found}; {left / 60:.0f} min to go", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    if tally.runs:
        each = f"{tally.runs} runs of {tally.tests // tally.runs} tests, {tally.seconds / tally.runs:.0f} s each"
        report.note("G27", "the part of it that is in `make test`, again and again", each, tally.found)
        report.renew()
        print(f"\n{report.table(report.rows)}")
    return int(tally.share > MOST_SHARE or not tally.runs)


def _results(runs: int) -> Iterator[tuple[dict[str, bool], float]]:
    """Of each run: by test whether it failed, and the seconds of all."""
    for run in range(1, runs + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ventana-flakes-") as folder:
            told = Path(folder) / "run.xml"
            result = subprocess.run(
                [sys.executable, "-m", "pytest", "tests/faults", f"--junit-xml={told}"],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            failed = _read(told) if told.exists() else {"it did not come to the tests": True}
        if any(failed.values()):
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"run-{run}.log").write_text(result.stdout)
            print(f"what run {run} said is in {KEPT / f'run-{run}.log'}", flush=True)
        yield failed, time.monotonic() - began


def _read(told: Path) -> dict[str, bool]:
    return {
        f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}": any(
            part.tag in ("failure", "error") for part in case
        )
        for case in ElementTree.parse(told).iter("testcase")
    }


if __name__ == "__main__":
    sys.exit(main())
