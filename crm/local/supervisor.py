"""`make run`: one command that starts everything, says what it does, and leaves nothing behind."""
# ruff: noqa: S603, S310 (the commands and the address are our own)

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from contextlib import suppress
from typing import NoReturn

import psutil

from crm.local.environment import BASE_DIR, data_dir, set_local_environment
from crm.local.holding import attach_or_start, lock, release
from crm.local.processes import CannotStart, dying_with_us, is_free, stop

# In the environment of all we start and of what that starts in turn: how a later run knows its predecessor's orphans.
MARK = "VENTANA_RUN"
LOGINS = (
    "owner@demo.test  admin@demo.test  supervisor@demo.test",
    "ana@demo.test  luis@demo.test  owner@otra.test  operator@ventana.test",
)
PARENT = os.getppid()
READY_WITHIN_S = 180
STOP_WITHIN_S = 10
# Of the run before us, which may be ending at this moment.
LET_END_WITHIN_S = 5


class Stopped(Exception):
    """Somebody asked us to stop."""


class Child:
    """A line of the Procfile, running; its output is ours with its name before each line."""

    def __init__(self, *, name: str, command: str, is_quiet: bool = False):
        self.name = name
        self.is_quiet = is_quiet
        self.last_lines: deque[str] = deque(maxlen=15)
        self.process = subprocess.Popen(
            [*dying_with_us(), "/bin/sh", "-c", command],
            cwd=BASE_DIR,
            env=os.environ | {MARK: str(data_dir()), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us; we then stop the children in order
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> int:
        code = self.process.wait()
        self._reader.join(timeout=2)
        return code

    def explain_its_end(self) -> str:
        code = self.wait()
        return "\n".join([f"{self.name} ended by itself (exit code {code}). Its last lines:", *self.last_lines])

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.last_lines.append(f"  {line.rstrip()}")
            if not self.is_quiet:
                with suppress(OSError):  # nobody reads our output any more; theirs must flow all the same
                    print(f"{self.name:<9} | {line.rstrip()}", flush=True)


def run() -> int:
    """Run Ventana until Ctrl-C or SIGTERM; the exit code for the shell."""
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, _stop_when_asked)
    try:
        is_local = set_local_environment()
        only_run = _be_the_only_run()
        try:
            _run_everything(is_local=is_local)
        finally:
            for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(asked, signal.SIG_IGN)  # we are at it; impatience would only leave things running
            _stop_marked()
            release()
            os.close(only_run)
    except Stopped:
        print("Stopped. The data is kept; `make run` continues where this ended.")
        return 0
    except CannotStart as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _run_everything(*, is_local: bool) -> NoReturn:
    started_at = time.monotonic()
    procfile = _procfile()
    release_command = procfile.pop("release")
    if not is_local:
        procfile.pop("simulator")
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])

    _say(1, "Looking for what an earlier run left, and at the ports")
    _stop_marked()
    _check_port("PORT")
    if is_local:
        _check_port("SIMULATOR_PORT")
    _say(2, f"Starting PostgreSQL and Redis, unless given (data in {data_dir()})")
    attach_or_start()
    _say(3, "Preparing the database")
    _run_to_the_end("release", release_command)
    if is_local:
        _say(4, "Loading the demo, the first time")
        _run_to_the_end("load_demo", "python manage.py load_demo")
    _say(5, f"Starting {', '.join(procfile)}")
    children = [Child(name=name, command=f"exec {command}") for name, command in procfile.items()]
    _wait_until_ready(children)
    _introduce(is_local=is_local, seconds=time.monotonic() - started_at)
    _watch(children)


def _procfile() -> dict[str, str]:
    lines = (BASE_DIR / "Procfile").read_text().splitlines()
    entries = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): command.strip() for name, _, command in entries}


def _be_the_only_run() -> int:
    """Lock the data folder against a second `make run`; the open file to close at the end."""
    data_dir().mkdir(parents=True, exist_ok=True)
    file = os.open(data_dir() / "run", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LET_END_WITHIN_S
    while not lock(file):
        if time.monotonic() > deadline:
            pid = os.pread(file, 20, 0).decode()
            raise CannotStart(f"Ventana is already running from this folder (process {pid}). Stop that one first.")
        time.sleep(0.2)
    os.ftruncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    return file


def _check_port(variable: str) -> None:
    value = os.environ[variable]
    if not (value.isdecimal() and 0 < int(value) < 65536):
        raise CannotStart(f"{variable} must be a number from 1 to 65535, not {value!r}.")
    if not is_free(int(value), host=os.environ.get("HOST", "127.0.0.1")):
        other = int(value) + 1
        raise CannotStart(
            f"Port {value} is busy: stop what uses it, or choose another with `make run {variable}={other}`."
        )


def _run_to_the_end(name: str, command: str) -> None:
    child = Child(name=name, command=command, is_quiet=True)
    if child.wait() != 0:
        raise CannotStart(child.explain_its_end())


def _wait_until_ready(children: list[Child]) -> None:
    url = f"http://127.0.0.1:{os.environ['PORT']}/readyz"
    deadline = time.monotonic() + READY_WITHIN_S
    while reason := _why_not_ready(url):
        _check_alive(children)
        if time.monotonic() > deadline:
            raise CannotStart(f"Not ready after {READY_WITHIN_S} s. {url} says: {reason}")
        time.sleep(0.2)


def _why_not_ready(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return ""
    except urllib.error.HTTPError as answer:
        return answer.read(500).decode(errors="replace") or str(answer)
    except OSError as error:
        return str(error)


def _watch(children: list[Child]) -> NoReturn:
    while True:
        _check_alive(children)
        time.sleep(0.5)


def _check_alive(children: list[Child]) -> None:
    if os.getppid() != PARENT:
        raise Stopped  # `make` was killed and had no chance to tell us
    for child in children:
        if child.process.poll() is not None:
            raise CannotStart(child.explain_its_end())


def _stop_marked() -> None:
    """Stop all that carries our mark: the children, what they left behind, and the same of a killed earlier run."""
    marked = [process for process in psutil.process_iter() if _mark(process) == str(data_dir())]
    # Only those at the top are asked; they know how to end their own. Whoever is left is killed.
    pids = {process.pid for process in marked}
    stop([process for process in marked if process.ppid() not in pids], by=signal.SIGTERM, patience_s=STOP_WITHIN_S)
    stop([process for process in marked if process.is_running()], by=signal.SIGKILL)


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None  # not ours to read, or already gone


def _stop_when_asked(*_: object) -> None:
    raise Stopped


def _say(step: int, text: str) -> None:
    print(f"{step}/5  {text}", flush=True)


def _introduce(*, is_local: bool, seconds: float) -> None:
    app, simulator = f"http://localhost:{os.environ['PORT']}", f"http://localhost:{os.environ.get('SIMULATOR_PORT')}"
    lines = [
        "",
        f"Ventana is ready after {seconds:.0f} s. Ctrl-C stops it; the data is kept.",
        "",
        f"  Inbox            {app}/",
        f"  Admin            {app}/admin/",
        f"  API              {app}/api/docs/",
    ]
    if is_local:
        lines += [
            f"  Customer's phone {simulator}/",
            "",
            *(f"  Log in as        {logins}" for logins in LOGINS),
            f"  Password         {os.environ['DEMO_PASSWORD']}",
        ]
    print("\n".join([*lines, ""]), flush=True)
