"""The rest of the Graph API: templates, numbers, media, subscriptions, tokens."""

import urllib.error
import urllib.request
import uuid

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN
from whatsapp.flows.encryption import new_pair
from whatsapp.simulator.process import Refused, Simulator, wait_until

ACCOUNT = "300000000000001"


def test_templates_are_paged_and_cover_states_and_languages(simulator: Simulator):
    found, path = [], f"/v25.0/{ACCOUNT}/message_templates?limit=7"
    while path:
        page = simulator.call("GET", path, token=TOKEN)
        found += page["data"]
        path = page["paging"].get("next", "").removeprefix(simulator.url)

    assert len(found) > 14 and len({one["id"] for one in found}) == len(found)
    assert {one["language"] for one in found} == {"es", "en_US", "pt_BR"}
    assert {"APPROVED", "PAUSED", "PENDING"} <= {one["status"] for one in found}


def test_a_template_is_made_pending_then_deleted(simulator: Simulator):
    path = f"/v25.0/{ACCOUNT}/message_templates"
    wanted = {
        "name": "nuevo_aviso",
        "language": "es",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hola"}],
    }

    made = simulator.call("POST", path, wanted, token=TOKEN)
    deleted = simulator.call("DELETE", f"{path}?name=nuevo_aviso", token=TOKEN)

    assert made["status"] == "PENDING" and deleted == {"success": True}
    assert simulator.call("GET", f"{path}?name=nuevo_aviso", token=TOKEN)["data"] == []


WORDS = "Hola {{1}}, tu pedido ya va hoy."


def wanted(text: str = WORDS, *, name: str = "nuevo_aviso", **more) -> dict:
    body = {"type": "BODY", "text": text, "example": {"body_text": [["Rosa"]]}}
    return {"name": name, "language": "es_PE", "category": "UTILITY", "components": [body]} | more


def test_a_new_template_is_approved_after_a_moment_and_told_by_webhook(simulator: Simulator, application):
    made = simulator.call("POST", f"/v25.0/{ACCOUNT}/message_templates", wanted(), token=TOKEN)

    (told,) = wait_until(lambda: application.values("message_template_status_update"))

    assert told["event"] == "APPROVED" and told["message_template_id"] == int(made["id"])
    assert (told["message_template_name"], told["message_template_language"]) == ("nuevo_aviso", "es-PE")


def test_the_control_lets_meta_pause_and_rate_a_template(simulator: Simulator, application):
    order = {"name": "hello_world", "language": "en_US", "event": "PAUSED", "quality": "RED"}
    simulator.call("POST", "/control/templates", order)

    (paused,) = wait_until(lambda: application.values("message_template_status_update"))
    (rated,) = wait_until(lambda: application.values("message_template_quality_update"))

    assert (paused["event"], paused["other_info"]["title"]) == ("PAUSED", "FIRST_PAUSE")
    assert (rated["previous_quality_score"], rated["new_quality_score"]) == ("GREEN", "RED")
    with pytest.raises(Refused):
        simulator.call("POST", "/control/templates", order | {"event": "SOLD"})
    with pytest.raises(Refused):
        simulator.call("POST", "/control/templates", order | {"name": "unheard_of"})


@pytest.mark.parametrize(
    ("template", "subcode"),
    [
        (wanted(name="Nuevo"), 2388023),
        (wanted(name="hello_world", language="en_US"), 2388024),
        (wanted("a" * 1025), 2388040),
        (wanted("{{1}}, tu pedido ya va hoy."), 2388299),
        (wanted("Hola {{1}}, hoy."), 2388293),
        (wanted(components=[{"type": "BODY", "text": WORDS}]), 2388043),
        (wanted(components=[{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hola"}]), 2388273),
    ],
)
def test_what_is_wrong_is_refused_with_metas_subcode(simulator: Simulator, template, subcode):
    with pytest.raises(Refused) as refused:
        simulator.call("POST", f"/v25.0/{ACCOUNT}/message_templates", template, token=TOKEN)

    assert refused.value.body["error"]["error_subcode"] == subcode


def test_an_upload_whose_length_is_another_is_refused(simulator: Simulator):
    about = {"file_length": 5, "file_type": "image/png", "file_name": "a.png"}
    session = simulator.call("POST", "/v25.0/app/uploads", about, token=TOKEN)["id"]
    address = f"{simulator.url}/v25.0/{session}"
    headers = {"Authorization": f"OAuth {TOKEN}", "file_offset": "0"}

    def write(content: bytes) -> int:
        request = urllib.request.Request(address, content, headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code

    assert (write(b"1234"), write(b"12345")) == (400, 200)


def test_numbers_tell_only_what_was_asked(simulator: Simulator):
    numbers = simulator.call("GET", f"/v25.0/{ACCOUNT}/phone_numbers?fields=id,quality_rating", token=TOKEN)["data"]
    one = simulator.call("GET", f"/v26.0/{NUMBER}?fields=throughput,status", token=TOKEN)

    assert [number["id"][-3:] for number in numbers] == ["001", "002", "003", "004"]
    assert numbers[0] == {"id": NUMBER, "quality_rating": "GREEN"}
    assert one == {"id": NUMBER, "throughput": {"level": "STANDARD"}, "status": "CONNECTED"}


def test_another_accounts_token_sees_nothing(simulator: Simulator):
    with pytest.raises(Refused) as refused:
        simulator.call("GET", f"/v25.0/{ACCOUNT}/phone_numbers", token="EAAsim-otra-ventas-000009")

    assert refused.value.status == 403


def upload(simulator: Simulator, content: bytes) -> str:
    boundary = uuid.uuid4().hex
    fields = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (boundary.encode(), name, value)
        for name, value in ((b"messaging_product", b"whatsapp"), (b"type", b"image/png"))
    )
    file = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
    body = fields + file % (boundary.encode(), content) + b"--%s--\r\n" % boundary.encode()
    request = urllib.request.Request(f"{simulator.url}/v25.0/{NUMBER}/media", body, method="POST")
    request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode().split('"')[3]


def fetch(url: str, token: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def test_uploaded_media_come_back_byte_for_byte_and_only_with_a_token(simulator: Simulator):
    content = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\r\n"
    media_id = upload(simulator, content)

    about = simulator.call("GET", f"/v25.0/{media_id}", token=TOKEN)

    assert (about["mime_type"], about["file_size"]) == ("image/png", len(content))
    assert fetch(about["url"], TOKEN) == (200, content)
    assert fetch(about["url"])[0] == 401
    assert fetch(about["url"].replace("hash=", "hash=x"), TOKEN)[0] == 404


@pytest.mark.parametrize(("kind", "start"), [("image", b"\xff\xd8\xff"), ("voice", b"OggS"), ("document", b"%PDF")])
def test_what_customers_send_are_real_files(simulator: Simulator, application, kind: str, start: bytes):
    (wamid,) = simulator.inbound(phone_number_id=NUMBER, sender="51912345678", type=kind)
    message = application.message(wamid)

    about = simulator.call("GET", f"/v25.0/{message[message['type']]['id']}", token=TOKEN)

    assert fetch(about["url"], TOKEN)[1].startswith(start)


def test_an_override_needs_a_subscription_first(simulator: Simulator):
    path = f"/v25.0/{ACCOUNT}/subscribed_apps"
    override = {"override_callback_uri": "https://x.test/", "verify_token": "v"}
    simulator.call("DELETE", path, token=TOKEN)

    with pytest.raises(Refused) as refused:
        simulator.call("POST", path, override, token=TOKEN)
    simulator.call("POST", path, {}, token=TOKEN)
    simulator.call("POST", path, override, token=TOKEN)

    assert refused.value.body["error"]["code"] == 100
    assert simulator.call("GET", path, token=TOKEN)["data"][0]["override_callback_uri"] == "https://x.test/"


def test_a_token_is_described(simulator: Simulator):
    data = simulator.call("GET", f"/v25.0/debug_token?input_token={TOKEN}", token="app|secret")["data"]

    assert data["is_valid"] and data["expires_at"] == 0
    assert data["granular_scopes"][0]["target_ids"] == [ACCOUNT]


def test_registration_profile_and_key(simulator: Simulator):
    number = f"/v25.0/{NUMBER}"
    _private, key = new_pair()

    assert simulator.call("POST", f"{number}/register", {"messaging_product": "whatsapp", "pin": "123456"}, token=TOKEN)
    simulator.call("POST", f"{number}/whatsapp_business_profile", {"about": "Hola"}, token=TOKEN)
    simulator.call("POST", f"{number}/whatsapp_business_encryption", {"business_public_key": key}, token=TOKEN)

    assert simulator.call("GET", f"{number}/whatsapp_business_profile", token=TOKEN)["data"][0]["about"] == "Hola"
    (encryption,) = simulator.call("GET", f"{number}/whatsapp_business_encryption", token=TOKEN)["data"]
    assert encryption == {"business_public_key": key, "business_public_key_signature_status": "VALID"}


@pytest.mark.parametrize("key", ["", "no key", "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----"])
def test_what_is_no_key_is_refused(simulator: Simulator, key: str):
    with pytest.raises(Refused) as refusal:
        simulator.call(
            "POST", f"/v25.0/{NUMBER}/whatsapp_business_encryption", {"business_public_key": key}, token=TOKEN
        )

    assert refusal.value.body["error"]["code"] == 100


def test_the_application_confirms_its_address(simulator: Simulator, application):
    assert simulator.call("POST", "/control/handshake", {}) == {"verified": True, "status": 200}
