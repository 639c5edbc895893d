"""What Meta refuses in a template, found before it is asked: a table of one text each."""

import pytest

from whatsapp.template_content import Button, Wording
from whatsapp.template_rules import faults

BODY = "Hola {{1}}, tu pedido {{2}} ya salió del almacén y llega hoy."
EXAMPLES = {"1": "Rosa", "2": "NC-1042"}


def found(*, name: str = "pedido_en_camino", language: str = "es_PE", category: str = "UTILITY", has_file: bool = False,
          **said) -> list[tuple[str, str]]:  # fmt: skip
    wording = Wording(**{"body": BODY, "examples": EXAMPLES} | said)
    return [
        (fault.place, fault.code)
        for fault in faults(name=name, language=language, category=category, wording=wording, has_file=has_file)
    ]


def test_a_good_one_has_no_fault():
    assert found() == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "name_missing"),
        ("Pedido", "name_form"),
        ("pedido camino", "name_form"),
        ("pedído", "name_form"),
        ("a" * 513, "name_long"),
        ("a" * 512, ""),
        ("2_pedidos", ""),
    ],
)
def test_names(name, code):
    assert found(name=name) == ([("name", code)] if code else [])


@pytest.mark.parametrize(("language", "is_good"), [("es", True), ("es_PE", True), ("fil", True), ("zh_CN", True),
                                                  ("es-PE", False), ("ES", False), ("", False)])  # fmt: skip
def test_languages(language, is_good):
    assert found(language=language) == ([] if is_good else [("language", "language_form")])


def test_categories():
    assert found(category="OFFERS") == [("category", "category")]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({"header": "TEXT", "header_text": "Pedido {{1}}", "header_example": "NC-1042"}, []),
        ({"header": "TEXT", "header_text": "a" * 60}, []),
        ({"header": "TEXT", "header_text": "a" * 61}, ["header_long"]),
        ({"header": "TEXT"}, ["header_missing"]),
        ({"header": "TEXT", "header_text": "*Pedido*"}, ["header_plain"]),
        ({"header": "TEXT", "header_text": "Pedido 📦"}, ["header_plain"]),
        ({"header": "TEXT", "header_text": "Pedido\nnuevo"}, ["header_plain"]),
        ({"header": "TEXT", "header_text": "Pedido {{1}}"}, ["example_missing"]),
        ({"header": "TEXT", "header_text": "{{1}} y {{2}}", "header_example": "a"}, ["header_variables"]),
        ({"header": "TEXT", "header_text": "De {{name}}", "header_example": "a"}, ["variables_mixed"]),
        ({"header": "IMAGE"}, ["header_file"]),
        ({"header": "IMAGE", "has_file": True}, []),
        ({"header": "VIDEO", "header_handle": "4::a"}, []),
        ({"header": "PLACE"}, ["header_kind"]),
    ],
)
def test_headers(said, codes):
    assert found(**said) == [("header", code) for code in codes]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("", ["body_missing"]),
        ("   ", ["body_missing"]),
        ("a" * 1024, []),
        ("a" * 1025, ["body_long"]),
        ("Hola\n\nqué tal", []),
        ("Hola\n\n\nqué tal", ["body_gaps"]),
        ("Hola     qué tal", ["body_gaps"]),
        ("Hola\tqué tal", ["body_gaps"]),
        ("{{1}}, tu pedido está listo hoy", ["variable_at_end"]),
        ("¡{{1}}! Tu pedido está listo hoy", ["variable_at_end"]),
        ("Tu pedido está listo, {{1}}", ["variable_at_end"]),
        ("Tu pedido está listo, {{1}}.", ["variable_at_end"]),
        ("Tu pedido está listo, {{1}} 🎉", []),
        ("Hola {{1}} {{2}}, tu pedido está listo para llevar", ["variables_adjacent"]),
        ("Hola {{1}}{{2}}, tu pedido está listo para llevar", ["variables_adjacent"]),
        ("Hola {{1}}, gracias", ["variables_many"]),
        ("Hola {{1}}, muchas gracias", []),
        ("Hola {{1}}, el {{2}} va hoy mismo", []),
        ("Hola {{1}}, el {{2}} va hoy", ["variables_many"]),
        ("Hola {{1}}, – . – gracias", ["variables_many"]),
        ("Hola {{2}}, tu pedido está listo", ["variables_gap"]),
        ("Hola {{1}}, tu pedido {{3}} está listo para llevar", ["variables_gap"]),
        ("Hola {{2}}, el pedido {{1}} está listo para llevar", []),
        ("Hola {{1}}, tu pedido {{numero}} está listo para llevar", ["variables_mixed"]),
        ("Hola {{Nombre}}, tu pedido está listo", ["variable_form"]),
        ("Hola {{ }}, tu pedido está listo", ["variable_form"]),
        ("Hola {{1}, tu pedido está listo", ["variable_form"]),
        ("Hola {{first name}}, tu pedido está listo", ["variable_form"]),
        ("Hola {{0}}, tu pedido está listo", ["variable_form"]),
    ],
)
def test_bodies(body, codes):
    assert found(body=body) == [("body", code) for code in codes]


def test_every_variable_needs_an_example():
    assert found(examples={"1": "Rosa", "2": " "}) == [("body", "example_missing")]
    assert found(body="Hola {{first_name}}, tu pedido va hoy.", examples={"first_name": "Rosa"}) == []


@pytest.mark.parametrize(
    ("footer", "codes"),
    [("a" * 60, []), ("a" * 61, ["footer_long"]), ("De {{1}}", ["footer_plain"]), ("a\nb", ["footer_plain"])],
)
def test_footers(footer, codes):
    assert found(footer=footer) == [("footer", code) for code in codes]


def replies(*texts: str) -> tuple[Button, ...]:
    return tuple(Button("QUICK_REPLY", text) for text in texts)


LINK = Button("URL", "Ver", "https://nube.test/envio/{{1}}", "NC-1042")
CALL = Button("PHONE_NUMBER", "Llamar", "+51 1 555 0101")


@pytest.mark.parametrize(
    ("buttons", "expected"),
    [
        ((*replies("Sí", "No"), LINK, CALL), []),
        ((LINK, *replies("Sí", "No")), []),
        ((LINK, *replies("Sí"), CALL), [("buttons", "replies_apart")]),
        ((*replies("Sí"), LINK, *replies("No")), [("buttons", "replies_apart")]),
        (replies(*"abcdefghij"), []),
        (replies(*"abcdefghijk"), [("buttons", "buttons_many")]),
        (replies("Sí", "sí "), [("buttons", "buttons_alike")]),
        (replies("a" * 25), []),
        (replies("a" * 26), [("button-0", "button_long")]),
        (replies("Sí", ""), [("button-1", "button_text")]),
        (replies("Hola {{1}}"), [("button-0", "button_plain")]),
        (
            (LINK, Button("URL", "Dos", "https://b.test"), Button("URL", "Tres", "https://c.test")),
            [("buttons", "kind_many")],
        ),
        ((CALL, Button("PHONE_NUMBER", "Otro", "+51 1 555 0102")), [("buttons", "kind_many")]),
        ((Button("URL", "Ver", "nube.test"),), [("button-0", "url_form")]),
        ((Button("URL", "Ver", "https://nube.test/{{1}}/a", "x"),), [("button-0", "url_form")]),
        ((Button("URL", "Ver", "https://nube.test/{{2}}", "x"),), [("button-0", "url_form")]),
        ((Button("URL", "Ver", "https://nube.test/{{1}}"),), [("button-0", "url_example")]),
        ((Button("PHONE_NUMBER", "Llamar", "casa"),), [("button-0", "phone_form")]),
        ((Button("PHONE_NUMBER", "Llamar", "+" + "1" * 20),), [("button-0", "phone_form")]),
        ((Button("COPY_CODE", example="VERANO20"),), []),
        ((Button("COPY_CODE", example="a" * 16),), [("button-0", "code_form")]),
        ((Button("COPY_CODE"),), [("button-0", "code_form")]),
        ((Button("FLOW", "Llenar"),), [("button-0", "flow_missing")]),
        ((Button("FLOW", "Llenar", "123"),), []),
        ((Button("OTP", "Copiar"),), [("buttons", "otp_category")]),
    ],
)
def test_buttons(buttons, expected):
    assert found(buttons=buttons) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"buttons": (Button("OTP"),)}, []),
        ({"buttons": (Button("OTP"),), "expires_minutes": 10}, []),
        ({"buttons": (Button("OTP"),), "expires_minutes": 91}, [("footer", "expiry")]),
        ({"buttons": (Button("OTP"),), "expires_minutes": 0}, [("footer", "expiry")]),
        ({"buttons": ()}, [("buttons", "codes_button")]),
        ({"buttons": (LINK,)}, [("buttons", "codes_button")]),
        ({"buttons": (Button("OTP", "a" * 26),)}, [("button-0", "button_long")]),
        ({"buttons": (Button("OTP"),), "header": "TEXT", "header_text": "Código"}, [("header", "codes_header")]),
    ],
)
def test_templates_for_codes_have_metas_words(said, expected):
    assert found(category="AUTHENTICATION", body="", **said) == expected
