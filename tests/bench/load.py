"""HTTP load from one process, light enough to leave the machine to what is measured: sockets, a selector, ready bytes.

Understands only what the measured addresses answer: a head without a body, over connections that stay open.
"""

import itertools
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

CONNECTIONS = 64


@dataclass(slots=True)
class Load:
    """What was answered with 200: seconds from when each request was due to its answer, in the order of the answers."""

    seconds: float = 0.0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    due_at: list[float] = field(default_factory=list)  # by the world's clock, in the order of the requests

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; nan of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)] if ordered else float("nan")


def saturate(port: int, requests: Sequence[bytes], *, seconds: float, warm_up: float = 0.5) -> Load:
    """As fast as it goes: each connection sends its next request as soon as it has the answer."""
    load, following = Load(seconds=seconds), itertools.cycle(requests)
    with _connections(port) as (selector, clients):
        sent_at = {}
        for client in clients:
            sent_at[client] = time.perf_counter()
            client.sendall(next(following))
        begin = time.perf_counter() + warm_up
        while (now := time.perf_counter()) < begin + seconds:
            for key, _ in selector.select(1):
                client: socket.socket = key.fileobj  # type: ignore[assignment]
                status = _answer(client)
                now = time.perf_counter()
                if now >= begin:
                    _note(load, status, now - sent_at[client])
                sent_at[client] = now
                client.sendall(next(following))
    return load


def steady(port: int, requests: Sequence[bytes], *, rate: float) -> Load:
    """Each request once, `rate` a second however slow the answers are; a late one counts from when it was due."""
    load = Load()
    with _connections(port) as (selector, clients):
        idle, due = deque(clients), {}  # in turn: the server closes what has not been used for a while
        begin, world = time.perf_counter(), time.time()
        sent = answered = 0
        while answered < len(requests):
            now = time.perf_counter()
            while idle and sent < len(requests) and begin + sent / rate <= now:
                client = idle.popleft()
                due[client] = begin + sent / rate
                load.due_at.append(world + sent / rate)
                client.sendall(requests[sent])
                sent += 1
            pause = begin + sent / rate - now if sent < len(requests) and idle else 1
            for key, _ in selector.select(max(pause, 0)):
                client = key.fileobj  # type: ignore[assignment]
                _note(load, _answer(client), time.perf_counter() - due[client])
                idle.append(client)
                answered += 1
        load.seconds = time.perf_counter() - begin
    return load


@contextmanager
def _connections(port: int) -> Iterator[tuple[selectors.BaseSelector, list[socket.socket]]]:
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(CONNECTIONS)]
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ)
        try:
            yield selector, clients
        finally:
            for client in clients:
                client.close()


def _answer(client: socket.socket) -> bytes:
    answer = client.recv(65536)
    while not answer.endswith(b"\r\n\r\n"):
        more = client.recv(65536)
        if not more:
            raise ConnectionError("The server closed a connection.", answer)
        answer += more
    return answer[9:12]


def _note(load: Load, status: bytes, latency: float) -> None:
    if status == b"200":
        load.latencies.append(latency)
    else:
        load.refused += 1
