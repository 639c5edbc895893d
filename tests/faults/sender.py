"""The client that plays Meta: signed webhooks, repeated until they are answered with 200, and a history of what was."""

import hashlib
import heapq
import hmac
import http.client
import itertools
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests import meta
from tests.bench.load import percentile
from tests.faults.people import phone
from tests.faults.stage import NUMBER, SECRET

LONGEST_WAIT_S = 0.5


@dataclass
class History:
    """What was said and answered. `status 0` is a connection that broke."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    latencies: list[tuple[float, float]] = field(default_factory=list)  # (moment, seconds) of every 200
    refusals: list[tuple[float, float]] = field(default_factory=list)  # the same of every other answer
    given_up: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, status: int, *, began: float, ended: float) -> None:
        with self._lock:
            self.answers[status] += 1
            if status == 200:
                self.acknowledged[name] += 1
                self.latencies.append((began, ended - began))
            elif status:
                self.refusals.append((began, ended - began))

    def p99(self, *, since: float = 0.0, until: float = float("inf")) -> float:
        return percentile([seconds for at, seconds in self.latencies if since <= at < until], 0.99)


class Meta:
    """Delivers webhooks to one of several doors, at most `rate` a second, until each was answered with 200."""

    def __init__(self, ports: Sequence[int], *, threads: int = 16, rate: float | None = None) -> None:
        self.history = History()
        self.rate = rate
        self._ports = ports
        self._lock = threading.Lock()
        self._queue: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self._next_at = time.monotonic()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Meta":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def deliver(self, webhooks: Iterable[tuple[str, bytes]]) -> None:
        for webhook in webhooks:
            self._queue.put(webhook)

    @property
    def waiting(self) -> int:
        return self._queue.unfinished_tasks

    def _work(self) -> None:
        connections: dict[int, http.client.HTTPConnection] = {}
        while (webhook := self._queue.get()) is not None:
            try:
                self._deliver(connections, *webhook)
            finally:
                self._queue.task_done()
        for connection in connections.values():
            connection.close()

    def _deliver(self, connections: dict[int, http.client.HTTPConnection], name: str, body: bytes) -> None:
        wait = 0.02
        while not self._stopped.is_set():
            self._take_turn()
            began = time.monotonic()
            status = _post(connections, random.choice(self._ports), body)
            self.history.note(name, status, began=began, ended=time.monotonic())
            if status == 200:
                return
            self._stopped.wait(wait * random.uniform(0.5, 1.5))
            wait = min(LONGEST_WAIT_S, wait * 2)
        with self._lock:
            self.history.given_up.append(name)

    def _take_turn(self) -> None:
        if self.rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._next_at = max(self._next_at, now - 1) + 1 / self.rate
            pause = self._next_at - now
        if pause > 0:
            self._stopped.wait(pause)


class PatientMeta:
    """Meta when an address fails for long: new webhooks come at their rate, and each refused one waits longer every time.

    A wait is `first_wait_s` at first, twice as much after each try, `longest_wait_s` at most, and up to half of it less by
    chance. (Meta repeats “with decreasing frequency” for days, and gives no figures: webhooks, delivery retries.) Nothing
    is given up before the block ends.
    """

    def __init__(
        self,
        port: int,
        webhooks: Iterator[tuple[str, bytes]],
        *,
        rate: float,
        first_wait_s: float,
        longest_wait_s: float,
        threads: int = 16,
    ) -> None:
        self.history = History()
        self.sent: dict[str, float] = {}  # when each was first tried
        self._port, self._webhooks, self._rate = port, webhooks, rate
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._due: list[tuple[float, int, float, str, bytes]] = []  # (moment, place, next wait, name, body)
        self._places = itertools.count()
        self._changed = threading.Condition()
        self._comes = self._ends = False
        self._open = 0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        self._source = threading.Thread(target=self._bring, daemon=True)

    def __enter__(self) -> Self:
        self._comes = True
        for thread in (self._source, *self._threads):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bring_no_more()
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def bring_no_more(self) -> None:
        """No new ones; those that wait go on."""
        self._comes = False
        self._source.join()

    @property
    def waiting(self) -> int:
        """How many have come and were not answered with 200."""
        with self._changed:
            return self._open

    def sent_before(self, moment: float) -> list[str]:
        with self._changed:
            return [name for name, at in self.sent.items() if at < moment]

    def _bring(self) -> None:
        began, brought = time.monotonic(), 0
        while self._comes:
            while brought < (time.monotonic() - began) * self._rate:
                name, body = next(self._webhooks)
                brought += 1
                with self._changed:
                    self._open += 1
                    self.sent[name] = time.monotonic()
                self._put(0, self._first_wait_s, name, body)
            time.sleep(min(0.05, 1 / self._rate))

    def _put(self, after_s: float, wait: float, name: str, body: bytes) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + after_s, next(self._places), wait, name, body))
            self._changed.notify()

    def _work(self) -> None:
        connections: dict[int, http.client.HTTPConnection] = {}
        while (taken := self._take()) is not None:
            wait, name, body = taken
            began = time.monotonic()
            status = _post(connections, self._port, body)
            self.history.note(name, status, began=began, ended=time.monotonic())
            if status == 200:
                with self._changed:
                    self._open -= 1
            else:
                longer = min(self._longest_wait_s, wait * 2)
                self._put(wait * random.uniform(0.5, 1), longer, name, body)
        for connection in connections.values():
            connection.close()

    def _take(self) -> tuple[float, str, bytes] | None:
        """The next that is due, once it is; None when the block ends."""
        with self._changed:
            while not self._ends:
                pause = self._due[0][0] - time.monotonic() if self._due else None
                if pause is not None and pause <= 0:
                    return heapq.heappop(self._due)[2:]
                self._changed.wait(pause)
            return None


def _post(connections: dict[int, http.client.HTTPConnection], port: int, body: bytes) -> int:
    connection = connections.get(port) or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connections[port] = connection
    try:
        connection.request("POST", "/webhooks/whatsapp/", body, headers(body))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        del connections[port]
        return 0
    return answer.status


def headers(body: bytes) -> dict[str, str]:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}


def texts(count: int, *, people: int, prefix: str = "wamid.in") -> list[tuple[str, bytes]]:
    """(wamid, webhook) of so many customers' messages."""
    return list(itertools.islice(endless_texts(people=people, prefix=prefix), count))


def endless_texts(*, people: int, prefix: str = "wamid.in") -> Iterator[tuple[str, bytes]]:
    now = meta.now()
    for n in itertools.count():
        wamid, person = f"{prefix}.{n}", n % people
        said = meta.text(f"Hola {n}", wamid=wamid, wa_id=phone(person), at=now)
        yield wamid, meta.body(meta.messages(said, number_id=NUMBER))


def with_duplicates(webhooks: list[tuple[str, bytes]], *, count: int) -> list[tuple[str, bytes]]:
    """The same, with `count` of them a second time at some later place."""
    places = [(place, webhook) for place, webhook in enumerate(webhooks)]
    again = [(random.uniform(place, len(webhooks)), webhook) for place, webhook in random.sample(places, count)]
    return [webhook for _, webhook in sorted(places + again, key=lambda one: one[0])]


def post(port: int, body: bytes) -> int:
    """One webhook, once; its status, 0 for a connection that broke."""
    connections: dict[int, http.client.HTTPConnection] = {}
    try:
        return _post(connections, port, body)
    finally:
        for connection in connections.values():
            connection.close()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
