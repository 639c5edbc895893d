"""The Flows API as Meta answers it, and a customer who fills in a form that needs no endpoint."""

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from crm.flows import builtin
from tests.whatsapp.simulator.conftest import NUMBER, TOKEN
from whatsapp.flows.encryption import new_pair
from whatsapp.simulator.flow_json import faults
from whatsapp.simulator.process import Refused, Simulator, wait_until

ACCOUNT = "300000000000001"
ROSA = "51900555014"
SURVEY: dict[str, Any] = {
    "version": "7.3",
    "screens": [
        {
            "id": "WHO", "title": "Encuesta", "data": {"name": {"type": "string", "__example__": "Rosa"}},
            "layout": {"type": "SingleColumnLayout", "children": [
                {"type": "TextHeading", "text": "Hola ${data.name}"},
                {"type": "TextInput", "name": "shoe", "label": "Talla", "required": True},
                {"type": "Footer", "label": "Seguir", "on-click-action": {
                    "name": "navigate", "next": {"type": "screen", "name": "LIKES"},
                    "payload": {"shoe": "${form.shoe}"}}},
            ]},
        },
        {
            "id": "LIKES", "title": "Gustos", "terminal": True, "data": {"shoe": {"type": "string", "__example__": "43"}},
            "layout": {"type": "SingleColumnLayout", "children": [
                {"type": "CheckboxGroup", "name": "likes", "label": "Te gusta", "data-source": [
                    {"id": "run", "title": "Correr"}, {"id": "hike", "title": "Caminar"}]},
                {"type": "OptIn", "name": "news", "label": "Quiero novedades"},
                {"type": "Footer", "label": "Enviar", "on-click-action": {
                    "name": "complete",
                    "payload": {"shoe": "${data.shoe}", "likes": "${form.likes}", "news": "${form.news}"}}},
            ]},
        },
    ],
}  # fmt: skip


def call(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    return simulator.call(method, f"/v25.0/{path}", body, token=TOKEN)


def created(simulator: Simulator, name: str = "Encuesta", **more: Any) -> str:
    return call(simulator, "POST", f"{ACCOUNT}/flows", {"name": name, "categories": ["SURVEY"], **more})["id"]


def uploaded(simulator: Simulator, flow_id: str, source: str) -> list[dict[str, Any]]:
    edge = "a-boundary"
    parts = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("name", "flow.json"), ("asset_type", "FLOW_JSON"))
    )
    parts += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="flow.json"\r\n\r\n{source}\r\n--{edge}--\r\n'
    request = urllib.request.Request(f"{simulator.url}/v25.0/{flow_id}/assets", parts.encode(), method="POST")
    request.add_header("Content-Type", f"multipart/form-data; boundary={edge}")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())["validation_errors"]


@pytest.fixture
def survey(simulator: Simulator) -> str:
    flow_id = created(simulator)
    uploaded(simulator, flow_id, json.dumps(SURVEY, indent=2))
    call(simulator, "POST", f"{flow_id}/publish")
    return flow_id


def message(flow_id: str, **more: Any) -> dict[str, Any]:
    parameters = {"flow_message_version": "3", "flow_id": flow_id, "flow_cta": "Responder", "flow_token": "t-1",
                  "flow_action": "navigate", "flow_action_payload": {"screen": "WHO", "data": {"name": "Rosa"}}, **more}  # fmt: skip
    return {
        "to": f"+{ROSA}", "type": "interactive",
        "interactive": {"type": "flow", "body": {"text": "¿Nos ayudas?"}, "action": {"name": "flow", "parameters": parameters}},
    }  # fmt: skip


def test_the_files_that_come_with_ventana_have_no_fault():
    assert faults(builtin.profile()) == []
    assert faults(json.dumps(SURVEY)) == []


def test_a_fault_names_its_line(simulator: Simulator):
    source = json.dumps(SURVEY, indent=2).replace('"TextHeading"', '"TextHeadline"')
    line = next(at for at, text in enumerate(source.splitlines(), 1) if "TextHeadline" in text)

    (fault,) = uploaded(simulator, created(simulator), source)

    assert (fault["error"], fault["line_start"]) == ("INVALID_PROPERTY_VALUE", line)
    assert "TextHeadline" in fault["message"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("{", "", 1), "INVALID_JSON"),
        (('"7.3"', '"1.0"'), "INVALID_PROPERTY_VALUE"),
        (('"terminal": true', '"terminal": false'), "MISSING_TERMINAL_SCREEN"),
        (("${data.shoe}", "${data.boot}"), "INVALID_DYNAMIC_DATA"),
        (("${form.news}", "${form.old}"), "INVALID_FORM_REFERENCE"),
        (('"label": "Talla"', '"text": "Talla"'), "MISSING_REQUIRED_PROPERTY"),
        (('"id": "WHO"', '"id": "SUCCESS"'), "INVALID_PROPERTY_VALUE"),
        (('"complete"', '"finish"'), "INVALID_PROPERTY_VALUE"),
    ],
)
def test_what_meta_refuses_is_found(change, error):
    found = faults(json.dumps(SURVEY, indent=2).replace(*change))

    assert error in [fault["error"] for fault in found]


def test_a_draft_is_published_and_taken_back_and_the_application_hears(simulator: Simulator, application, survey):
    call(simulator, "POST", f"{survey}/deprecate")

    found = call(simulator, "GET", f"{ACCOUNT}/flows?fields=id,name,status")["data"]
    assert [(one["name"], one["status"]) for one in found if one["id"] == survey] == [("Encuesta", "DEPRECATED")]
    told = wait_until(lambda: len(application.values("flows")) == 2 and application.values("flows"))
    # Two webhooks on their way at once may overtake each other.
    assert {value["new_status"] for value in told} == {"PUBLISHED", "DEPRECATED"}


def test_what_cannot_be_done_is_refused_with_its_code(simulator: Simulator, survey):
    wrong = created(simulator, "Otra")
    uploaded(simulator, wrong, "{}")
    for method, path, code in (
        ("POST", f"{survey}/publish", 139002),
        ("POST", f"{wrong}/publish", 139002),
        ("POST", f"{wrong}/deprecate", 139003),
        ("DELETE", survey, 139004),
        ("POST", f"{ACCOUNT}/flows", 100),
    ):
        body = {"name": "Otra", "categories": ["SURVEY"]} if path.endswith("flows") else None
        with pytest.raises(Refused) as refusal:
            call(simulator, method, path, body)
        assert refusal.value.body["error"]["code"] == code, path


def test_one_with_an_endpoint_is_published_only_with_an_address_and_a_key(simulator: Simulator):
    flow_id = created(simulator, "Perfil", endpoint_uri="https://ventana.test/flows/1/")
    uploaded(simulator, flow_id, builtin.profile())

    with pytest.raises(Refused) as refusal:
        call(simulator, "POST", f"{flow_id}/publish")
    assert "public key" in refusal.value.body["error"]["error_data"]["details"]
    call(simulator, "POST", f"{NUMBER}/whatsapp_business_encryption", {"business_public_key": new_pair()[1]})

    assert call(simulator, "POST", f"{flow_id}/publish") == {"success": True}


def test_another_accounts_token_may_do_nothing(simulator: Simulator, survey):
    for method, path in (("GET", survey), ("POST", f"{survey}/deprecate"), ("DELETE", survey)):
        with pytest.raises(Refused) as refusal:
            simulator.call(method, f"/v25.0/{path}", token="EAAsim-otra-ventas-000009")
        assert refusal.value.body["error"]["code"] == 10


def test_what_is_not_published_is_not_sent(simulator: Simulator, business):
    simulator.inbound(phone_number_id=NUMBER, sender=ROSA)
    draft = created(simulator, "Borrador")

    for flow_id in (draft, "1"):
        with pytest.raises(Refused) as refusal:
            business.post(message(flow_id))
        assert refusal.value.body["error"]["code"] == 131009


def test_a_customer_fills_it_in_and_the_answer_comes_as_a_message(simulator: Simulator, application, business, survey):
    simulator.inbound(phone_number_id=NUMBER, sender=ROSA)
    sent = business.post(message(survey))["messages"][0]["id"]

    filled = simulator.call(
        "POST", "/control/form", {"phone_number_id": NUMBER, "from": ROSA, "values": {"shoe": "41", "likes": ["hike"]}}
    )

    assert filled["screens"] == ["WHO", "LIKES"]
    answer = wait_until(lambda: next((one for one in application.messages() if one["type"] == "interactive"), None))
    assert answer["context"]["id"] == sent
    values = json.loads(answer["interactive"]["nfm_reply"]["response_json"])
    assert values == {"flow_token": "t-1", "shoe": "41", "likes": ["hike"], "news": False}


def page(simulator: Simulator, path: str, **form: Any) -> str:
    body = urlencode(form, doseq=True).encode() if form else None
    with urllib.request.urlopen(f"{simulator.url}{path}", body) as answer:
        return answer.read().decode()


def test_on_the_phone_the_button_opens_the_form(simulator: Simulator, application, business, survey):
    simulator.inbound(phone_number_id=NUMBER, sender=ROSA)
    sent = business.post(message(survey))["messages"][0]["id"]
    where = {"number": NUMBER, "customer": ROSA}

    assert "Responder" in page(simulator, "/?" + urlencode(where))
    first = page(simulator, "/phone/form/open", **where, message=sent)
    assert "Hola Rosa" in first and 'name="shoe"' in first
    second = page(simulator, "/phone/form", **where, shoe="<43>")
    assert 'type="checkbox" name="likes" value="run"' in second
    page(simulator, "/phone/form", **where, likes=["run", "hike"], news="1")

    answer = wait_until(lambda: next((one for one in application.messages() if one["type"] == "interactive"), None))
    values = json.loads(answer["interactive"]["nfm_reply"]["response_json"])
    assert values == {"flow_token": "t-1", "shoe": "<43>", "likes": ["run", "hike"], "news": True}


BUTTON = {"type": "FLOW", "text": "Responder", "flow_action": "navigate", "navigate_screen": "WHO"}


def with_button(simulator: Simulator, flow_id: str) -> str:
    """A template whose button opens the Flow."""
    words = {"type": "BODY", "text": "Hola, ¿nos ayudas con tus datos?"}
    template = {"name": "encuesta", "language": "es", "category": "UTILITY", "components": [
        words, {"type": "BUTTONS", "buttons": [BUTTON | {"flow_id": flow_id}]}]}  # fmt: skip
    call(simulator, "POST", f"{ACCOUNT}/message_templates", template)
    simulator.call("POST", "/control/templates", {"name": "encuesta", "language": "es", "event": "APPROVED"})
    return "encuesta"


def template_message(name: str, *components: dict[str, Any]) -> dict[str, Any]:
    template = {"name": name, "language": {"code": "es"}, "components": list(components)}
    return {"to": f"+{ROSA}", "type": "template", "template": template}


def opening(token: str, **data: Any) -> dict[str, Any]:
    action = {"flow_token": token, "flow_action_data": data}
    return {"type": "button", "sub_type": "flow", "index": "0", "parameters": [{"type": "action", "action": action}]}


def test_the_form_of_a_templates_button_opens_on_the_phone(simulator: Simulator, application, business, survey):
    name = with_button(simulator, survey)
    sent = business.post(template_message(name, opening("t-2", name="Rosa")))["messages"][0]["id"]
    where = {"number": NUMBER, "customer": ROSA}

    assert "Responder" in page(simulator, "/?" + urlencode(where))
    assert "Hola Rosa" in page(simulator, "/phone/form/open", **where, message=sent)
    page(simulator, "/phone/form", **where, shoe="43")
    page(simulator, "/phone/form", **where, likes=["run"])

    answer = wait_until(lambda: next((one for one in application.messages() if one["type"] == "interactive"), None))
    assert answer["context"]["id"] == sent
    values = json.loads(answer["interactive"]["nfm_reply"]["response_json"])
    assert values == {"flow_token": "t-2", "shoe": "43", "likes": ["run"], "news": False}


def test_a_template_that_opens_a_flow_wants_what_opens_it(simulator: Simulator, application, business, survey):
    name = with_button(simulator, survey)

    with pytest.raises(Refused) as refusal:
        business.post(template_message(name))
    assert refusal.value.body["error"]["code"] == 131008
    assert "type Flow requires a parameter" in refusal.value.body["error"]["error_data"]["details"]


def test_a_template_does_not_open_a_flow_that_was_taken_back(simulator: Simulator, application, business, survey):
    name = with_button(simulator, survey)
    call(simulator, "POST", f"{survey}/deprecate")

    with pytest.raises(Refused) as refusal:
        business.post(template_message(name, opening("t-2")))
    assert refusal.value.body["error"]["code"] == 131009
