"""Processes that are killed at random moments and started again, until enough were."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tests.faults.sender import answers
from tests.faults.stage import Zygote, wait_until


class Slot:
    """One place in which a process runs: `start` starts it, `is_up` says that it is at work by now."""

    def __init__(self, zygote: Zygote, start: Callable[[], int], is_up: Callable[[int], bool]) -> None:
        self.zygote, self.start, self._is_up = zygote, start, is_up
        self.pid = start()

    def is_up(self) -> bool:
        return self._is_up(self.pid)

    def restart(self) -> None:
        self.pid = self.start()

    def kill(self) -> bool:
        """Whether there was something to kill."""
        return self.zygote.kill(self.pid)


class Killer:
    """`with Killer(slots, life_s=(0.1, 0.8)) as killer:` kills each at a random moment of its life, and starts it again.

    Only one that was at work counts. `stop` leaves all of them running.
    """

    def __init__(self, slots: list[Slot], *, life_s: tuple[float, float], most: int) -> None:
        self.slots, self.life_s, self.most = slots, life_s, most
        self.kills = 0
        self.last_at = time.monotonic()
        self.failures: list[BaseException] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(slot,), daemon=True) for slot in slots]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_done(self) -> bool:
        if self.failures:
            raise self.failures[0]
        return self.kills >= self.most

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]
        for slot in self.slots:  # the last that was started may have found no database, and ended
            self._wait_until_up(slot)

    def _work(self, slot: Slot) -> None:
        try:
            while not self._stopped.is_set() and self.kills < self.most:
                self._wait_until_up(slot)
                if self._stopped.wait(random.uniform(*self.life_s)):
                    return
                was_up = slot.is_up()
                if slot.kill() and was_up:
                    with self._lock:
                        self.kills += 1
                        self.last_at = time.monotonic()
                slot.restart()
        except BaseException as error:
            self.failures.append(error)

    def _wait_until_up(self, slot: Slot) -> None:
        deadline = time.monotonic() + 60
        while not slot.is_up():
            time.sleep(0.03)
            if not slot.zygote.is_alive(slot.pid):
                slot.restart()  # it could not start just now: the database was being restarted, say
                time.sleep(0.2)
            if time.monotonic() > deadline:
                raise AssertionError(f"a process did not come up within 60 s:\n{slot.zygote.last_lines()}")


@contextmanager
def web_slots(zygote: Zygote, ports: Sequence[int], **options: Any) -> Iterator[list[Slot]]:
    """A web process at each of the ports."""
    slots = [
        Slot(zygote, lambda port=port: zygote.start("web", PORT=port, **options), lambda _, port=port: answers(port))
        for port in ports
    ]
    with _running(slots):
        yield slots


@contextmanager
def worker_slots(zygote: Zygote, count: int = 2, **options: Any) -> Iterator[list[Slot]]:
    slots = [Slot(zygote, lambda: zygote.start("worker", **options), zygote.is_at_work) for _ in range(count)]
    with _running(slots):
        yield slots


@contextmanager
def beats(zygote: Zygote, count: int = 1, **every: float) -> Iterator[list[Slot]]:
    """So many beats; `reconcile=1` has that entry of the schedule come every second."""

    def start() -> int:
        folder = zygote.folder / f"beat-{next(_folders)}"
        folder.mkdir()
        folder.chmod(0o777)
        return zygote.start("beat", DATA_DIR=folder, BEAT_EVERY=json.dumps(every))

    slots = [Slot(zygote, start, zygote.is_alive) for _ in range(count)]
    with _running(slots):
        yield slots


_folders = itertools.count()


@contextmanager
def _running(slots: list[Slot]) -> Iterator[None]:
    try:
        for slot in slots:
            try:
                wait_until(slot.is_up)
            except AssertionError as late:
                raise AssertionError(f"a process did not come up, {late}:\n{slot.zygote.last_lines()}") from None
        yield
    finally:
        for slot in slots:
            slot.kill()
