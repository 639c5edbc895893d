"""What a message would cost, before it is sent and on the message itself."""

import pytest

from crm.models import Message
from tests.crm.api.conftest import approve

pytestmark = pytest.mark.django_db


def body(**content):
    return {"client_id": "0192d3a0-0000-7000-8000-000000000001", **content}


def test_an_estimate_says_the_price_and_sends_nothing(api, ours, our_talk):
    approve(ours, "oferta", "Hola", category="MARKETING")
    client = api(ours.ana)
    text = client.post(f"{our_talk.url}estimate/", body(type="text", text={"body": "Hola"}), format="json")
    assert text.status_code == 200
    assert text.json() == {
        "amount": "0.03000", "currency": "USD", "category": "service", "country": "PE", "market": "Peru",
        "free_entry": False,
    }  # fmt: skip
    offer = client.post(
        f"{our_talk.url}estimate/", body(type="template", template={"name": "oferta", "language": "es"}), format="json"
    )
    assert (offer.json()["amount"], offer.json()["category"]) == ("0.07030", "marketing")
    with ours.transaction():
        assert not Message.objects.filter(direction="outbound").exists()


def test_what_could_not_be_sent_has_no_price(api, ours, our_talk):
    sent = body(type="template", template={"name": "nobody", "language": "es"})
    answer = api(ours.ana).post(f"{our_talk.url}estimate/", sent, format="json")
    assert answer.status_code == 422


def test_a_message_that_was_sent_shows_what_is_expected_until_it_is_known(api, ours, our_talk):
    answer = api(ours.ana).post(f"{our_talk.url}messages/", body(type="text", text={"body": "Hola"}), format="json")
    expected = {"amount": "0.03000", "currency": "USD", "category": "service", "estimated": True}
    assert answer.json()["cost"] == expected
