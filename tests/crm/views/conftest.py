"""Who looks at the pages, and the simulated WhatsApp for those that speak with it."""

import pytest
from django.utils import timezone

from tests.crm.views.talk import conversation
from tests.whatsapp.simulator.conftest import application, running, simulator  # noqa: F401


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def rosa(ours, now):
    with ours.transaction():
        return conversation(ours, "Rosa Quispe", now=now)


@pytest.fixture
def ana(client, ours):
    client.force_login(ours.ana.user)
    return client


@pytest.fixture
def supervisor(client, ours):
    client.force_login(ours.supervisor.user)
    return client
