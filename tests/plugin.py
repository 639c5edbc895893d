"""Loaded before Django's settings: gives the run its own PostgreSQL and Redis, and secrets of its own.

With `-n 2` (as `make test` runs it) each of the two processes has its own of everything; the one that hands out the
tests needs none of it.
"""

import atexit
import os
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from crm.local import Servers, set_local_environment
from tests import migrated

_began = time.monotonic()
_data_dir = Path(tempfile.mkdtemp(prefix="ventana-test-"))
os.environ.update(
    {
        "DATA_DIR": str(_data_dir),
        "LOCAL": "1",
        "META_APP_SECRET": "local-app-secret",
        "META_VERIFY_TOKEN": "local-verify-token",
        "GRAPH_API_URL": "http://127.0.0.1:9",  # nothing listens: a test that sends starts its own simulator
        "WHATSAPP_ACCESS_TOKEN": "",
        "EMAIL_URL": "memorymail://",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
        # Playwright runs its own event loop in the main thread; the line above is for that alone.
    }
)
for _name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
    os.environ.pop(_name, None)
_processes = [each.removeprefix("-n") or after for each, after in pairwise([*sys.argv, ""]) if each.startswith("-n")]
_hands_out = "PYTEST_XDIST_WORKER" not in os.environ and any(each != "0" for each in _processes)
if not _hands_out:
    migrated.provide(_data_dir)
set_local_environment()

TESTS = Path(__file__).resolve().parent
# What takes long begins first, so that nobody waits for it in the end. A part starts what all of its tests share, and
# stays in one process; of the others each file does.
_FIRST = ("faults", "isolation", "local", "architecture", "tenants")
_WHOLE = frozenset({"faults"})

servers = Servers(data_dir=_data_dir, durable=False)
if not _hands_out:
    servers.start()
os.environ["DATABASE_URL"] = servers.database_url
os.environ["REDIS_URL"] = servers.redis_url


@atexit.register
def _stop() -> None:
    servers.stop()
    shutil.rmtree(_data_dir, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults", action="store_true", help="everything at its full scale; its figures go into docs/faults.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    """The same examples for every change, or one would fail for another's fault; `make faults` looks for new ones."""
    settings.register_profile("same", derandomize=True)
    settings.load_profile("default" if config.getoption("--faults") else "same")


@pytest.hookimpl(trylast=True)  # pytest-django has an order of its own
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `nightly` takes too long beside the rest: `make faults` runs it. What begins first is on top."""
    if not config.getoption("--faults"):
        left = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)
    if "PYTEST_XDIST_WORKER" in os.environ:
        parts = {item: item.path.relative_to(TESTS).parts[0] for item in items}
        items.sort(key=lambda item: _FIRST.index(parts[item]) if parts[item] in _FIRST else len(_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who gets which tests: a part that is whole, or a file, goes to one process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            part = file.split("/")[1]
            return part if part in _WHOLE else file

    config.option.loadscopereorder = False
    return ByPart(config, log)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """The table of what was found, which after a run at full scale that passed becomes, or renews, docs/faults.md."""
    from tests.faults import report

    if not report.rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(report.table(report.rows))
    if config.getoption("--faults") and exitstatus == 0:
        if config.args == ["tests/faults"] and not config.getoption("keyword") and not config.getoption("markexpr"):
            report.write(seconds=time.monotonic() - _began)
        else:
            report.renew()
        terminalreporter.write_line(f"Written to {report.PAGE.relative_to(report.ROOT)}.")
