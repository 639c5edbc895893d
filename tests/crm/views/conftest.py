"""The simulated WhatsApp, for the pages that speak with it."""

import pytest
from django.utils import timezone

from tests.crm.views.talk import conversation
from tests.whatsapp.simulator.conftest import application, running, simulator  # noqa: F401


@pytest.fixture
def rosa(ours):
    with ours.transaction():
        return conversation(ours, "Rosa Quispe", now=timezone.now())


@pytest.fixture
def ana(client, ours):
    client.force_login(ours.ana.user)
    return client
