"""A company whose number is the simulated WhatsApp's, and the page that connects and checks it."""

import re
from typing import Any

from django.test import Client

from tenants.models import Membership
from tests.cast import Company
from tests.whatsapp.simulator.conftest import NUMBER, TOKEN
from whatsapp.models import Number
from whatsapp.simulator.process import Simulator

ENGLISH = {"accept-language": "en"}
ACCOUNT = "300000000000001"


def at_the_simulator(company: Company, simulator: Simulator, settings: Any, app_url: str) -> Number:
    """The company's number with the simulated token, everything in place but the real message."""
    settings.GRAPH_API_URL, settings.BASE_URL = simulator.url, app_url
    settings.META_VERIFY_TOKEN = "local-verify-token"
    with company.transaction():
        company.number.token = TOKEN
        company.number.save(update_fields=["token"])
    return company.number


def breaks(simulator: Simulator, **conditions: Any) -> dict[str, Any]:
    return simulator.call("POST", "/control/numbers", {"phone_number_id": NUMBER, **conditions})


def signed_in(client: Client, membership: Membership) -> Client:
    client.force_login(membership.user)
    return client


def checks_in(page: str) -> dict[str, tuple[str, str]]:
    """kind → (state, everything the page says about it)."""
    items = re.findall(r'<li data-kind="(\w+)" data-state="(\w+)">(.*?)</li>', page, re.S)
    return {kind: (state, re.sub(r"<[^>]+>", " ", said)) for kind, state, said in items}
