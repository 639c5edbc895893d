"""Customers write: every type in Meta's shape, signed, repeated until it is taken."""

import json

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN, Application, Business
from whatsapp.simulator.process import Refused, Simulator, wait_until
from whatsapp.simulator.settings import Settings

CUSTOMER = "51912345678"
TARGET = "wamid.HBgLTEST"


def test_a_text_arrives_signed_with_its_sender_and_number(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, name="María Ñuñez", text="¿Envían a Ñuñoa?")

    message = application.message(wamid)
    (value,) = application.values()
    assert value["metadata"]["phone_number_id"] == NUMBER
    assert value["contacts"][0]["wa_id"] == CUSTOMER
    assert value["contacts"][0]["profile"] == {"name": "María Ñuñez"}
    assert (message["from"], message["type"], message["text"]) == (CUSTOMER, "text", {"body": "¿Envían a Ñuñoa?"})
    assert message["timestamp"].isdigit()
    assert b"\\u00bfEnv" in application.raw[0] and application.raw[0].isascii()
    assert application.forged == 0


@pytest.mark.parametrize(
    ("spec", "kind", "keys"),
    [
        ({"type": "image", "text": "Mira"}, "image", {"id", "mime_type", "sha256", "caption"}),
        ({"type": "voice"}, "audio", {"id", "mime_type", "sha256", "voice"}),
        ({"type": "video"}, "video", {"id", "mime_type", "sha256"}),
        ({"type": "document"}, "document", {"id", "mime_type", "sha256", "filename"}),
        ({"type": "sticker"}, "sticker", {"id", "mime_type", "sha256", "animated"}),
        ({"type": "location"}, "location", {"latitude", "longitude", "name", "address"}),
        ({"type": "button", "text": "Sí", "reply_to": TARGET}, "button", {"payload", "text"}),
        ({"type": "button_reply", "title": "Sí"}, "interactive", {"type", "button_reply"}),
        ({"type": "list_reply", "title": "43"}, "interactive", {"type", "list_reply"}),
        ({"type": "flow", "response": {"talla": "43"}}, "interactive", {"type", "nfm_reply"}),
        ({"type": "reaction", "message_id": TARGET, "emoji": "🔥"}, "reaction", {"message_id", "emoji"}),
        ({"type": "reaction", "message_id": TARGET, "emoji": ""}, "reaction", {"message_id"}),
        ({"type": "order"}, "order", {"catalog_id", "text", "product_items"}),
        ({"type": "system", "new_phone": "51911111111"}, "system", {"type", "body", "wa_id"}),
        ({"type": "edit", "message_id": TARGET, "text": "43"}, "edit", {"original_message_id", "message"}),
        ({"type": "revoke", "message_id": TARGET}, "revoke", {"original_message_id"}),
        ({"type": "unsupported"}, "unsupported", {"type"}),
        ({"type": "hologram", "hologram": {"depth": 3}}, "hologram", {"depth"}),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else "",
)
def test_each_type_has_metas_shape(simulator: Simulator, application: Application, spec: dict, kind: str, keys: set):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, name="Diego", **spec)

    message = application.message(wamid)
    assert message["type"] == kind
    assert message[kind].keys() == keys
    assert ("contacts" in application.values()[0]) == (kind != "system")


def test_shared_contacts_are_a_list(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, type="contacts", text="Rosa Quispe")

    (card,) = application.message(wamid)["contacts"]
    assert card["name"]["formatted_name"] == "Rosa Quispe"
    assert card["phones"][0]["wa_id"]


def test_an_unsupported_message_carries_the_error(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, type="unsupported")

    assert application.message(wamid)["errors"][0]["code"] == 131051


def test_a_reply_from_an_ad_carries_both(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(
        phone_number_id=NUMBER, sender=CUSTOMER, text="Vi el anuncio", reply_to=TARGET, referral=True, forwarded=True
    )

    message = application.message(wamid)
    assert message["context"] == {"from": "5117001001", "id": TARGET, "forwarded": True}
    assert message["referral"]["source_type"] == "ad" and message["referral"]["ctwa_clid"]


def test_a_person_may_have_no_phone(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, bsuid="PE.42", username="sofi", name="Sofía", text="Hola")

    message = application.message(wamid)
    (contact,) = application.values()[0]["contacts"]
    assert "from" not in message and message["from_user_id"] == "PE.42"
    assert contact == {"profile": {"name": "Sofía", "username": "sofi"}, "user_id": "PE.42"}


def test_a_person_of_linked_portfolios_has_a_parent_id(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, bsuid="PE.42", parent_bsuid="PE.ENT.7", text="Hola")

    message = application.message(wamid)
    (contact,) = application.values()[0]["contacts"]
    assert message["from_parent_user_id"] == contact["parent_user_id"] == "PE.ENT.7"


def test_what_the_phone_app_sends_is_echoed(simulator: Simulator, application: Application):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, to=CUSTOMER, text="Desde el celular", echo=True)

    wait_until(lambda: application.values("smb_message_echoes"))
    (echo,) = application.values("smb_message_echoes")[0]["message_echoes"]
    assert (echo["id"], echo["from"], echo["to"]) == (wamid, "5117001001", CUSTOMER)


def test_stopping_marketing_is_a_preference(simulator: Simulator, application: Application):
    simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, preference="stop")

    wait_until(lambda: application.values("user_preferences"))
    (preference,) = application.values("user_preferences")[0]["user_preferences"]
    assert (preference["value"], preference["category"], preference["wa_id"]) == (
        "stop",
        "marketing_messages",
        CUSTOMER,
    )


def test_any_other_field_can_be_posted(simulator: Simulator, application: Application):
    news = {"event": "PAUSED", "message_template_name": "carrito_v3"}

    simulator.inbound(phone_number_id=NUMBER, field="message_template_status_update", value=news)

    wait_until(lambda: application.values("message_template_status_update") == [news])
    assert application.received[0]["entry"][0]["id"] == "300000000000001"
    assert application.received[0]["entry"][0]["time"] > 0


def test_a_literal_body_is_posted_as_it_is(simulator: Simulator, application: Application):
    body = '{"object": "whatsapp_business_account",  "entry": []}'

    simulator.inbound(raw=body)

    wait_until(lambda: application.raw == [body.encode()])
    assert application.forged == 0


def test_a_burst_can_come_in_one_delivery(simulator: Simulator, application: Application):
    simulator.faults(batch=50)

    wamids = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="hola {n}", count=120)

    wait_until(lambda: len(application.messages()) == 120)
    assert {message["id"] for message in application.messages()} == set(wamids)
    assert len(application.received) <= 4
    assert application.messages()[119]["text"]["body"].startswith("hola ")


def test_a_refused_webhook_comes_again(simulator: Simulator, application: Application):
    application.answers = [503, 401]

    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="¿Hola?")

    assert application.message(wamid)
    assert application.answers == []


def test_no_webhook_waits_because_an_idle_connection_was_closed(simulator: Simulator, application: Application):
    application.hangs_up = True
    failed = simulator.call("GET", "/control/state")["webhooks"]["failed_tries"]

    for _ in range(2 * Settings.connections):  # each of them has met a closed one then
        (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="¿Hola?")
        assert application.message(wamid)

    assert simulator.call("GET", "/control/state")["webhooks"]["failed_tries"] == failed


def test_what_cannot_be_written_is_explained(simulator: Simulator):
    with pytest.raises(Refused) as refused:
        simulator.inbound(phone_number_id=NUMBER, text="nadie")

    assert refused.value.status == 400 and "from" in refused.value.body["error"]


def test_past_talk_opens_the_window_without_a_webhook(
    simulator: Simulator, business: Business, application: Application
):
    now = simulator.call("GET", "/control/clock")["timestamp"]
    past = [{"direction": "inbound", "text": "Hola", "at": now - 3600}, {"direction": "outbound", "text": "¿Sí?"}]
    simulator.call(
        "POST", "/control/history", {"phone_number_id": NUMBER, "from": CUSTOMER, "name": "Diego", "messages": past}
    )

    wamid = business.text(CUSTOMER)

    wait_until(lambda: "delivered" in application.names_of(wamid))
    assert application.messages() == []


def test_the_phone_keeps_its_threads_over_a_restart(application: Application, tmp_path):
    state = tmp_path / "simulator.json"
    with Simulator(app_url=application.url, state_path=state) as before:
        before.inbound(phone_number_id=NUMBER, sender=CUSTOMER, name="Diego", text="Hola")

    saved = json.loads(state.read_text())
    with Simulator(app_url=application.url, state_path=state) as after:
        after.call("POST", f"/v25.0/{NUMBER}/messages", {
            "messaging_product": "whatsapp", "to": f"+{CUSTOMER}", "type": "text", "text": {"body": "x"},
        }, token=TOKEN)  # fmt: skip
        restored = after.call("GET", "/control/state")["threads"]
        state.write_text("{not json")

    assert [bubble["text"] for bubble in saved["threads"][0]["bubbles"]] == ["Hola"]
    assert restored == 1


def test_an_unreadable_state_is_set_aside(application: Application, tmp_path):
    state = tmp_path / "simulator.json"
    state.write_text("{not json")

    with Simulator(app_url=application.url, state_path=state) as simulator:
        assert simulator.call("GET", "/control/state")["threads"] == 0

    assert state.with_suffix(".unreadable").exists()
