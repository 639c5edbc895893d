"""A template as a value: into Meta's components and back, and what a message has to give it."""

import pytest

from whatsapp.simulator.catalogue import CATALOGUE
from whatsapp.template_content import Button, Wording, as_components, normalised_language, of_components
from whatsapp.template_filling import fault, filled, is_complete, named, slots

FULL = Wording(
    header="TEXT", header_text="Pedido {{1}}", header_example="NC-1", body="Hola {{1}}, tu {{2}} va hoy.",
    examples={"1": "Rosa", "2": "pedido"}, footer="Nube",
    buttons=(
        Button("QUICK_REPLY", "Sí"), Button("URL", "Ver", "https://a.test/{{1}}", "x1"),
        Button("PHONE_NUMBER", "Llamar", "+5115550101"), Button("COPY_CODE", "", "", "VERANO"),
        Button("FLOW", "Llenar", "99", more={"flow_action": "navigate", "navigate_screen": "A"}),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    "wording",
    [
        FULL,
        Wording(body="Hola {{name}}, ya va.", examples={"name": "Rosa"}),
        Wording(header="TEXT", header_text="De {{name}}", header_example="Rosa", body="Ya va."),
        Wording(header="IMAGE", header_handle="4::a", body="Ya va."),
        Wording(body="Ya va.", others=({"type": "CAROUSEL", "cards": []},)),
    ],
)
def test_it_comes_back_as_it_went(wording):
    assert of_components(as_components(wording, category="UTILITY")) == wording
    assert Wording.read(wording.as_json()) == wording


@pytest.mark.parametrize("components", [[], ["rubbish"], [{"type": 5}], [{"type": "BUTTONS", "buttons": [7]}],
                                        [{"type": "BODY", "text": None, "example": []}],
                                        [{"type": "HEADER", "example": {"header_handle": "x", "header_text": []}}]])  # fmt: skip
def test_what_meta_never_writes_is_read_all_the_same(components):
    assert of_components(components).body == ""


@pytest.mark.parametrize(
    ("written", "spelled"),
    [("es", "es"), ("es-pe", "es_PE"), ("ES_pe", "es_PE"), (" pt br ", "pt_BR"), ("en-US", "en_US"), ("", "")],
)
def test_languages_are_spelled_as_meta_does(written, spelled):
    assert normalised_language(written) == spelled


def test_what_has_to_be_given_is_in_the_order_of_reading():
    keys = [(slot.key, slot.kind) for slot in slots(as_components(FULL, category="UTILITY"))]
    assert keys == [
        ("head_1", "text"),
        ("var_1", "text"),
        ("var_2", "text"),
        ("button_1", "url"),
        ("button_3", "copy_code"),
    ]
    assert slots([{"type": "CAROUSEL"}]) is None
    assert slots([{"type": "HEADER", "format": "LOCATION"}]) is None


def test_numbered_values_go_in_the_order_of_their_numbers():
    components = [{"type": "BODY", "text": "Tu {{2}}, {{1}}, ya va."}]
    (body,) = filled(components, {"var_1": "Rosa", "var_2": "pedido"})
    assert [parameter["text"] for parameter in body["parameters"]] == ["Rosa", "pedido"]
    assert named(["2", "1"], body["parameters"]) == {"1": "Rosa", "2": "pedido"}


def test_a_code_is_given_twice():
    url = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"
    components = [
        {"type": "BODY", "text": "*{{1}}* es tu código."},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "url": url}]},
    ]
    assert [slot.key for slot in slots(components)] == ["var_1"]
    assert filled(components, {"var_1": "123456"})[1] == {
        "type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "123456"}],
    }  # fmt: skip


@pytest.mark.parametrize(("value", "is_good"), [("a", True), ("a    b", True), ("a     b", False), ("a\nb", False),
                                               ("a\tb", False), ("", False), (" ", False), ("\r", False)])  # fmt: skip
def test_parameters(value, is_good):
    assert (fault(value) == "") is is_good


@pytest.mark.parametrize("template", CATALOGUE, ids=lambda template: f"{template['name']}-{template['language']}")
def test_what_is_filled_is_complete_and_less_is_not(template):
    components = template["components"]
    wanted = slots(components)
    values = {slot.key: "x" for slot in wanted}
    has_file = "head_file" in values

    given = filled(components, values)

    assert is_complete(wanted, given, has_file=has_file)
    if values:
        assert not is_complete(wanted, [])
        assert not is_complete(wanted, given, has_file=not has_file) or not has_file
