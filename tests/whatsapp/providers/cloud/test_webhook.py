"""What Meta may send, read into our vocabulary; and whatever else may come, which must cost nothing around it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.whatsapp.payloads import NAMES, body
from whatsapp.events import (
    Fault,
    IdentityChanged,
    MediaReference,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    Notice,
    Person,
    PreferenceChanged,
    Pricing,
    Reacted,
    StatusChanged,
    Unrecognised,
)
from whatsapp.providers.cloud.webhook import handshake, parse, verify

NUMBER = "100000000000001"
ANA = Person(phone="51900555014", bsuid="PE.13491208655302741918", profile_name="Ana Quispe")
THEN = datetime(2025, 11, 21, 12, tzinfo=UTC)


def read(name: str) -> Any:
    """The only happening of a recorded delivery."""
    (happening,) = parse(body(name))
    return happening


# Signature and handshake


@pytest.mark.parametrize(
    ("delivery", "digest"),
    [
        (
            b'{"object":"whatsapp_business_account","entry":[]}',
            "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        ),
        (
            b'{"object": "whatsapp_business_account", "entry": []}',
            "56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a",
        ),
    ],
)
def test_a_signature_of_the_very_bytes_is_genuine(delivery, digest):
    assert verify("test_app_secret", f"sha256={digest}", delivery)
    assert not verify("another secret", f"sha256={digest}", delivery)
    assert not verify("test_app_secret", f"sha256={digest}", delivery + b" ")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        "sha1=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        "sha256=DEC6A680679A968E7E0319355B23599CBFC54502C0784668E9618BAA0C633756",
        "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c63375",
        "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756\n",
        " sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c63375é",
    ],
)
def test_a_signature_in_any_other_form_is_none(header):
    assert not verify("test_app_secret", header, b'{"object":"whatsapp_business_account","entry":[]}')


def test_without_a_secret_nothing_is_genuine():
    empty_key = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"  # HMAC-SHA256 of nothing by nothing

    assert not verify("", f"sha256={empty_key}", b"")


def test_the_handshake_gives_back_the_challenge_as_it_came():
    asked = {"hub.mode": "subscribe", "hub.challenge": "00115", "hub.verify_token": "ours"}

    assert handshake(asked, "ours") == "00115"


@pytest.mark.parametrize(
    ("changed", "token"),
    [
        ({"hub.verify_token": "theirs"}, "ours"),
        ({"hub.verify_token": "ñ\ud800"}, "ours"),
        ({"hub.mode": "unsubscribe"}, "ours"),
        ({"hub.challenge": ""}, "ours"),
        ({"hub.verify_token": ""}, ""),
    ],
)
def test_any_other_handshake_is_refused(changed, token):
    asked = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "ours"}

    assert handshake({**asked, **changed}, token) is None


# Messages


def test_a_text():
    assert read("text") == MessageReceived(
        number_id=NUMBER,
        message_id="wamid.HBgLNTE5MDA1NTUwMTQVAgASGBQzQTdBTEXT1",
        sender=ANA,
        type="text",
        sent_at=THEN,
        text="Hola, ¿tienen botas talla 38? 🥾",
        payload={"body": "Hola, ¿tienen botas talla 38? 🥾"},
    )


@pytest.mark.parametrize(
    ("name", "type", "text"),
    [
        ("image", "image", "Así llegó"),
        ("video", "video", ""),
        ("audio_voice", "audio", ""),
        ("document", "document", "../../voucher.pdf"),
        ("sticker", "sticker", ""),
        ("location", "location", "Plaza Mayor"),
        ("contacts", "contacts", "Luis Huamán, Rosa"),
        ("button", "button", "Sí, quiero"),
        ("button_reply", "interactive", "Cambiar fecha"),
        ("list_reply", "interactive", "Express"),
        ("flow_reply", "interactive", "nombre: Ana\ntallas: 38, 39"),
        ("call_permission_reply", "interactive", ""),
        ("order", "order", "Para el sábado"),
        ("hologram", "hologram", ""),
        ("call_from_user", "call", ""),
    ],
)
def test_every_type_keeps_its_object_shows_its_words_and_opens_the_window(name, type, text):
    (message,) = [happening for happening in parse(body(name)) if isinstance(happening, MessageReceived)]

    assert (message.type, message.text, message.sender, message.opens_window) == (type, text, ANA, True)
    assert message.payload


@pytest.mark.parametrize("name", ["unsupported", "request_welcome", "group_text"])
def test_what_may_not_count_as_written_opens_no_window(name):
    assert read(name).opens_window is False


def test_a_group_message_says_so():
    assert read("group_text").group_id == "120363-group"


def test_a_reply_names_what_it_quotes():
    assert read("text_reply").quoted_id == "wamid.QUOTED"
    assert read("button").quoted_id == "wamid.TEMPLATE"
    assert read("text_about_product").quoted_id == "wamid.P"


def test_a_forwarded_message_quotes_nothing():
    forwarded = read("text_forwarded")

    assert forwarded.forwarded
    assert forwarded.quoted_id is None


def test_a_message_from_an_ad_keeps_where_it_came_from():
    assert read("text_from_ad").referral["source_id"] == "120226305854810726"


def test_files():
    assert read("image").media == MediaReference(
        id="1003383421387256",
        mime_type="image/jpeg",
        sha256="SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
        url="https://lookaside.example/1003383421387256",
    )
    assert read("audio_voice").media.voice
    assert read("sticker").media.animated
    assert read("document").media.filename == "../../voucher.pdf"
    assert read("text").media is None


def test_contact_cards_stay_a_list():
    assert [card["name"].get("first_name") for card in read("contacts").payload["contacts"]] == ["Luis", "Rosa"]


def test_the_answers_of_a_form_do_not_show_its_token():
    answered = read("flow_reply")

    assert "secret-token" not in answered.text
    assert "flow_token" in answered.payload["nfm_reply"]["response_json"]


def test_what_whatsapp_would_not_hand_over_says_why():
    refused = read("unsupported")

    assert refused.faults == (
        Fault(code=131051, title="Message type unknown", detail="Message type is currently not supported."),
    )
    assert refused.payload == {"type": "poll_creation"}


def test_a_file_that_was_too_large_is_a_message_with_a_fault():
    too_large = read("text_oversized_media_error")

    assert (too_large.type, too_large.media, too_large.faults[0].code) == ("video", None, 131052)


def test_a_person_without_a_phone_is_known_by_the_user_id():
    assert read("text_without_phone").sender == Person(
        bsuid="PE.13491208655302741918", username="ana.q", profile_name="Ana Quispe"
    )


def test_reactions_come_and_go():
    assert read("reaction") == Reacted(
        number_id=NUMBER,
        message_id="wamid.HBgLNTE5MDA1NTUwMTQVAgASGBQzQTdBREACTION1",
        person=ANA,
        target_id="wamid.OURS",
        emoji="👍",
        at=THEN,
    )
    assert read("reaction_removed").emoji == ""


def test_an_edit_brings_the_new_text():
    edited = read("edit")

    assert isinstance(edited, MessageEdited)
    assert (edited.target_id, edited.text, edited.payload, edited.ours) == (
        "wamid.ORIGINAL",
        "Talla 39, perdón",
        {"body": "Talla 39, perdón"},
        False,
    )


def test_a_revocation_names_the_message():
    revoked = read("revoke")

    assert isinstance(revoked, MessageRevoked)
    assert (revoked.target_id, revoked.person) == ("wamid.ORIGINAL", ANA)


def test_a_new_phone_relinks_the_old_one():
    changed = read("system_changed_number")

    assert isinstance(changed, IdentityChanged)
    assert changed.kind == "user_changed_number"
    assert changed.person == Person(phone="51900555099", bsuid="PE.NEW")
    assert changed.previous == Person(phone="51900555014", bsuid="PE.13491208655302741918")


def test_a_new_user_id_comes_without_any_phone():
    changed = read("system_changed_user_id")

    assert changed.person == Person(bsuid="PE.NEW", parent_bsuid="PE.ENT.NEW")
    assert changed.previous == Person(bsuid="PE.OLD", parent_bsuid="PE.ENT.OLD")


def test_a_new_security_code_names_the_person():
    changed = read("system_identity_changed")

    assert changed.person == changed.previous == Person(phone="51900555014")


# Statuses


def test_a_status_with_its_reference_and_price():
    assert read("status_sent") == StatusChanged(
        number_id=NUMBER,
        message_id="wamid.HBgLNTE5MDA1NTUwMTQVAgARGBI5QTNDQTVC",
        status="sent",
        at=datetime(2025, 11, 21, 12, 0, 5, tzinfo=UTC),
        recipient=Person(phone="51900555014"),
        reference="0190c0de.1.a1b2c3d4",
        pricing=Pricing(billable=False, model="PMP", type="free_entry_point", category="referral_conversion"),
    )


def test_a_failure_keeps_its_errors():
    (fault,) = read("status_failed").faults

    assert fault.code == 131049
    assert fault.detail.startswith("In order to maintain")


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "played", "failed", "warning"])
def test_every_status_word_comes_through(word):
    assert read(f"status_{word}").status == word


def test_in_a_group_the_recipient_is_the_participant():
    assert read("status_group").recipient == Person(phone="51900555014")


# The phone app, preferences, calls


def test_what_was_typed_on_the_phone_is_an_echo():
    assert read("echo_text") == MessageEchoed(
        number_id=NUMBER,
        message_id="wamid.ECHOtext",
        recipient=Person(phone="51900555014"),
        type="text",
        sent_at=THEN,
        text="Ya salió tu pedido",
        payload={"body": "Ya salió tu pedido"},
    )
    assert read("echo_without_phone").recipient == Person(bsuid="PE.1", parent_bsuid="PE.ENT.1")


@pytest.mark.parametrize(
    ("name", "kind"), [("echo_reaction", Reacted), ("echo_edit", MessageEdited), ("echo_revoke", MessageRevoked)]
)
def test_what_was_done_on_the_phone_is_ours(name, kind):
    done = read(name)

    assert isinstance(done, kind)
    assert (done.ours, done.person) == (True, Person(phone="51900555014"))


def test_the_stop_button_is_a_preference():
    assert read("user_preferences") == PreferenceChanged(
        number_id=NUMBER, person=ANA, category="marketing_messages", value="stop", at=THEN
    )


def test_a_call_from_a_person_is_a_notice_and_opens_the_window():
    notice, call = parse(body("call_from_user"))

    assert isinstance(notice, Notice)
    assert (call.type, call.message_id, call.sender, call.opens_window) == ("call", "wacid.1", ANA, True)


def test_the_end_of_a_call_says_how_long_it_was():
    notice, ended = parse(body("call_terminated"))

    assert isinstance(notice, Notice)
    assert (ended.call_id, ended.answered, ended.seconds, ended.person.phone) == ("wacid.1", True, 60, ANA.phone)


# The account


@pytest.mark.parametrize(
    ("name", "field", "number_id"),
    [
        ("template_status", "message_template_status_update", ""),
        ("template_quality", "message_template_quality_update", ""),
        ("template_category", "template_category_update", ""),
        ("phone_quality", "phone_number_quality_update", ""),
        ("account_update", "account_update", ""),
        ("account_alert", "account_alerts", NUMBER),
        ("capability", "business_capability_update", ""),
    ],
)
def test_what_concerns_the_account_is_a_notice(name, field, number_id):
    notice = read(name)

    assert isinstance(notice, Notice)
    assert (notice.field, notice.account_id, notice.number_id, notice.at) == (
        field,
        "102290129340398",
        number_id,
        THEN,
    )


def test_errors_of_the_number_are_a_notice():
    notice = read("errors")

    assert (notice.field, notice.number_id, notice.value["errors"][0]["code"]) == ("messages", NUMBER, 131000)


def test_the_past_of_a_phone_comes_as_its_messages():
    notice, remembered = parse(body("history"))

    assert notice.value["history"] == [{"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}}]
    assert (remembered.message_id, remembered.text, remembered.ours) == ("wamid.H", "antes", False)
    assert remembered.person == Person(phone="51900555014")


def test_the_address_book_of_a_phone_names_people():
    notice, named = parse(body("app_state_sync"))

    assert notice.value["state_sync"]
    assert (named.name, named.person, named.at) == ("Ana", Person(phone="51900555014"), THEN)


def test_a_field_that_is_new_is_shown_as_such():
    unknown = read("new_field")

    assert isinstance(unknown, Unrecognised)
    assert (unknown.field, unknown.number_id, unknown.value["thought"]) == ("telepathy", NUMBER, "hola")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "new_field"])
def test_every_recorded_delivery_is_understood(name):
    assert not [happening for happening in parse(body(name)) if isinstance(happening, Unrecognised)]
