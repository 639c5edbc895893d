"""A Graph API of one thread's making: it answers as told, remembers what it was asked, and can misbehave on the wire."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 30


@dataclass
class Asked:
    method: str
    path: str
    headers: Message
    body: Any


@dataclass
class Meta:
    """`answer` is called for each request and returns (status, body) or (status, body, headers), or writes by itself."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    answer: Callable[[Any], tuple[Any, ...] | None] = lambda handler: (200, {})

    def answers(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.answer = lambda handler: (status, body, headers or {})

    def answers_in_turn(self, *bodies: Any) -> None:
        waiting = iter(bodies)
        self.answer = lambda handler: (200, next(waiting))


@contextmanager
def meta() -> Iterator[Meta]:
    there = Meta()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            there.connections += 1

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            is_form = "form" in (self.headers.get("Content-Type") or "")
            body = raw.decode() if is_form else json.loads(raw) if raw else None
            there.asked.append(Asked(self.command, self.path, self.headers, body))
            told = there.answer(self)
            if told is None:
                self.close_connection = True
                return
            status, body, headers = (*told, {})[:3]
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            there.closed += 1

        def handle_error(self, *_: Any) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    there.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()


def resets(handler: Any) -> None:
    """Take the request, then cut the line without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    handler.connection.close()


def hangs_up(handler: Any) -> None:
    """Take the request and close politely, without an answer."""


def half_an_answer(handler: Any) -> None:
    """Promise more than comes."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"messages": [{"id": "wam')


def only_headers(seconds: threading.Event) -> Callable[[Any], None]:
    """Begin to answer, then say nothing more until the event is set."""

    def answer(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
        seconds.wait(PATIENCE_S)

    return answer


def silence(over: threading.Event) -> Callable[[Any], None]:
    """Take the request and say nothing until the event is set."""

    def answer(handler: Any) -> None:
        over.wait(PATIENCE_S)

    return answer


def drips(over: threading.Event) -> Callable[[Any], None]:
    """Answer a byte at a time, each well within the time that silence may take."""

    def answer(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
        with suppress(OSError):
            while not over.wait(0.05):
                handler.wfile.write(b" ")

    return answer
