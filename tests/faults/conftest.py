"""The stage and the scale."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.stage import Stage


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
