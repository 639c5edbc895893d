"""The whole of Ventana, as `make run` starts it, and a real browser in front of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180
# A journey asserts what a person sees in the end, on a machine that may be busy; how fast it comes is the benchmark's.
expect.set_options(timeout=30_000)
# All sign in from one address, which may do so 30 times a minute (allauth's limit "login").
_signed_in_at: deque[float] = deque(maxlen=25)


@dataclass(frozen=True, slots=True)
class Running:
    """A running Ventana: its address and its simulator's."""

    url: str
    simulator: str

    def customer_writes(self, **spec: Any) -> dict[str, Any]:
        """Let a customer write through the simulated WhatsApp."""
        answer = requests.post(f"{self.simulator}/control/inbound", json=spec, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def ledger(self, **query: str) -> list[dict[str, Any]]:
        """Everything WhatsApp accepted from us."""
        return requests.get(f"{self.simulator}/control/ledger", params=query, timeout=10).json()


@pytest.fixture(scope="package")
def running() -> Iterator[Running]:
    """`make run` in a folder of its own, stopped at the end with everything it started."""
    data_dir = Path(tempfile.mkdtemp(prefix="ventana-journey-"))
    port, simulator_port = _free_port(), _free_port()
    taken = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "GRAPH_API_URL", "LOCAL", "EMAIL_URL",
             "BASE_URL", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "SIMULATOR_URL", "APP_CLOCK_URL")  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name not in taken} | {
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "SIMULATOR_PORT": str(simulator_port),
        "SIMULATOR_TRAFFIC": "0",
        "PYTHONUNBUFFERED": "1",
    }
    log = data_dir / "run.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "crm.local", "run"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", log)
        yield Running(f"http://localhost:{port}", f"http://127.0.0.1:{simulator_port}")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=40)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            shutil.rmtree(data_dir, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(process: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with suppress(requests.RequestException):  # it is not listening yet
            if requests.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.3)
    pytest.fail(f"Ventana did not get ready:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium: CHROMIUM, or Debian's. Without one a journey cannot be made, and says so.

    Closed with the last journey: Playwright's event loop would be in the way of tests with one of their own.
    """
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("Journeys need Chromium: install Debian's package `chromium`, or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                  "--disable-background-networking", "--disable-component-update"],
        )  # fmt: skip


def _keep_to_the_limit() -> None:
    """Wait while so many have signed in within the last minute that one more might be refused."""
    if len(_signed_in_at) == _signed_in_at.maxlen:
        time.sleep(max(0.0, _signed_in_at[0] + 61 - time.monotonic()))
    _signed_in_at.append(time.monotonic())


@pytest.fixture
def person(browser: Browser, running: Running) -> Iterator[Any]:
    """Sign somebody in: `page = person("ana@demo.test")`. Everything the browser complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def sign_in(
        email: str, *, width: int = 1440, height: int = 900, expects_refusals: bool = False, **options: Any
    ) -> Page:
        context = browser.new_context(
            base_url=running.url, locale="es-PE", timezone_id="America/Lima",
            viewport={"width": width, "height": height}, **options,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)

        def hear(said: Any) -> None:
            is_refusal = expects_refusals and "status of 422" in said.text  # which the page shows to the person
            if said.type == "error" and not is_refusal:
                complaints.append(f"{said.text} {said.location}")

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        _keep_to_the_limit()
        page.goto("/accounts/login/")
        page.fill("[name=login]", email)
        page.fill("[name=password]", "demo-password")
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(lambda url: "/accounts/login" not in url)
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def clock(running: Running) -> Iterator[Callable[..., None]]:
    """Move the demonstration's clock; it is set back at the end."""

    def clock(**wish: Any) -> None:
        requests.post(f"{running.simulator}/control/clock", json=wish, timeout=10).raise_for_status()

    yield clock
    clock(reset=True)
