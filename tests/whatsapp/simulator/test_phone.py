"""The customer's phone in the browser, as a person without and with JavaScript meets it; and the people who act on it."""

import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, Application, Business
from tests.whatsapp.simulator.panel import BRUNO, DIEGO, JORGE, page, submit
from whatsapp.simulator.process import Simulator, wait_until


def test_a_person_writes_from_the_page_and_it_reaches_the_application(simulator: Simulator, application: Application):
    html = submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, text="¿Tienen <43>?")

    wait_until(lambda: [one["text"]["body"] for one in application.messages()] == ["¿Tienen <43>?"])
    assert "¿Tienen &lt;43&gt;?" in html
    assert application.values()[0]["contacts"][0]["profile"]["name"] == "Diego Paredes"


def test_the_phone_shows_templates_quotes_and_reactions(simulator: Simulator, business: Business):
    simulator.faults(answering=False)
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="¿Tienen 43?")
    business.text(DIEGO, "Sí hay", context={"message_id": wamid})
    business.post({"to": f"+{DIEGO}", "type": "reaction", "reaction": {"message_id": wamid, "emoji": "🔥"}})
    business.post(
        {
            "to": f"+{DIEGO}",
            "type": "template",
            "template": {
                "name": "encuesta_satisfaccion",
                "language": {"code": "es"},
                "components": [
                    {"type": "body", "parameters": [{"type": "text", "text": one} for one in ("Diego", "NC-1")]}
                ],
            },
        }
    )

    html = page(simulator, number=NUMBER, customer=DIEGO)

    assert re.search(r'wa__quote"><b>Tú</b><span>¿Tienen 43\?', html)
    assert 'aria-label="Reacciones"><span>🔥' in html
    assert "¿cómo te fue con tu compra NC-1?" in html
    assert re.search(r'<button type="submit">.*Muy bien</button>', html)


def test_a_press_sends_where_one_is_or_ones_own_phone(
    simulator: Simulator, business: Business, application: Application
):
    simulator.faults(answering=False)
    simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="hola")
    for kind, name in (("location_request_message", "send_location"), ("request_contact_info", "request_contact_info")):
        asked = {"type": kind, "body": {"text": "¿Para la entrega?"}, "action": {"name": name}}
        business.post({"to": f"+{DIEGO}", "type": "interactive", "interactive": asked})

    html = page(simulator, number=NUMBER, customer=DIEGO)
    for press in re.findall(r'<form method="post" action="/phone/messages" data-live>(.*?)</form>', html):
        if "Enviar ubicación" in press or "Compartir mi número" in press:
            submit(simulator, "/phone/messages", **dict(re.findall(r'name="(\w+)" value="([^"]*)"', press)))

    wait_until(lambda: len(application.messages()) == 3)
    by_type = {message["type"]: message for message in application.messages()}
    assert by_type.keys() == {"text", "location", "contacts"}
    card = by_type["contacts"]
    assert (card["contacts"][0]["origin"], card["contacts"][0]["phones"][0]["wa_id"]) == ("contact_request", DIEGO)
    assert card["context"]["id"]


def test_a_fault_is_set_and_cleared_from_the_page(simulator: Simulator):
    submit(simulator, "/phone/faults", number=NUMBER, customer=DIEGO, name="duplicate", on="1", value="5")
    on = simulator.call("GET", "/control/faults")["duplicate"]
    submit(simulator, "/phone/faults", number=NUMBER, customer=DIEGO, name="duplicate", value="5")

    assert (on, simulator.call("GET", "/control/faults")["duplicate"]) == (5, 1)


def test_the_page_needs_no_inline_code_and_its_files_are_served(simulator: Simulator):
    html = page(simulator)

    assert not re.search(r"<script(?![^>]*src)|<style|\sstyle=|\son\w+=", html)
    for address in re.findall(r'(?:href|src)="(/static/[^"#]+)', html):
        with urllib.request.urlopen(simulator.url + address) as answer:
            assert answer.status == 200


def test_the_stream_says_that_something_changed(simulator: Simulator):
    with urllib.request.urlopen(f"{simulator.url}/phone/stream", timeout=5) as stream:
        first = stream.readline()
        stream.readline(), stream.readline()
        simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="Hola")

        assert first.startswith(b"id: ") and stream.readline() != first


def test_a_scenario_plays_its_first_step_at_once(simulator: Simulator, application: Application):
    submit(simulator, "/phone/scenarios", number=NUMBER, customer=DIEGO, key="opt-out")

    wait_until(lambda: any("botas de lluvia" in one["text"]["body"] for one in application.messages()))


def test_one_customer_blocks_after_two_messages(simulator: Simulator, business: Business, application: Application):
    simulator.faults(answering=False)
    simulator.inbound(phone_number_id=NUMBER, sender=BRUNO, text="precio?")

    wamids = [business.text(BRUNO, f"Mensaje {at}") for at in range(3)]

    wait_until(lambda: all("sent" in application.names_of(one) for one in wamids))
    wait_until(lambda: "read" in application.names_of(wamids[0]))
    assert application.names_of(wamids[2]) == ["sent"]


def test_a_phone_that_is_off_gets_nothing(simulator: Simulator, business: Business, application: Application):
    simulator.inbound(phone_number_id=NUMBER, sender=JORGE, text="Se me acaba la pila")

    wamid, other = business.text(JORGE), None
    simulator.inbound(phone_number_id=NUMBER, sender="51900000001", text="Hola")
    other = business.text("51900000001")

    wait_until(lambda: "read" in application.names_of(other))
    assert application.names_of(wamid) == ["sent"]


def test_a_customer_answers_what_the_business_writes(
    simulator: Simulator, business: Business, application: Application
):
    marta = "56961230202"
    simulator.inbound(phone_number_id=NUMBER, sender=marta, text="Hola!!")

    business.text(marta, "¿A qué dirección lo enviamos?")

    wait_until(lambda: any("Irarrázaval" in str(one) for one in application.messages()))


def test_customers_write_on_their_own_while_the_traffic_runs(simulator: Simulator, application: Application):
    submit(simulator, "/phone/traffic", number=NUMBER, customer=DIEGO, running="1")

    wait_until(application.messages)
    assert simulator.call("POST", "/control/traffic", {"running": False, "per_minute": 3}) == {
        "running": False,
        "per_minute": 3.0,
    }


def test_the_process_is_small_and_knows_no_django(simulator: Simulator):
    maps = Path(f"/proc/{simulator.pid}")
    if not maps.exists():
        return  # only Linux tells
    resident = int(re.search(r"VmRSS:\s+(\d+)", (maps / "status").read_text()).group(1)) / 1024

    assert resident < 80  # at rest it is about 45; a long test run leaves some behind
    for module in Path("whatsapp/simulator").glob("*.py"):
        assert not re.search(r"^\s*(?:from|import) django", module.read_text(), re.MULTILINE)


# What each kind of the menu has to be once it reached the application: field, and what its value holds.
MORE = {
    "video": ("messages", {"type": "video"}),
    "audio": ("messages", {"type": "audio", "audio.voice": False}),
    "sticker": ("messages", {"type": "sticker"}),
    "contacts": ("messages", {"type": "contacts"}),
    "forwarded": ("messages", {"type": "text", "context.forwarded": True}),
    "ad": ("messages", {"type": "text", "referral.source_type": "ad"}),
    "product": ("messages", {"type": "text", "context.referred_product.product_retailer_id": "TRAIL-ANDINA-2-43"}),
    "button": ("messages", {"type": "button", "button.text": "palabras"}),
    "button_reply": ("messages", {"type": "interactive", "interactive.type": "button_reply"}),
    "list_reply": ("messages", {"type": "interactive", "interactive.list_reply.description": "Entrega en 48 horas"}),
    "flow": ("messages", {"type": "interactive", "interactive.type": "nfm_reply"}),
    "edit": ("messages", {"type": "edit", "edit.original_message_id": "OWN", "edit.message.text.body": "palabras"}),
    "revoke": ("messages", {"type": "revoke", "revoke.original_message_id": "OWN"}),
    "unreact": ("messages", {"type": "reaction", "reaction": {"message_id": "THEIRS"}}),
    "new_phone": ("messages", {"type": "system", "system.type": "user_changed_number", "system.wa_id": "51987650777"}),
    "new_user_id": ("messages", {"type": "system", "system.type": "user_changed_user_id"}),
    "new_username": ("messages", {"type": "text"}),
    "new_code": ("messages", {"type": "system", "system.type": "customer_identity_changed"}),
    "hidden": ("messages", {"type": "text", "from": None}),
    "call": ("calls", {"event": "terminate", "status": "COMPLETED", "duration": 95, "from": DIEGO}),
    "missed_call": ("calls", {"event": "terminate", "status": "FAILED", "duration": None}),
    "stop": ("user_preferences", {"value": "stop", "wa_id": DIEGO}),
    "resume": ("user_preferences", {"value": "resume"}),
    "welcome": ("messages", {"type": "request_welcome"}),
    "group": ("messages", {"type": "text", "group_id": "120363041234567890"}),
    "view_once": ("messages", {"type": "unsupported", "unsupported.type": "media_placeholder"}),
    "tomorrow": ("messages", {"type": "hologram"}),
}


def within(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item


@pytest.mark.parametrize("key", MORE)
def test_each_kind_of_the_menu_is_sent_as_meta_words_it(
    simulator: Simulator, business: Business, application: Application, key: str
):
    simulator.faults(answering=False)
    (own,) = simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="¿Tienen 43?")
    theirs = business.text(DIEGO, "Sí hay")
    simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, type="reaction", message_id=theirs, emoji="🔥")
    wait_until(lambda: len(application.messages()) == 2)
    field, expected = MORE[key]

    submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, type="more", more=key, text="palabras")

    before = 2 if field == "messages" else 0
    due = before + (2 if field == "calls" else 1)
    wait_until(lambda: len(of_field(application, field)) == due)
    sent = of_field(application, field)[before:]
    # Webhooks come in any order.
    item = next(one for one in sent if field != "calls" or one["event"] == "terminate")
    for path, value in expected.items():
        value = {"OWN": own, "THEIRS": theirs}.get(value, value) if isinstance(value, str) else value
        value = {"message_id": theirs} if value == {"message_id": "THEIRS"} else value
        assert within(item, path) == value, (path, item)


def of_field(application: Application, field: str) -> list[dict[str, Any]]:
    return [item for value in application.values(field) for item in value.get(field) or ()]


def test_the_menu_offers_each_kind_and_no_other(simulator: Simulator):
    menu = page(simulator, number=NUMBER, customer=DIEGO).split('<select name="more">')[1].split("</select>")[0]

    assert re.findall(r'<option value="(\w+)">', menu) == list(MORE)


@pytest.mark.parametrize("key", ["edit", "revoke", "unreact", "new_user_id"])
def test_what_could_be_about_nothing_is_not_sent(simulator: Simulator, application: Application, key: str):
    submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, type="more", more=key)
    submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, text="hola")

    wait_until(lambda: application.messages())
    assert [one["type"] for one in application.messages()] == ["text"]


def test_who_changed_their_user_id_goes_on_with_the_new_one(simulator: Simulator, application: Application):
    simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="hola")
    submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, type="more", more="new_user_id")
    simulator.inbound(phone_number_id=NUMBER, sender=DIEGO, text="sigo aquí")

    wait_until(lambda: len(application.messages()) == 3)
    said = {one.get("text", {}).get("body", one["type"]): one for one in application.messages()}
    changed = said["system"]["system"]
    assert changed["previous_user_id"] == said["hola"]["from_user_id"] != changed["user_id"]
    assert changed["user_id"] == said["sigo aquí"]["from_user_id"]


def test_a_kind_that_nobody_offers_is_not_found(simulator: Simulator):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        submit(simulator, "/phone/messages", number=NUMBER, customer=DIEGO, type="more", more="nothing")
