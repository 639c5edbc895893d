"""`python -m tests.bench [--only NAME] [--quick] [--conversations N] [--sustain-s S]`; each also by environment (ONLY=…)."""

import argparse
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from tests.bench.options import Options
from tests.bench.report import ROOT, Figure, surroundings, table
from tests.bench.stage import Stage

NAMES = ("intake", "merging", "sustaining", "latency", "sending", "sequencing", "searching", "inbox", "flows", "memory")
PAGE = ROOT / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Written by `make bench`; the promises are those of the design. Everything runs on one machine: the load generator,
PostgreSQL and Redis share the cores with what is measured. Ratios are of the same run.
"""


def main() -> None:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped then too
    options = Options(conversations=given.conversations, quick=given.quick, sustain_s=given.sustain_s)
    about, found = surroundings() + (" A quick run, with less of everything." if given.quick else ""), {}
    with Stage() as stage:
        for name in [given.only] if given.only else NAMES:
            module = import_module(f"tests.bench.{name}")
            options.say(f"{name}: {_title(module)}")
            stage.empty()
            found[name] = []
            for figure in module.measure(stage, options):
                found[name].append(figure)
                options.say(f"{figure.what}: {figure.measured}")
    print(f"\n{about}\n\n{table([figure for figures in found.values() for figure in figures])}")
    if not given.only:
        _write(PAGE, about, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what the design promises.")
    parser.add_argument("--only", choices=NAMES, default=os.environ.get("ONLY") or None)
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("QUICK")))
    parser.add_argument("--conversations", type=int, default=int(os.environ.get("CONVERSATIONS") or 100_000))
    parser.add_argument("--sustain-s", type=int, default=int(os.environ.get("SUSTAIN_S") or 0))
    return parser.parse_args()


def _write(page: Path, about: str, found: dict[str, list[Figure]]) -> None:
    parts = []
    for name, figures in found.items():
        title, *notes = (import_module(f"tests.bench.{name}").__doc__ or "").strip().split("\n\n")
        parts.append("\n\n".join([f"## {name.capitalize()}", title, table(figures), *notes]) + "\n")
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n".join([INTRODUCTION, about + "\n", *parts]))


def _title(module: object) -> str:
    return (module.__doc__ or "").split("\n\n")[0]


if __name__ == "__main__":
    main()
