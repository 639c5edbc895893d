"""Memory of everything that `make run` starts, at rest: proportional set size, so that shared pages count once."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from crm.local.processes import free_port, stop
from tests.bench.options import Options
from tests.bench.report import Figure
from tests.bench.stage import ROOT, Stage

HOLD_MB = 700
REST_S = 30
READY = "Ventana is ready"

# The first that is in a command line says whose it is.
_PARTS = ("granian", "celery", "whatsapp.simulator", "postgres", "redis", "crm.local")
_NAMES = {"granian": "web", "whatsapp.simulator": "simulator", "crm.local": "supervisor"}


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """With the demo loaded and nobody signed in, half a minute after the start."""
    with _ventana(stage, options) as root:
        time.sleep(REST_S)
        used = _used(root)
    total = sum(used.values())
    parts = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in sorted(used.items(), key=lambda item: -item[1]))
    yield Figure("memory at rest, everything", f"{total:.0f} MB", f"≤ {HOLD_MB} MB", total <= HOLD_MB)
    yield Figure("… of it", parts)


@contextmanager
def _ventana(stage: Stage, options: Options) -> Iterator[psutil.Process]:
    """`make run` on ports and data of its own."""
    ours = (
        "DATABASE_URL",
        "REDIS_URL",
        "GRAPH_API_URL",
        "LOG_LEVEL",
        "BASE_URL",
        "SIMULATOR_URL",
        "CSRF_TRUSTED_ORIGINS",
    )
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {
        "DATA_DIR": str(stage.data_dir / "run"),
        "PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "crm.local", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_until_ready(running, options)
        yield psutil.Process(running.pid)
    finally:
        with suppress(ProcessLookupError):
            running.send_signal(signal.SIGINT)
        stop([psutil.Process(running.pid)] if running.poll() is None else [], by=signal.SIGINT, patience_s=30)
        running.wait()


def _wait_until_ready(running: subprocess.Popen, options: Options) -> None:
    said = []
    for line in running.stdout or ():
        said.append(line.rstrip())
        if line.startswith(READY):
            options.say(line.strip())
            return
    raise RuntimeError("`make run` ended:\n" + "\n".join(said[-15:]))


def _used(root: psutil.Process) -> dict[str, float]:
    """Megabytes by part."""
    used: dict[str, float] = defaultdict(float)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            words = " ".join(process.cmdline())
            part = next((part for part in _PARTS if part in words), "other")
            if part == "celery":
                part = "beat" if " beat" in words else "worker"
            memory = process.memory_full_info()
            used[_NAMES.get(part, part)] += getattr(memory, "pss", memory.rss) / 2**20
    return used
