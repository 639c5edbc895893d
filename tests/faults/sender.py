"""The client that plays Meta: signed webhooks, repeated until they are answered with 200, and a history of what was."""

import hashlib
import hmac
import http.client
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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
    given_up: list[str] = field(default_factory=list)

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
            now = time.monotonic()
            with self._lock:
                self.history.answers[status] += 1
                if status == 200:
                    self.history.acknowledged[name] += 1
                    self.history.latencies.append((began, now - began))
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
    now = meta.now()
    found = []
    for n in range(count):
        wamid, person = f"{prefix}.{n}", n % people
        said = meta.text(f"Hola {n}", wamid=wamid, wa_id=phone(person), at=now)
        found.append((wamid, meta.body(meta.messages(said, number_id=NUMBER))))
    return found


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
