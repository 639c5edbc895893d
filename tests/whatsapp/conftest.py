from collections.abc import AsyncIterator

import httpx
import pytest

from tests.whatsapp.doors import client_of, close
from whatsapp.intake import Intake


@pytest.fixture
def rung() -> list[str]:
    """One for each time that the intake's bell was rung."""
    return []


@pytest.fixture
async def door(committed: None, rung: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    """The intake in this process, without anything around it."""
    application = Intake(ring=lambda: rung.append("ding"))
    async with client_of(application) as client:
        yield client
    await close(application)
