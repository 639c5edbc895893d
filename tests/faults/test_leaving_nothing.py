"""A run that is killed in the middle leaves no process behind."""

import os
import signal

import psutil

from tests.faults.sender import answers
from tests.faults.stage import Stage, new_port, wait_until


def test_with_the_zygote_everything_it_started_ends(stage: Stage):
    port = new_port()
    with stage.zygote(LOG_LEVEL="ERROR") as zygote:
        web, worker = zygote.start("web", PORT=port), zygote.start("worker")
        wait_until(lambda: answers(port) and zygote.is_at_work(worker))
        family = [psutil.Process(zygote.pid), *psutil.Process(zygote.pid).children(recursive=True)]
        assert {web, worker} < {process.pid for process in family}
        assert len(family) >= 4  # the server has a process of its own below it

        os.kill(zygote.pid, signal.SIGKILL)

        wait_until(lambda: not [process for process in family if _lives(process)], seconds=10)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
