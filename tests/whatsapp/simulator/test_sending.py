"""The Graph API's messages: what is accepted, what is refused and in which words, and what becomes of it."""

import re

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN, Application, Business
from whatsapp.simulator.process import Refused, Simulator, wait_until

CUSTOMER = "51912345678"


@pytest.fixture
def in_window(simulator: Simulator) -> str:
    simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, name="Diego", text="Hola")
    return CUSTOMER


def refusal(call) -> tuple[int, int]:
    with pytest.raises(Refused) as caught:
        call()
    error = caught.value.body["error"]
    assert error.keys() >= {"message", "type", "code", "fbtrace_id"}
    return caught.value.status, error["code"]


def test_an_accepted_text_is_answered_in_metas_shape(business: Business, in_window: str):
    answer = business.post({"to": f"+{in_window}", "type": "text", "text": {"body": "¿Talla?"}})

    assert answer["messaging_product"] == "whatsapp"
    assert answer["contacts"] == [{"input": f"+{in_window}", "wa_id": in_window}]
    assert re.fullmatch(r"wamid\.[\w+/=]+", answer["messages"][0]["id"])


def test_ticks_come_in_order_with_our_reference_and_a_price(
    business: Business, application: Application, in_window: str
):
    wamid = business.text(in_window, biz_opaque_callback_data="a1b2.1.beef")

    wait_until(lambda: len(application.statuses(wamid)) == 3)
    sent, delivered, read = application.statuses(wamid)
    assert [sent["status"], delivered["status"], read["status"]] == ["sent", "delivered", "read"]
    assert {one["biz_opaque_callback_data"] for one in (sent, delivered, read)} == {"a1b2.1.beef"}
    assert {one["recipient_id"] for one in (sent, delivered, read)} == {in_window}
    assert sent["pricing"]["pricing_model"] == "PMP" and sent["pricing"]["category"] == "service"
    assert "pricing" not in read
    assert application.forged == 0


def test_the_ledger_names_the_token_and_counts_a_double(simulator: Simulator, business: Business, in_window: str):
    business.text(in_window, "Hola", biz_opaque_callback_data="0f-11.1.aaaa")
    business.text(in_window, "Hola", biz_opaque_callback_data="0f-11.2.bbbb")
    business.text(in_window, "Otra", biz_opaque_callback_data="0f-12.1.cccc")

    first, second, other = simulator.ledger(phone_number_id=NUMBER, to=in_window)
    assert (first["token"], first["type"], first["to"], first["text"]) == (TOKEN[-6:], "text", in_window, "Hola")
    assert (first["count"], second["count"], other["count"]) == (2, 2, 1)
    assert simulator.ledger(to="51900000000") == []


@pytest.mark.parametrize(
    ("token", "expected"),
    [("", (401, 190)), ("EAAnobody", (401, 190)), ("EAAsim-demo-soporte-000002", (403, 10))],
)
def test_a_number_takes_only_its_own_token(business: Business, in_window: str, token: str, expected: tuple[int, int]):
    assert refusal(lambda: business.text(in_window, token=token)) == expected


def test_a_number_nobody_declared_takes_any_token_and_knows_no_window(business: Business, application: Application):
    wamid = business.text(CUSTOMER, number="555000111222333", token="whatever")

    wait_until(lambda: "read" in application.names_of(wamid))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "text", "text": {"body": "x"}}, 131008),
        ({"to": "+51912345678", "type": "text"}, 131008),
        ({"to": "+51912345678", "type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"to": "123", "type": "text", "text": {"body": "x"}}, 131009),
        ({"to": "+51912345678", "type": "poll", "poll": {"a": 1}}, 131009),
        ({"to": "+51912345678", "type": "image", "image": {"caption": "sin foto"}}, 131008),
        ({"to": "+51912345678", "type": "reaction", "reaction": {"message_id": "7", "emoji": "👍"}}, 131009),
        ({"status": "read", "message_id": "7"}, 131009),
        ({"to": "+5117001001", "type": "text", "text": {"body": "x"}}, 131021),
    ],
)
def test_what_meta_refuses_is_refused(business: Business, in_window: str, body: dict, code: int):
    assert refusal(lambda: business.post(body))[1] == code


@pytest.mark.parametrize(
    ("content", "drawn"),
    [
        ({"type": "image", "image": {"link": "https://x.test/a.jpg", "caption": "Foto"}}, "Foto"),
        ({"type": "location", "location": {"latitude": -12.1, "longitude": -77, "name": "Tienda"}}, "Tienda"),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Lucía"}}]}, "Lucía"),
        (
            {
                "type": "interactive",
                "interactive": {
                    "type": "button",
                    "body": {"text": "¿Separamos?"},
                    "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Sí"}}]},
                },
            },
            "¿Separamos?",
        ),
    ],
)
def test_other_types_are_accepted(simulator: Simulator, business: Business, in_window: str, content: dict, drawn: str):
    business.post({"to": f"+{in_window}", **content})

    assert [(one["type"], one["text"]) for one in simulator.ledger()] == [(content["type"], drawn)]


def test_a_closed_window_fails_the_message_later(business: Business, application: Application):
    wamid = business.text("51999888777")

    wait_until(lambda: application.statuses(wamid))
    (failed,) = application.statuses(wamid)
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131047)


def test_the_window_closes_when_the_clock_moves_a_day(
    simulator: Simulator, business: Business, application: Application, in_window: str
):
    simulator.advance(24 * 3600 + 1)

    wamid = business.text(in_window)

    wait_until(lambda: application.names_of(wamid) == ["failed"])


def test_a_closed_window_can_be_refused_at_once(simulator: Simulator, business: Business):
    simulator.faults(window="refused")

    assert refusal(lambda: business.text("51999888777"))[1] == 131047


def test_the_forty_sixth_message_in_a_burst_to_one_person_is_too_many(business: Business, in_window: str):
    for _ in range(45):
        business.text(in_window)

    assert refusal(lambda: business.text(in_window)) == (400, 131056)


def test_a_number_sends_no_faster_than_its_throughput(simulator: Simulator, business: Business):
    simulator.faults(throughput=5, window="off")

    def burst() -> None:
        for person in range(20):
            business.text(f"5191000{person:04d}")

    assert refusal(burst)[1] == 130429
    assert 5 <= len(simulator.ledger()) < 20


def test_reading_a_message_gives_success(simulator: Simulator, business: Business):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender=CUSTOMER, text="Hola")

    answer = business.post({"status": "read", "message_id": wamid, "typing_indicator": {"type": "text"}})

    assert answer == {"success": True}


def template(name: str, *texts: str, language: str = "es") -> dict:
    parameters = [{"type": "text", "text": text} for text in texts]
    return {
        "to": f"+{CUSTOMER}",
        "type": "template",
        "template": {
            "name": name,
            "language": {"code": language},
            "components": [{"type": "body", "parameters": parameters}],
        },
    }


def test_a_template_goes_out_with_the_window_closed(simulator: Simulator, business: Business, application: Application):
    answer = business.post(template("retomar_conversacion", "Diego", "la talla 43"))

    wamid = answer["messages"][0]["id"]
    assert answer["messages"][0]["message_status"] == "accepted"
    assert "Hola Diego, seguimos con tu consulta sobre la talla 43." in simulator.ledger()[0]["text"]
    wait_until(lambda: "delivered" in application.names_of(wamid))
    assert application.statuses(wamid)[0]["pricing"]["category"] == "utility"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (template("no_existe"), 132001),
        (template("retomar_conversacion", "Diego", "x", language="fr"), 132001),
        (template("retomar_conversacion", "Diego"), 132000),
        (template("retomar_conversacion", "Diego", "con\nsalto"), 132018),
        (template("promo_liquidacion", "Diego", "40 %"), 132015),
        (template("aviso_reposicion", "Diego", "x"), 132001),
    ],
)
def test_a_send_that_does_not_fit_its_template_is_refused(business: Business, body: dict, code: int):
    assert refusal(lambda: business.post(body))[1] == code


@pytest.mark.parametrize(("dialled", "wa_id"), [("525512345678", "5215512345678"), ("541161234567", "5491161234567")])
def test_the_answer_names_the_number_as_whatsapp_does(business: Business, dialled: str, wa_id: str):
    answer = business.post({"to": f"+{dialled}", "type": "text", "text": {"body": "x"}})

    assert answer["contacts"] == [{"input": f"+{dialled}", "wa_id": wa_id}]


def test_a_person_without_a_phone_is_reached_by_their_user_id(simulator: Simulator, business: Business):
    simulator.inbound(phone_number_id=NUMBER, bsuid="PE.123456789", username="sofi", text="Hola")

    answer = business.post({"recipient": "PE.123456789", "type": "text", "text": {"body": "Hola"}})

    assert answer["contacts"] == [{"input": "PE.123456789", "user_id": "PE.123456789"}]
