"""Start a process so that it cannot outlive us, and find and stop those that did."""
# ruff: noqa: S603 (the commands are our own)

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil


class CannotStart(Exception):
    """Something of this machine is in the way; the text says what, and what to do."""


def dying_with_us(signal_name: str = "TERM") -> list[str]:
    """Words to put before a command so that the kernel ends it when the thread that started it ends, even by kill -9.

    Where `setpriv` is missing (macOS), what is left behind is found by the next start instead.
    """
    return [setpriv, "--pdeathsig", signal_name] if (setpriv := shutil.which("setpriv")) else []


@cache
def unprivileged(program: Path, *, folder: Path) -> list[str]:
    """Words to put before `program`, working in `folder`, so that it does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return dying_with_us("INT")
    if not shutil.which("setpriv"):
        raise CannotStart("PostgreSQL does not run as root. Run this as an ordinary user, or set DATABASE_URL.")
    nobody = pwd.getpwnam("nobody")
    words = [*dying_with_us("INT"), f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    # The checkout may be where only root may look (/root, a 0700 home). Rather than opening those folders to everybody,
    # let this one process walk through them. (access(2) forgets capabilities without that secure bit.)
    passing = [*words, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    for attempt in (words, passing):
        if _succeeds([*attempt, "/bin/sh", "-c", '"$0" && cd "$1"', str(program.with_name("pg_config")), str(folder)]):
            return attempt
    raise CannotStart(
        f"PostgreSQL does not run as root, and the user 'nobody' cannot reach {program.parent} or {folder}. "
        "Run this as an ordinary user, put the checkout in a folder all may read, or set DATABASE_URL."
    )


def owned_by_server_user(folder: Path) -> None:
    """Give `folder` and all in it to the user the server will run as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        if folder.stat().st_uid != nobody.pw_uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    elif folder.stat().st_uid != os.geteuid():
        raise CannotStart(f"{folder} belongs to another user (made by a run as root?). Run as that user, or remove it.")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Whoever asks us to end meanwhile is heard afterwards: a process that is being started is known before it is stopped.

    For the main thread.
    """
    heard: list[int] = []
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, lambda number, _frame: heard.append(number)) for each in asked}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in heard:
            signal.raise_signal(number)


def working_in(folder: Path, *, name: str) -> list[psutil.Process]:
    """The processes called `name` whose working directory is `folder`: how a server of an earlier run is known."""
    here = str(folder.resolve())
    found = psutil.process_iter(["name", "cwd"])
    return [process for process in found if process.info["name"] == name and process.info["cwd"] == here]


def run_to_the_end(command: Sequence[str | Path], *, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that starts others (initdb does), and take all of them along when we are asked to stop meanwhile.

    `said` goes to its standard input. The command sees only PATH and the C locale.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(said)
    except BaseException:
        stop(_group_of(process.pid), by=signal.SIGKILL)
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def stop(processes: Iterable[psutil.Process], *, by: signal.Signals, patience_s: float = 10) -> None:
    """Ask the processes to end with the signal `by`, and kill what is still there after `patience_s`."""
    processes = list(processes)
    for signal_, patience in ((by, patience_s), (signal.SIGKILL, 5.0)):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal_)
        processes = wait_for_end(processes, patience_s=patience)


def wait_for_end(processes: Iterable[psutil.Process], *, patience_s: float) -> list[psutil.Process]:
    """Wait until the processes have ended; answers those that have not."""
    deadline = time.monotonic() + patience_s
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A free port below those the kernel hands to outgoing connections, so that it is likely free the next time too."""
    candidates = random.sample(range(20_000, 30_000), 100)
    for port in candidates:
        if is_free(port):
            return port
    raise CannotStart("No free port found between 20000 and 30000 on 127.0.0.1.")


def last_lines(log: Path, count: int = 3) -> str:
    if not log.exists():
        return "nothing was logged"
    lines = log.read_text(errors="replace").splitlines()
    return " / ".join(line.strip() for line in lines[-count:]) or "nothing was logged"


def _group_of(leader: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(OSError):
            if os.getpgid(process.pid) == leader:
                found.append(process)
    return found


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _is_alive(process: psutil.Process) -> bool:
    try:
        # An orphan that has ended stays in the table for ever where the first process of a container collects nobody.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
