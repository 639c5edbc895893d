"""A process that has imported the product and forks the Procfile's processes from it: `python -m tests.faults.zygote`.

Four hundred kills need four hundred starts, and a cold start is a second of importing. What runs in a fork is the
Procfile's own command line; only the imports are shared. Speaks JSON lines: a command on standard input, the answer on
standard output. Every process below it dies with it, whatever ended it.
"""

import ctypes
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_children: set[int] = set()


def main() -> None:
    os.register_at_fork(after_in_child=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _import_everything()
    _say({"ready": True})
    try:
        for line in sys.stdin:
            _say(_obey(json.loads(line)))
    finally:
        for pid in list(_children):
            _kill(pid)


def _obey(command: dict[str, Any]) -> dict[str, Any]:
    match command["do"]:
        case "run":
            return {"pid": _fork(command)}
        case "kill":
            return _kill(command["pid"], signal.Signals(command["signal"]))
        case "poll":
            return {"status": _collect(command["pid"], block=False)}
        case "end":
            for pid in list(_children):
                _kill(pid)
            return {}
        case other:
            return {"error": f"unknown command {other}"}


def _fork(command: dict[str, Any]) -> int:
    """Start one process in a group of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        _children.add(pid)
        return pid
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _children.clear()
        _into_log(Path(command["log"]))
        os.environ.update(command["environment"])
        _be(command)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _be(command: dict[str, Any]) -> None:
    _arm()
    for name in command.get("without", ()):
        from tests.faults.switches import switch_off

        switch_off(name)
    if "call" in command:
        module, _, function = command["call"].partition(":")
        result = getattr(importlib.import_module(module), function)(**command["arguments"])
        Path(command["result"]).write_text(json.dumps(result))
        return
    _tell_when_at_work(Path(command["log"]).parent)
    module, *arguments = command["module"]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tell_when_at_work(folder: Path) -> None:
    """A worker has no port to knock at: it leaves a file once it takes bells."""
    from celery import signals

    mark = folder / f"at-work-{os.getpid()}"
    mark.unlink(missing_ok=True)
    signals.worker_ready.connect(lambda **_: mark.touch(), weak=False)


def _arm() -> None:
    """`CRASH_AT` and the settings came with the fork; the modules that read them were imported before it."""
    from django.conf import settings

    from tenants import crash_points

    crash_points.arm(os.environ)
    for name, value in os.environ.items():
        if name.startswith("SETTING_"):
            setattr(settings, name.removeprefix("SETTING_"), json.loads(value))
    for name, seconds in json.loads(os.environ.get("BEAT_EVERY", "{}")).items():
        settings.CELERY_BEAT_SCHEDULE[name]["schedule"] = seconds
        settings.CELERY_BEAT_SCHEDULE[name]["options"] = {"expires": max(2.0, seconds)}


def _kill(pid: int, signal_: signal.Signals = signal.SIGKILL) -> dict[str, Any]:
    """Signal the whole group of one of ours; after SIGKILL it is certainly gone."""
    if pid not in _children:
        return {"killed": False}
    try:
        os.killpg(pid, signal_)
    except ProcessLookupError:
        # Between fork and setsid it has no group of its own yet, and has done nothing yet.
        try:
            os.kill(pid, signal_)
        except ProcessLookupError:
            return {"killed": False}
    if signal_ is signal.SIGKILL:
        _collect(pid, block=True)
    return {"killed": True}


def _collect(pid: int, *, block: bool) -> int | None:
    """The exit status of one of ours that has ended; None while it runs."""
    if pid not in _children:
        return 0
    try:
        found, status = os.waitpid(pid, 0 if block else os.WNOHANG)
    except ChildProcessError:
        found, status = pid, 0
    if not found:
        return None
    _children.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _into_log(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _import_everything() -> None:
    """All that the three kinds of process import, but nothing that opens a connection or starts a thread."""
    import django

    django.setup()
    for name in (
        "crm.celery", "crm.bells", "crm.inbound", "crm.outbound", "crm.stream", "crm.urls", "whatsapp.intake",
        "whatsapp.providers.cloud", "django.core.handlers.asgi", "granian.cli", "granian.server", "celery.bin.celery",
        "celery.bin.worker", "celery.bin.beat", "celery.apps.worker", "celery.apps.beat", "celery.worker.consumer",
        "celery.concurrency.thread", "kombu.transport.redis",
    ):  # fmt: skip
        importlib.import_module(name)
    from crm.celery import app

    app.loader.import_default_modules()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
