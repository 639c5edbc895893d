import pytest

from whatsapp.errors import Reason
from whatsapp.outgoing import Contacts, Interactive, Location, Outgoing, Reaction, Recipient, Template, Text
from whatsapp.providers.base import Refused
from whatsapp.providers.cloud.payloads import message, read_receipt

ANA = Recipient(phone="51900555014")


def test_a_text_with_our_reference():
    assert message(recipient=ANA, content=Text(body="Hola"), reference="0190c0de.1.a1b2c3d4") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+51900555014",
        "type": "text",
        "text": {"body": "Hola", "preview_url": True},
        "biz_opaque_callback_data": "0190c0de.1.a1b2c3d4",
    }


def test_a_quote():
    body = message(recipient=ANA, content=Text(body="Sí"), quoted_id="wamid.THEIRS")

    assert body["context"] == {"message_id": "wamid.THEIRS"}


def test_a_template_sends_its_components_and_not_our_preview():
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}]

    body = message(
        recipient=ANA,
        content=Template(
            name="pedido", language="es_PE", category="UTILITY", components=components, preview="Hola Ana"
        ),
    )

    assert body["template"] == {"name": "pedido", "language": {"code": "es_PE"}, "components": components}


def test_the_file_of_a_templates_header_travels_by_its_id():
    content = Template(name="guia", language="es", media_kind="document", media_id="77", filename="guía.pdf")

    body = message(recipient=ANA, content=content)

    assert body["template"]["components"] == [
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "77", "filename": "guía.pdf"}}]}
    ]


def test_a_templates_file_that_was_not_handed_over_is_refused_without_a_call():
    with pytest.raises(Refused) as refused:
        message(recipient=ANA, content=Template(name="guia", language="es", media_kind="image"))

    assert refused.value.reason is Reason.MEDIA


@pytest.mark.parametrize(
    ("flow", "action"),
    [
        ({"index": 1, "token": "t"}, {"flow_token": "t"}),
        (
            {"index": 1, "token": "t", "data": {"city": "Puno"}},
            {"flow_token": "t", "flow_action_data": {"city": "Puno"}},
        ),
        ({"index": 1}, {"flow_token": "unused"}),
    ],
)
def test_what_a_templates_button_opens_travels_with_its_token(flow, action):
    words = {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}

    body = message(recipient=ANA, content=Template(name="encuesta", language="es", components=[words], flow=flow))

    assert body["template"]["components"] == [
        words,
        {"type": "button", "sub_type": "flow", "index": "1", "parameters": [{"type": "action", "action": action}]},
    ]


def test_a_template_without_parameters_has_no_components():
    body = message(recipient=ANA, content=Template(name="hola", language="es"))

    assert body["template"] == {"name": "hola", "language": {"code": "es"}}


@pytest.mark.parametrize("emoji", ["👍", ""])
def test_a_reaction_names_its_message_and_quotes_nothing(emoji):
    body = message(recipient=ANA, content=Reaction(target_id="wamid.THEIRS", emoji=emoji), quoted_id="wamid.OTHER")

    assert body["reaction"] == {"message_id": "wamid.THEIRS", "emoji": emoji}
    assert "context" not in body


def test_a_user_id_goes_where_user_ids_go():
    body = message(recipient=Recipient(bsuid="PE.1349"), content=Text(body="Hola"))

    assert body["recipient"] == "PE.1349"
    assert "to" not in body


def test_the_phone_is_taken_when_both_are_known():
    body = message(recipient=Recipient(phone="51900555014", bsuid="PE.1349"), content=Text(body="Hola"))

    assert body["to"] == "+51900555014"
    assert "recipient" not in body


def test_nobody_to_write_to_is_refused_before_any_call():
    with pytest.raises(Refused) as refusal:
        message(recipient=Recipient(), content=Text(body="Hola"))

    assert refusal.value.reason is Reason.INVALID


def test_a_kind_without_a_body_is_refused_before_any_call():
    class Hologram(Outgoing):
        type = "hologram"

    with pytest.raises(Refused) as refusal:
        message(recipient=ANA, content=Hologram())

    assert refusal.value.reason is Reason.UNSUPPORTED


def test_a_reference_that_meta_would_cut_is_a_bug():
    with pytest.raises(ValueError, match="512"):
        message(recipient=ANA, content=Text(body="Hola"), reference="r" * 513)


def test_read_and_typing():
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}

    assert read_receipt(message_id="wamid.1") == read
    assert read_receipt(message_id="wamid.1", typing=True) == {**read, "typing_indicator": {"type": "text"}}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (
            Interactive(kind="button", body="¿Cuándo?", footer="Ventana", options=[{"id": "h", "title": "Hoy"}]),
            {
                "type": "button",
                "body": {"text": "¿Cuándo?"},
                "footer": {"text": "Ventana"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "h", "title": "Hoy"}}]},
            },
        ),
        (
            Interactive(
                kind="list", body="¿Cuál?", label="Ver", options=[{"id": "p", "title": "Pro", "description": "todo"}]
            ),
            {
                "type": "list",
                "body": {"text": "¿Cuál?"},
                "action": {
                    "button": "Ver",
                    "sections": [{"rows": [{"id": "p", "title": "Pro", "description": "todo"}]}],
                },
            },
        ),
        (
            Interactive(
                kind="cta_url", body="Su pedido", header="Listo", label="Verlo", url="https://tienda.example/1"
            ),
            {
                "type": "cta_url",
                "header": {"type": "text", "text": "Listo"},
                "body": {"text": "Su pedido"},
                "action": {
                    "name": "cta_url",
                    "parameters": {"display_text": "Verlo", "url": "https://tienda.example/1"},
                },
            },
        ),
        (
            Interactive(kind="location_request_message", body="¿Dónde está?"),
            {
                "type": "location_request_message",
                "body": {"text": "¿Dónde está?"},
                "action": {"name": "send_location"},
            },
        ),
        (
            Interactive(kind="product", body="", product={"id": "TRAIL-43", "catalog": "194836987003835"}),
            {
                "type": "product",
                "action": {"catalog_id": "194836987003835", "product_retailer_id": "TRAIL-43"},
            },
        ),
        (
            Interactive(kind="request_contact_info", body="¿Su número?"),
            {
                "type": "request_contact_info",
                "body": {"text": "¿Su número?"},
                "action": {"name": "request_contact_info"},
            },
        ),
    ],
)
def test_what_is_answered_by_a_tap(content, sent):
    assert message(recipient=ANA, content=content)["interactive"] == sent


def test_a_place_goes_out_as_a_location():
    full = message(recipient=ANA, content=Location(-12.12, -77.03, name="Tienda", address="Av. Larco 345"))
    bare = message(recipient=ANA, content=Location(-12.12, -77.03))

    assert full["type"] == "location"
    assert full["location"] == {
        "latitude": -12.12, "longitude": -77.03, "name": "Tienda", "address": "Av. Larco 345",
    }  # fmt: skip
    assert bare["location"] == {"latitude": -12.12, "longitude": -77.03}


def test_cards_go_out_as_a_list():
    card = {"name": {"formatted_name": "Rosa", "first_name": "Rosa"}, "phones": [{"phone": "+51900555014"}]}

    sent = message(recipient=ANA, content=Contacts([card]))

    assert (sent["type"], sent["contacts"]) == ("contacts", [card])
