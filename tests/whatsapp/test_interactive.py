"""What is answered by a tap keeps to WhatsApp's limits before anything is sent."""

from dataclasses import replace

import pytest

from whatsapp import interactive
from whatsapp.interactive import fault, offering
from whatsapp.outgoing import Interactive, from_payload

BUTTONS = offering("¿Cuándo?", ["Hoy", "Mañana"], label="Ver")
ROWS = offering("¿Cuál?", [f"Talla {size}" for size in range(36, 46)], label="Ver tallas")
LINK = Interactive(kind="cta_url", body="Su pedido", label="Verlo", url="https://tienda.example/a?b=1")
FORM = Interactive(kind="flow", body="Sus datos", label="Verlos", flow={"id": "1"})
LOCATION = Interactive(kind="location_request_message", body="¿Dónde está?")
PRODUCT = Interactive(kind="product", body="La que viste", product={"id": "TRAIL-43"})
PHONE = Interactive(kind="request_contact_info", body="¿A qué número le llamamos?")


@pytest.mark.parametrize("content", [BUTTONS, ROWS, LINK, LOCATION, PHONE, PRODUCT])
def test_what_whatsapp_takes_passes_and_survives_its_row(content):
    assert fault(content) == ""
    assert from_payload("interactive", content.as_payload()) == content
    assert content.text_shown == content.body


def test_three_short_ones_are_buttons_and_all_else_is_a_list():
    assert BUTTONS.kind == "button" and BUTTONS.label == ""
    assert ROWS.kind == "list" and ROWS.label == "Ver tallas" and len(ROWS.options) == 10
    explained = offering("¿Cuál?", ["Básico | hasta 3 personas", "", " Pro "], label="Ver")
    assert explained.kind == "list"
    assert explained.options == [
        {"id": "Básico", "title": "Básico", "description": "hasta 3 personas"},
        {"id": "Pro", "title": "Pro"},
    ]
    assert offering("¿Cuál?", ["Más de veinte letras aq"], label="Ver").kind == "list"


def test_a_single_one_with_an_address_is_a_link():
    link = offering("Su pedido", ["Verlo | https://tienda.example/1?a=b"], label="Ver")
    assert (link.kind, link.label, link.url, link.options) == ("cta_url", "Verlo", "https://tienda.example/1?a=b", [])
    assert fault(link) == ""
    assert fault(offering("Su pedido", ["Un título demasiado largo | https://tienda.example"], label="Ver")) != ""
    assert offering("¿Cuál?", ["Una | https://a.example", "Otra"], label="Ver").kind == "list"


def titled(*titles: str, kind: str = "button", **more: str) -> Interactive:
    options = [{"id": str(place), "title": title} | more for place, title in enumerate(titles)]
    return Interactive(kind=kind, body="¿?", options=options, label="Ver")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (replace(BUTTONS, body=" "), interactive.NOTHING_SAID),
        (replace(BUTTONS, body="a" * 1025), interactive.TOO_MUCH_SAID),
        (replace(ROWS, body="a" * 1025), ""),
        (replace(ROWS, body="a" * 4097), interactive.TOO_MUCH_SAID),
        (replace(LINK, footer="a" * 61), interactive.TOO_MUCH_SAID),
        (replace(LINK, header="a" * 61), interactive.TOO_MUCH_SAID),
        (replace(PRODUCT, body=""), ""),
        (replace(PRODUCT, product={}), interactive.NO_PRODUCT),
        (replace(PRODUCT, product={"id": "a" * 101}), interactive.NO_PRODUCT),
        (titled(), interactive.WRONG_COUNT),
        (titled("a", "b", "c", "d"), interactive.WRONG_COUNT),
        (titled(*"abcdefghijk", kind="list"), interactive.WRONG_COUNT),
        (replace(LOCATION, options=BUTTONS.options), interactive.WRONG_COUNT),
        (titled("a" * 20), ""),
        (titled("a" * 21), interactive.WRONG_TITLE),
        (titled("a" * 24, kind="list"), ""),
        (titled("a" * 25, kind="list"), interactive.WRONG_TITLE),
        (titled("a", "a"), interactive.WRONG_TITLE),
        (titled("a", " "), interactive.WRONG_TITLE),
        (titled("a\nb"), interactive.WRONG_TITLE),
        (titled("a", description="dicho"), interactive.WRONG_TITLE),
        (titled("a", kind="list", description="d" * 72), ""),
        (titled("a", kind="list", description="d" * 73), interactive.WRONG_TITLE),
        (replace(BUTTONS, options=[{"id": "i" * 201, "title": "a"}]), interactive.WRONG_TITLE),
        (replace(ROWS, label=""), interactive.WRONG_LABEL),
        (replace(LINK, label="a" * 21), interactive.WRONG_LABEL),
        (replace(LINK, url="javascript:alert(1)"), interactive.WRONG_LINK),
        (replace(LINK, url="https://"), interactive.WRONG_LINK),
        (replace(LINK, url="https://[x"), interactive.WRONG_LINK),
        (replace(LINK, url="https://a.example/ b"), interactive.WRONG_LINK),
        (replace(FORM, label="a" * 30), ""),
        (replace(FORM, label="a" * 31), interactive.WRONG_FLOW_LABEL),
        (replace(FORM, label=" "), interactive.WRONG_FLOW_LABEL),
        (replace(FORM, body=""), interactive.NOTHING_SAID),
        (replace(BUTTONS, kind="carousel"), interactive.UNKNOWN_KIND),
    ],
)
def test_what_it_refuses_is_named(content, wrong):
    assert fault(content) == wrong
