"""Deliveries that no documentation describes: nothing is raised, and nothing costs what stands beside it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.whatsapp.payloads import NAMES, body, document
from whatsapp.events import MalformedBody, MessageReceived, Notice, StatusChanged, Unrecognised
from whatsapp.providers.cloud.webhook import parse


def text(number: int = 1, **changes: Any) -> dict[str, Any]:
    message = {
        "from": "51900555014",
        "id": f"wamid.{number}",
        "timestamp": "1763726400",
        "type": "text",
        "text": {"body": "hola"},
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not ...}


def delivered(*messages: Any, **value: Any) -> bytes:
    content = {"metadata": {"phone_number_id": "100"}, "messages": list(messages), **value}
    return json.dumps({"entry": [{"id": "1", "changes": [{"field": "messages", "value": content}]}]}).encode()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b"<html>",
        b'{"entry": [}',
        b"\xff\xfe\x00",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"entry":' * 50_000,
    ],
)
def test_what_is_no_object_is_malformed(garbage):
    with pytest.raises(MalformedBody):
        parse(garbage)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "text",
        7,
        [],
        {},
        text(type=["text"]),
        text(type={"a": 1}),
        text(type=None),
        text(type=7),
        text(type=""),
        text(type="t" * 65),
        text(id=None),
        text(id=""),
        text(id={}),
        text(id="w" * 513),
        text(**{"from": None}),
        text(**{"from": ""}),
        text(**{"from": []}),
        text(timestamp=None),
        text(timestamp="yesterday"),
        text(timestamp="²"),
        text(timestamp=True),
        text(timestamp=-1),
        text(timestamp="0"),
        text(timestamp=10**30),
        text(timestamp="9" * 5000),
        text(type="reaction"),
        text(type="reaction", reaction=[]),
        text(type="edit", edit={"original_message_id": "wamid.0"}),
        text(type="revoke", revoke="wamid.0"),
        text(type="system", system={"type": []}, **{"from": ...}),
        text(type="system", system={"type": "user_changed_user_id"}, **{"from": ...}),
    ],
)
def test_a_broken_message_costs_itself_alone(broken):
    before, between, after = parse(delivered(text(1), broken, text(2)))

    assert (before.message_id, after.message_id) == ("wamid.1", "wamid.2")
    assert isinstance(between, Unrecognised)
    assert between.number_id == "100"


@pytest.mark.parametrize("body_of_text", [None, [], "hola", 7, {"body": 7}, {"body": None}, {}])
def test_a_message_whose_words_are_no_words_is_still_a_message(body_of_text):
    (message,) = parse(delivered(text(text=body_of_text)))

    assert isinstance(message, MessageReceived)
    assert message.text == ""


@pytest.mark.parametrize(("origin", "known"), [("contact_request", "51900555014"), ("other", None)])
def test_a_phone_that_we_asked_for_is_the_senders_own(origin, known):
    card = {"origin": origin, "phones": [{"phone": "+51 900 555 014", "wa_id": "51900555014", "type": "CELL"}]}
    nameless = {
        "id": "wamid.C",
        "timestamp": "1764000000",
        "from_user_id": "PE.1",
        "type": "contacts",
        "contacts": [card],
    }

    (message,) = parse(delivered(nameless, contacts=[{"user_id": "PE.1"}]))

    assert (message.sender.bsuid, message.sender.phone) == ("PE.1", known)


@pytest.mark.parametrize("contacts", [None, {}, "x", [None], [[]], [{"wa_id": []}], [{"profile": "Ana"}], [7] * 3])
def test_missing_or_broken_contacts_cost_no_message(contacts):
    (message,) = parse(delivered(text(), contacts=contacts))

    assert message.sender.phone == "51900555014"


@pytest.mark.parametrize(
    "part", ["context", "referral", "errors", "group_id", "from_user_id", "from_parent_user_id", "image"]
)
@pytest.mark.parametrize("value", [None, [], {}, "x", 7, [None], {"id": []}, True])
def test_a_broken_part_costs_no_message(part, value):
    (message,) = parse(delivered(text(type="image", **{"image": {"id": "1"}, part: value})))

    assert message.message_id == "wamid.1"


def test_milliseconds_are_seconds_all_the_same():
    seconds, milliseconds, number = parse(
        delivered(text(1), text(2, timestamp="1763726400000"), text(3, timestamp=1763726400))
    )

    assert seconds.sent_at == milliseconds.sent_at == number.sent_at


def test_a_sender_named_by_the_only_contact():
    (message,) = parse(delivered(text(**{"from": ...}), contacts=[{"user_id": "PE.1", "profile": {"name": "Ana"}}]))

    assert (message.sender.bsuid, message.sender.profile_name) == ("PE.1", "Ana")


def test_two_people_never_become_one():
    contacts = [{"wa_id": "51900555015", "user_id": "PE.OTHER", "profile": {"name": "Somebody else"}}]

    (message,) = parse(delivered(text(), contacts=contacts))

    assert (message.sender.phone, message.sender.bsuid, message.sender.profile_name) == ("51900555014", None, None)


def test_a_contact_that_contradicts_the_message_completes_nothing():
    contacts = [{"wa_id": "51900555014", "user_id": "PE.OLD", "profile": {"name": "Old"}}]

    (message,) = parse(delivered(text(from_user_id="PE.NEW"), contacts=contacts))

    assert (message.sender.bsuid, message.sender.profile_name) == ("PE.NEW", None)


def test_the_only_contact_in_another_national_spelling_is_the_sender():
    contacts = [{"wa_id": "5511981234567", "user_id": "BR.1", "profile": {"name": "Bia"}}]

    (message,) = parse(delivered(text(**{"from": "551181234567"}), contacts=contacts))

    assert (message.sender.phone, message.sender.bsuid, message.sender.profile_name) == ("551181234567", "BR.1", "Bia")


def test_a_user_id_in_the_place_of_the_phone_is_a_user_id():
    (message,) = parse(delivered(text(**{"from": "PE.13491208655302741918"})))

    assert (message.sender.phone, message.sender.bsuid) == (None, "PE.13491208655302741918")


def test_nothing_in_it_can_hurt_the_database():
    dirty = text(text={"body": "a\x00b\ud83dc", "k\x00ey": ["\udc00", "🥾"]}, from_user_id="PE.\x001")

    (message,) = parse(delivered(dirty, contacts=[{"wa_id": "51900555014", "profile": {"name": "A\x00na\ud800"}}]))

    assert message.text == "ab\ufffdc"
    assert message.payload == {"body": "ab\ufffdc", "key": ["\ufffd", "🥾"]}
    assert (message.sender.profile_name, message.sender.bsuid) == ("Ana\ufffd", "PE.1")


def test_a_form_cannot_smuggle_them_in_either():
    answer = json.dumps({"na\x00me": "a\x00\ud800"})
    reply = {"type": "nfm_reply", "nfm_reply": {"response_json": answer}}

    (message,) = parse(delivered(text(type="interactive", interactive=reply)))

    assert message.text == "name: a\ufffd"


def test_raw_control_characters_and_bad_utf8_lose_nothing():
    odd = delivered(text()).replace(b"hola", b"ho\x00\n\xffla")

    (message,) = parse(odd)

    assert message.text == "ho\n\ufffdla"


def test_numbers_beyond_measure_stay_readable_and_storable():
    huge = delivered(text(1, x=1), text(2)).replace(b'"x": 1', b'"x": ' + b"9" * 10_000)
    infinite = delivered(text(type="location", location={"latitude": 1.5})).replace(b"1.5", b"1e999")
    no_number = delivered(text(type="location", location={"latitude": 1.5})).replace(b"1.5", b"NaN")

    assert [message.message_id for message in parse(huge)] == ["wamid.1", "wamid.2"]
    assert parse(infinite)[0].payload == {"latitude": "1e999"}
    assert parse(no_number)[0].payload == {"latitude": None}


def test_deep_nesting_costs_itself_alone():
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep]

    spoiled, fine = parse(delivered(text(1, text={"body": deep}), text(2)))

    assert isinstance(spoiled, Unrecognised)
    assert spoiled.value is None
    assert fine.message_id == "wamid.2"


def test_every_change_is_routed_by_its_own_number():
    def change(number_id: str, *messages: Any) -> dict[str, Any]:
        return {"field": "messages", "value": {"metadata": {"phone_number_id": number_id}, "messages": messages}}

    entries = [
        {"id": "1", "changes": [change("100", text(1)), change("200", text(2))]},
        {"id": "2", "changes": [change("300", text(3), text(4))]},
    ]

    messages = parse(json.dumps({"entry": entries}).encode())

    assert [(message.number_id, message.message_id) for message in messages] == [
        ("100", "wamid.1"),
        ("200", "wamid.2"),
        ("300", "wamid.3"),
        ("300", "wamid.4"),
    ]


@pytest.mark.parametrize("metadata", [None, [], {}, "100", {"phone_number_id": None}, {"phone_number_id": ""}])
def test_messages_of_no_number_are_kept_and_not_guessed(metadata):
    (unread,) = parse(delivered(text(), metadata=metadata))

    assert isinstance(unread, Unrecognised)
    assert unread.value["messages"][0]["id"] == "wamid.1"


def test_a_thousand_updates_come_out_in_their_order():
    statuses = [
        {"id": f"wamid.{n}", "status": "read", "timestamp": "1763726400", "recipient_id": "51900555014"}
        for n in range(500)
    ]

    happenings = parse(delivered(*(text(n) for n in range(500)), statuses=statuses))

    assert [happening.message_id for happening in happenings] == [f"wamid.{n}" for n in range(500)] * 2
    assert isinstance(happenings[-1], StatusChanged)


def test_messages_statuses_and_errors_in_one_value_all_count():
    happenings = parse(
        delivered(text(), statuses=[{"id": "w", "status": "sent", "timestamp": "1763726400"}], errors=[{"code": 1}])
    )

    assert [type(happening) for happening in happenings] == [MessageReceived, StatusChanged, Notice]


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"entry": None},
        {"entry": {}},
        {"entry": [None]},
        {"entry": [{"changes": {}}]},
        {"entry": [{"changes": [None]}]},
        {"entry": [{"changes": [{"field": ["messages"], "value": {}}]}]},
        {"entry": [{"changes": [{"field": "messages", "value": []}]}]},
        {"entry": [{"changes": [{"field": "messages", "value": {"metadata": {"phone_number_id": "1"}}}]}]},
        {"entry": [{"changes": [{"field": "message_echoes", "value": {"message_echoes": {}}}]}]},
    ],
)
def test_an_envelope_of_another_shape_is_never_silence(strange):
    happenings = parse(json.dumps(strange).encode())

    assert [type(happening) for happening in happenings] == [Unrecognised]


def test_an_empty_delivery_says_nothing():
    assert parse(b'{"object":"whatsapp_business_account","entry":[]}') == []
    assert parse(delivered()) == []


def is_storable(value: Any) -> bool:
    written = json.dumps(value, allow_nan=False, ensure_ascii=False, default=str)
    return "\\u0000" not in written and bool(written.encode())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# Lets a mutation hit words that the parser branches on.
telling = anything | st.sampled_from(["system", "reaction", "edit", "interactive", "nfm_reply", "group", "", "1e400"])


def assert_reads_without_a_fault(delivery: bytes) -> None:
    for happening in parse(delivery):
        assert not (isinstance(happening, Unrecognised) and happening.reason.endswith("while reading")), happening
        for part in ("payload", "value", "text", "message_id", "sender"):
            assert is_storable(getattr(happening, part, None))


@settings(max_examples=150, deadline=None)
@given(anything)
def test_any_json_is_read_without_raising(value):
    try:
        assert_reads_without_a_fault(json.dumps(value).encode())
    except MalformedBody:
        assert not isinstance(value, dict)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), st.data())
def test_any_recorded_delivery_with_one_part_replaced_is_read_without_raising(name, data):
    mutated = document(name)
    slots = [(holder, key) for holder, key in places(mutated)]
    holder, key = data.draw(st.sampled_from(slots))
    holder[key] = data.draw(telling)

    assert_reads_without_a_fault(json.dumps(mutated).encode())


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document where something else could stand."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in pairs] + [place for _, inner in pairs for place in places(inner)]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_any_bytes_in_a_delivery_are_read_or_malformed(name, data):
    delivery = bytearray(body(name))
    for _ in range(data.draw(st.integers(1, 4))):
        delivery[data.draw(st.integers(0, len(delivery) - 1))] = data.draw(st.integers(0, 255))

    with suppress(MalformedBody):
        assert_reads_without_a_fault(bytes(delivery))
