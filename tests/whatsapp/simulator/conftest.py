"""A simulator process and a tiny application that receives its webhooks, both over real sockets."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from whatsapp.simulator.process import Simulator, wait_until

NUMBER = "100000000000001"
TOKEN = "EAAsim-demo-ventas-000001"
QUICK = {"sent": [0.01, 0.01], "delivered": [0.08, 0.08], "read": [0.16, 0.16]}


class Application:
    """What stands in for Ventana: it keeps every webhook and answers what it is told to."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.forged = 0
        self.answers: list[int] = []  # statuses for the next requests; 200 afterwards
        self.hangs_up = False  # closes the connection after each answer, without having said so
        application = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(application.take(body, self.headers.get("X-Hub-Signature-256", "")))
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = self.close_connection or application.hangs_up

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                confirmed = query["hub.verify_token"] == ["local-verify-token"]
                challenge = query["hub.challenge"][0].encode() if confirmed else b""
                self.send_response(200 if confirmed else 403)
                self.send_header("Content-Length", str(len(challenge)))
                self.end_headers()
                self.wfile.write(challenge)

            def log_message(self, *args: Any) -> None:
                """Keep the tests' output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes, signature: str) -> int:
        expected = "sha256=" + hmac.new(b"local-app-secret", body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            self.forged += 1
        answer = self.answers.pop(0) if self.answers else 200
        if answer == 200:
            self.raw.append(body)
            self.received.append(json.loads(body))
        return answer

    def values(self, field: str = "messages") -> list[dict[str, Any]]:
        return [
            change["value"]
            for body in list(self.received)
            for entry in body["entry"]
            for change in entry["changes"]
            if change["field"] == field
        ]

    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values() for message in value.get("messages", [])]

    def statuses(self, wamid: str = "") -> list[dict[str, Any]]:
        found = [status for value in self.values() for status in value.get("statuses", [])]
        return [status for status in found if wamid in ("", status["id"])]

    def names_of(self, wamid: str) -> list[str]:
        return [status["status"] for status in self.statuses(wamid)]

    def message(self, wamid: str) -> dict[str, Any]:
        """The inbound message with this id, as soon as it arrives."""
        return wait_until(lambda: next((one for one in self.messages() if one["id"] == wamid), None))


class Business:
    """Sends through the Graph API as Ventana would."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def post(self, body: dict[str, Any], *, number: str = NUMBER, token: str = TOKEN) -> dict[str, Any]:
        whole = {"messaging_product": "whatsapp", **body}
        return self.simulator.call("POST", f"/v25.0/{number}/messages", whole, token=token)

    def text(self, to: str, text: str = "Hola", *, number: str = NUMBER, token: str = TOKEN, **more: Any) -> str:
        body = {"to": f"+{to}", "type": "text", "text": {"body": text}, **more}
        return self.post(body, number=number, token=token)["messages"][0]["id"]


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Simulator, Application]]:
    application = Application()
    with Simulator(app_url=application.url, SIMULATOR_RETRY_S="0.05", SIMULATOR_REVIEW_S="0.05") as simulator:
        yield simulator, application
    application.server.shutdown()


@pytest.fixture
def simulator(running: tuple[Simulator, Application]) -> Simulator:
    simulator, application = running
    simulator.reset()
    wait_until(lambda: simulator.call("GET", "/control/state")["webhooks"]["under_way"] == 0)
    application.received.clear()
    application.raw.clear()
    application.answers.clear()
    application.hangs_up = False
    simulator.faults(status_delay=QUICK)
    return simulator


@pytest.fixture
def application(simulator: Simulator, running: tuple[Simulator, Application]) -> Application:
    return running[1]


@pytest.fixture
def business(simulator: Simulator) -> Business:
    return Business(simulator)
