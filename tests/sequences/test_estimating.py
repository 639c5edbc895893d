"""What a sequence will cost one person, by what its steps may be sent as."""

from decimal import Decimal

import pytest
from django.test import Client

from sequences import estimating, forms
from tests.crm.views.talk import NOON
from tests.sequences.conftest import approve, build, step

pytestmark = pytest.mark.django_db


def estimate(ours, *steps):
    with ours.transaction():
        sequence = build(ours, *steps)
        shown = forms.shown_steps(sequence.version.definition, [])
        return estimating.of_steps(shown, ours.tenant, NOON), shown


def test_open_windows_cost_replies_and_closed_ones_templates(ours):
    with ours.transaction():
        approve(ours)
    ours.tenant.default_country = "PE"
    found, shown = estimate(ours, step(template="carrito"), step("hola", is_manual=True), step("sin plantilla"))
    reply, marketing = Decimal(shown[0]["reply_price"][3:]), Decimal(shown[0]["template_price"][3:])
    assert 0 < reply < marketing
    assert (found.least, found.most) == (min(reply * 2, marketing), max(reply * 2, marketing))
    assert not found.is_one


def test_a_country_without_a_rate_is_said_to_have_none_and_never_nothing(ours):
    ours.tenant.default_country = ""
    found, shown = estimate(ours, step())
    assert (found.least, found.most, shown[0]["reply_price"]) == (None, None, "unknown price")


def test_the_editor_says_it(ours):
    with ours.transaction():
        approve(ours)
        ours.tenant.default_country = "PE"
        ours.tenant.save()
        sequence = build(ours, step(template="carrito"))
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(ours.supervisor.user)
    page = client.get(f"/sequences/{sequence.pk}/").content.decode()
    assert "What it costs" in page and "Peru" in page and "US$0.0" in page
