"""A card has the shape that WhatsApp shows with a button to write to the person."""

import pytest

from whatsapp import cards
from whatsapp.outgoing import Contacts, from_payload
from whatsapp.phones import NotAPhone

ROSA = cards.card(name="Rosa Quispe Mamani", phone="900 555 014", company="Nube", email="rosa@nube.test", country="PE")


def test_a_name_and_a_phone_are_enough():
    assert cards.card(name=" Rosa ", phone="+51 900 555 014") == {
        "name": {"formatted_name": "Rosa", "first_name": "Rosa"},
        "phones": [{"phone": "+51900555014", "wa_id": "51900555014", "type": "CELL"}],
    }
    assert ROSA["name"] == {"formatted_name": "Rosa Quispe Mamani", "first_name": "Rosa", "last_name": "Quispe Mamani"}
    assert ROSA["org"] == {"company": "Nube"} and ROSA["emails"] == [{"email": "rosa@nube.test", "type": "WORK"}]


def test_what_is_no_phone_makes_no_card():
    with pytest.raises(NotAPhone):
        cards.card(name="Rosa", phone="555")


def test_cards_survive_their_row_and_are_known_by_their_names():
    both = Contacts([ROSA, cards.card(name="Luis", phone="+51 900 555 015")])

    assert cards.fault(both) == ""
    assert from_payload("contacts", both.as_payload()) == both
    assert both.text_shown == "Rosa Quispe Mamani, Luis"
    assert cards.in_words(both) == "Rosa Quispe Mamani +51900555014\nLuis +51900555015"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([], cards.NO_CARD),
        ([ROSA] * 258, cards.NO_CARD),
        ([ROSA | {"name": {"first_name": "Rosa"}}], cards.NO_NAME),
        ([ROSA | {"name": {"formatted_name": "Rosa"}}], cards.NO_NAME),
        ([ROSA | {"name": "Rosa"}], cards.NO_NAME),
        ([ROSA | {"phones": [{"wa_id": "51900555014"}]}], cards.NO_PHONE),
        ([ROSA | {"phones": "900"}], cards.NO_PHONE),
    ],
)
def test_what_whatsapp_would_refuse_is_said_before(given, wrong):
    assert cards.fault(Contacts(given)) == wrong
