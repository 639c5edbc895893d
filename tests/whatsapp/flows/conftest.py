from collections.abc import Iterator
from typing import Any

import pytest

from tests.cast import Company
from tests.whatsapp.flows.phone import SECRET, Phone
from whatsapp.flows import keys
from whatsapp.models import FlowKey, Number
from whatsapp.simulator.process import Simulator


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


@pytest.fixture(scope="session")
def running() -> Iterator[Simulator]:
    with Simulator(app_url="http://127.0.0.1:9") as simulator:
        yield simulator


@pytest.fixture
def whatsapp(running: Simulator, ours: Company, settings: Any) -> Simulator:
    """The simulated WhatsApp, for which our number has the right token."""
    running.reset()
    settings.GRAPH_API_URL = running.url
    with ours.transaction():
        number = Number.objects.get(pk=ours.number.pk)
        number.token, number.waba_id = "EAAsim-demo-ventas-000001", "300000000000001"
        number.save(update_fields=["token", "waba_id"])
    return running
