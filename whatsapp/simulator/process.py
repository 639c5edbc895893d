"""The simulator as a process of its own, for tests and load: start it, act as its customers, ask its ledger, stop it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[2]


class Refused(Exception):
    """The simulator answered with an error status; `status` and `body` say which."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


class Simulator:
    """`with Simulator(app_url=…) as simulator:` runs it on a free port until the end of the block."""

    def __init__(self, *, app_url: str, state_path: Path | None = None, **environment: str) -> None:
        self._environment = {
            **os.environ,
            "APP_URL": app_url,
            "SIMULATOR_TRAFFIC": "off",
            "SIMULATOR_STATE": str(state_path or ""),
            "SIMULATOR_SEED": "",
            "APP_CLOCK_URL": "",  # the clock of a Ventana that happens to run here is not ours to move
            **environment,
        }
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "whatsapp.simulator", "--port", "0"],
            cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        wait_until(self._is_up, seconds=15)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            if self._process.stdout:
                self._process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def inbound(self, **spec: Any) -> list[str]:
        """A customer writes; `sender` stands for “from”, which Python keeps for itself. Gives the wamids."""
        if "sender" in spec:
            spec["from"] = spec.pop("sender")
        return self.call("POST", "/control/inbound", spec)["wamids"]

    def faults(self, **settings: Any) -> dict[str, Any]:
        return self.call("POST", "/control/faults", settings)

    def clear_faults(self) -> None:
        self.call("DELETE", "/control/faults")

    def advance(self, seconds: float) -> None:
        self.call("POST", "/control/clock", {"advance_s": seconds})

    def ledger(self, **query: str) -> list[dict[str, Any]]:
        return self.call("GET", f"/control/ledger?{urlencode(query)}")

    def reset(self) -> None:
        self.call("POST", "/control/reset", {})

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        """The JSON answer. Raises Refused for an error status, OSError when the connection was cut."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310 - our own process
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Refused(refusal.code, json.loads(refusal.read() or b"null")) from None

    def _is_up(self) -> bool:
        try:
            return self.call("GET", "/healthz")["status"] == "ok"
        except OSError:
            return False


def wait_until(holds: Callable[[], Any], *, seconds: float = 8) -> Any:
    """Give what `holds` answers as soon as it is true."""
    until = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > until:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
    return answer
