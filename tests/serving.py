"""The whole application under granian, as the Procfile runs it, for what only real sockets can show."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from whatsapp.simulator.process import wait_until


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """Run a server on a free port against the run's own database and Redis; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers",
         "1", "--no-ws", "--log-level", "warning", "crm.asgi:application"],
        env={**os.environ, "DATABASE_POOL_SIZE": "4", **environment},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _is_up(url), seconds=60)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False
