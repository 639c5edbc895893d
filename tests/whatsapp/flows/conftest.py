from typing import Any

import pytest

from tests.cast import Company
from tests.whatsapp.flows.phone import SECRET, Phone
from whatsapp.flows import keys
from whatsapp.models import FlowKey


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.META_APP_SECRET = SECRET


@pytest.fixture
def key(ours: Company) -> FlowKey:
    """A key that is made and not yet uploaded: it opens all the same."""
    with ours.transaction():
        return keys.prepare(number=ours.number)


@pytest.fixture
def phone(key: FlowKey) -> Phone:
    return Phone(key.public_key)
