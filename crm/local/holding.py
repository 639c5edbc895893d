"""Commands side by side share the embedded servers; the last one to end stops them.

Each command holds a shared lock on `DATA_DIR/holders` for as long as it lives. The kernel drops it however the command
ends, kill -9 included, so nobody has to count. A small process, the keeper, owns each server and stops it when it can
have that lock for itself alone: while it has, newcomers wait, and then start the server anew.
"""
# ruff: noqa: S603 (the commands are our own)

import atexit
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from crm.local.environment import BASE_DIR, data_dir, is_local
from crm.local.postgres import Postgres
from crm.local.processes import CannotStart
from crm.local.redis import Redis
from crm.local.server import Server

SERVERS: dict[str, type[Server]] = {"DATABASE_URL": Postgres, "REDIS_URL": Redis}
LOOK_EVERY_S = 0.5

_holding: int | None = None  # the open file whose lock says that this process uses the servers


def attach_or_start() -> None:
    """Put DATABASE_URL and REDIS_URL into the environment, of servers that run at least until this process ends.

    One that is set already is left alone; so is everything in production. Raises CannotStart.
    """
    global _holding
    wanted = {variable: kind for variable, kind in SERVERS.items() if not os.environ.get(variable)}
    if not wanted or not is_local():
        return
    folder = data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if _holding is None:
        _holding = _open(folder / "holders")
        fcntl.flock(_holding, fcntl.LOCK_SH)  # waits for a keeper that is just stopping its server
        atexit.register(release)
    starting = _open(folder / "starting")
    fcntl.flock(starting, fcntl.LOCK_EX)
    keepers: list[subprocess.Popen] = []
    try:
        for kind in wanted.values():
            if not _is_kept(kind(data_dir=folder)):
                keepers.append(_start_keeper(kind))
        for keeper in keepers:
            _wait_for(keeper)
    except BaseException:
        # Asked to stop in the middle: they may not have got as far as being found by `release`.
        for keeper in keepers:
            keeper.terminate()
        for keeper in keepers:
            keeper.wait()
        raise
    finally:
        os.close(starting)
    for variable, kind in wanted.items():
        os.environ[variable] = kind(data_dir=folder).url


def release() -> None:
    """Stop using the servers; where nobody else does, return only when they have stopped."""
    global _holding
    if _holding is None:
        return
    if lock(_holding):
        for kind in SERVERS.values():
            _stop_keeper(kind.name)
    os.close(_holding)
    _holding = None


def keep(name: str) -> None:
    """Run the server of that name until nobody holds it. The body of `python -m crm.local keep postgres`.

    Says "ready", or why not, on standard output. Starts the server again should it crash.
    """
    kind = next(kind for kind in SERVERS.values() if kind.name == name)
    server = kind(data_dir=data_dir())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # Held for life: a locked file means that the pid in it is a living keeper's. Waits for one that is ending.
    life = _open(_keeper_file(name))
    fcntl.flock(life, fcntl.LOCK_EX)
    os.ftruncate(life, 0)
    os.write(life, str(os.getpid()).encode())
    try:
        server.start()
        print("ready", flush=True)
        _restart_while_held(server)
    except CannotStart as refusal:
        print(str(refusal).replace("\n", " "), flush=True)
    finally:
        server.stop()  # also when we are asked to end in the middle of starting it


def lock(file: int) -> bool:
    """Have the open file for us alone, if nobody else has it; the kernel gives it back when we end."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _restart_while_held(server: Server) -> None:
    holders = _open(data_dir() / "holders")
    while not lock(holders):
        if server.has_ended():
            server.start()
        time.sleep(LOOK_EVERY_S)


def _start_keeper(kind: type[Server]) -> subprocess.Popen:
    log = kind(data_dir=data_dir()).log
    with open(log, "ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "crm.local", "keep", kind.name],
            cwd=BASE_DIR,
            env=os.environ | {"DATA_DIR": str(data_dir())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def _wait_for(keeper: subprocess.Popen) -> None:
    assert keeper.stdout
    with keeper.stdout as said:
        answer = said.readline().strip()
    if answer != "ready":
        raise CannotStart(answer or f"The process that keeps the server ended; see the logs in {data_dir()}")


def _is_kept(server: Server) -> bool:
    return _keeper(server.name) is not None and server.answers()


def _keeper(name: str) -> int | None:
    """The pid of the living keeper of that server."""
    file = _open(_keeper_file(name))
    try:
        return None if lock(file) else int(os.pread(file, 20, 0) or 0) or None
    finally:
        os.close(file)


def _stop_keeper(name: str) -> None:
    if pid := _keeper(name):
        os.kill(pid, signal.SIGTERM)
        file = _open(_keeper_file(name))
        fcntl.flock(file, fcntl.LOCK_EX)
        os.close(file)


def _keeper_file(name: str) -> Path:
    return data_dir() / f"{name}.keeper"


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
