"""A person's parts are taken out of a delivery, and nobody else's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import meta
from whatsapp.events import MessageReceived
from whatsapp.providers.base import Erased
from whatsapp.providers.cloud.erasing import without
from whatsapp.providers.cloud.webhook import parse

ROSA, LUIS = "51900555014", "51900555099"
ERASED = Erased(frozenset({ROSA, "PE.rosa"}), frozenset({"wamid.rosa"}))


def left(*values: dict[str, Any], erased: Erased = ERASED, **options: Any) -> str:
    return without(meta.body(*values, **options), erased).decode()


def value(key: str, *items: dict[str, Any]) -> dict[str, Any]:
    return meta.value(**{key: list(items)})


@pytest.mark.parametrize(
    "item",
    [
        ("messages", {"from": ROSA, "id": "1"}),
        ("messages", {"from_user_id": "PE.rosa", "id": "1", "from": ""}),
        ("message_echoes", {"from": "5115550101", "to": ROSA}),
        ("statuses", {"id": "wamid.rosa", "status": "read"}),
        ("statuses", {"id": "2", "recipient_id": int(ROSA)}),
        ("statuses", {"id": "2", "recipient_user_id": "PE.rosa"}),
        ("user_preferences", {"wa_id": ROSA, "value": "stop"}),
        ("calls", {"id": "3", "from": "5115550101", "to": f"+{ROSA}"}),
        ("state_sync", {"type": "contact", "contact": {"full_name": "Rosa", "phone_number": ROSA}}),
        ("history", {"threads": [{"id": ROSA, "messages": [{"from": "5115550101", "id": "4"}]}]}),
        ("groups", {"added_participants": [{"wa_id": ROSA}]}),
        ("contacts", {"profile": {"name": "Rosa"}, "wa_id": ROSA}),
    ],
)
def test_each_part_that_is_theirs_goes(item):
    said = left(value(*item))

    assert not [word for word in (ROSA, "PE.rosa", "wamid.rosa", "Rosa") if word in said]
    assert "100000000000001" in said  # whom it came for stays


def test_a_spelling_of_the_same_phone_is_theirs():
    erased = Erased(frozenset({"5511987550142", "551187550142"}))
    assert "87550142" not in left(value("messages", {"from": "551187550142", "id": "1"}), erased=erased)


def test_what_others_wrote_is_theirs_also_where_it_names_the_person():
    card = {"from": LUIS, "id": "1", "type": "contacts", "contacts": [{"phones": [{"wa_id": ROSA}]}]}
    body = meta.body(value("messages", card))
    assert without(body, ERASED) is body


def test_of_two_in_one_delivery_the_other_is_read_as_before():
    both = meta.messages(meta.text("a", wamid="1", wa_id=ROSA), meta.text("b", wamid="2", wa_id=LUIS))
    before = [each for each in parse(meta.body(both)) if isinstance(each, MessageReceived) and each.message_id == "2"]

    assert parse(left(both).encode()) == before


def test_another_companys_number_keeps_its_part():
    erased = Erased(ERASED.addresses, ERASED.message_ids, frozenset({"100000000000001"}))
    theirs = meta.messages(meta.text("suyo", wa_id=ROSA), number_id="200000000000001")

    said = left(meta.messages(meta.text("nuestro", wa_id=ROSA)), theirs, erased=erased)

    assert "nuestro" not in said and "suyo" in said


def test_what_nobody_can_read_goes_whole():
    assert without(b'{"from": "51900555014', ERASED) == b"{}"
    assert without(b"[" * 100_000, ERASED) == b"{}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ROSA),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["from", "id", "wa_id", "contacts", "messages", "x"]), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(JSON)
def test_any_json_is_looked_through_without_raising(found):
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": found}]}]}).encode()
    once = without(body, ERASED)
    assert without(once, ERASED) == once
    parse(once)
