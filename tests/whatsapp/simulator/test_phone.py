"""The customer's phone in the browser, as a person without and with JavaScript meets it; and the people who act on it."""

import re
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from tests.whatsapp.simulator.conftest import NUMBER, Application, Business
from whatsapp.simulator.process import Simulator, wait_until

DIEGO, BRUNO, JORGE = "51987650101", "51987650808", "5215561230707"


def page(simulator: Simulator, **query: str) -> str:
    with urllib.request.urlopen(f"{simulator.url}/?{urlencode(query)}") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return answer.read().decode()


def submit(simulator: Simulator, path: str, **fields: str) -> str:
    with urllib.request.urlopen(f"{simulator.url}{path}", urlencode(fields).encode()) as answer:
        return answer.read().decode()


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
