"""Other checkouts, other processes: what is tested here must work before Django does, so nothing of it is imported."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent

WEB = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
MANAGE = """
import sys
from crm import local
local.set_local_environment()
local.attach_or_start()
print("managed", *sys.argv[1:])
"""
PROCFILE = """
release: python manage.py migrate
web: python web.py
worker: python -c "import time; time.sleep(600)"
simulator: python -c "import time; time.sleep(600)"
"""


@pytest.fixture
def checkout(tmp_path):
    """A small product in a long path with spaces: the real `crm.local` with stand-ins for what it runs."""
    folder = tmp_path / "a folder with spaces" / ("long" * 30) / "ventana"
    shutil.copytree(
        REPOSITORY / "crm" / "local", folder / "crm" / "local", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "crm" / "__init__.py").touch()
    (folder / "manage.py").write_text(MANAGE)
    (folder / "web.py").write_text(WEB)
    (folder / "Procfile").write_text(PROCFILE)
    yield folder
    for process in living(folder):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one before it
            process.kill()


@pytest.fixture
def python(checkout):
    """Start Python in the checkout with an environment that has nothing of ours."""

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=checkout,
            env={"PATH": os.environ["PATH"], "HOME": str(checkout)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def living(checkout: Path) -> list[psutil.Process]:
    """All processes that work in the checkout, servers and keepers included."""
    found = []
    for process in psutil.process_iter(["cwd", "name", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and (process.info["cwd"] or "").startswith(str(checkout)):
            found.append(process)
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each; one that has ended by now, because another of them did, is as dead as we want it."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
