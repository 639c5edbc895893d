"""The stage, the scale, and the table at the end."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import report
from tests.faults.stage import Stage

_began = time.monotonic()


class Scale:
    """`scale(small, full)` picks the number for this run."""

    def __init__(self, *, is_full: bool) -> None:
        self.is_full = is_full

    def __call__(self, small: Any, full: Any) -> Any:
        return full if self.is_full else small


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    return Scale(is_full=pytestconfig.getoption("--faults"))


@pytest.fixture(scope="session")
def _stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    """Empty, with both servers running whatever the last test did to them."""
    for server in (_stage.servers.postgres, _stage.servers.redis):
        if not server.answers():
            server.start()
    _stage.empty()
    return _stage


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    if not report.rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(report.table())
    # Only a whole run that passed is worth a page.
    if config.getoption("--faults") and exitstatus == 0 and config.args == ["tests/faults"]:
        report.write(seconds=time.monotonic() - _began)
        terminalreporter.write_line(f"Written to {report.PAGE.relative_to(report.ROOT)}.")
