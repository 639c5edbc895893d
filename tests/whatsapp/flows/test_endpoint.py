"""The address as a phone meets it, through Django's whole middleware; the screens are the layer's above."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants import clock
from tests.whatsapp.flows.phone import Phone
from tests.whatsapp.flows.vectors import VECTORS
from whatsapp.flows import endpoint, keys
from whatsapp.models import Endpoint, FlowKey, Number
from whatsapp.strangers import MOST_FORGED, Strangers

pytestmark = pytest.mark.django_db

PING = {"version": "3.0", "action": "ping"}
ACTIVE = {"data": {"status": "active"}}


def test_a_ping_is_answered(phone):
    assert phone.says(PING) == (200, ACTIVE)


def test_vectors_of_another_program_are_answered(ours, key, phone):
    with ours.transaction():
        field = FlowKey._meta.get_field("private_key")
        sealed = field.sealed(VECTORS["key"]["private_key"], tenant_id=ours.tenant.pk)
        FlowKey.objects.update(private_key=sealed)

    ping = VECTORS["exchanges"][0]

    answer = phone.posts(json.dumps(ping["body"]).encode())

    assert answer.status_code == 200 and answer["Content-Type"] == "text/plain"
    flipped = bytes(byte ^ 0xFF for byte in base64.b64decode(ping["body"]["initial_vector"]))
    opened = AESGCM(bytes.fromhex(ping["aes_key"])).decrypt(flipped, base64.b64decode(answer.content), None)
    assert json.loads(opened) == json.loads(ping["answer"])


def test_an_error_that_the_phone_reports_is_acknowledged(phone):
    notice = {"version": "3.0", "action": "INIT", "flow_token": "x", "data": {"error": "invalid-screen-transition"}}

    assert phone.says(notice) == (200, {"data": {"acknowledged": True}})


def test_a_wrong_signature_is_432(phone):
    assert phone.says(PING, signature="sha256=" + "0" * 64) == (432, None)
    assert phone.says(PING, signature="") == (432, None)


def test_a_body_changed_on_the_way_is_432(phone):
    signature = "sha256=" + "a" * 64

    assert phone.posts(b'{"encrypted_flow_data": ""}', signature=signature).status_code == 432


def test_whoever_forges_again_and_again_is_not_read_for_a_minute(phone, monkeypatch):
    monkeypatch.setattr(endpoint, "_strangers", Strangers())
    for _ in range(MOST_FORGED):
        assert phone.says(PING, signature="sha256=" + "0" * 64) == (432, None)

    assert phone.says(PING) == (429, None)


def test_where_genuine_ones_come_from_nobody_is_shut_out(phone, monkeypatch):
    monkeypatch.setattr(endpoint, "_strangers", Strangers())
    phone.says(PING)
    for _ in range(MOST_FORGED):
        phone.says(PING, signature="sha256=" + "0" * 64)

    assert phone.says(PING) == (200, ACTIVE)


def test_without_a_secret_everything_is_refused(phone, settings):
    settings.META_APP_SECRET = ""

    assert phone.says(PING) == (432, None)


def test_a_company_with_its_own_app_is_verified_with_its_own_secret(ours, phone):
    with ours.transaction():
        own = Endpoint.objects.create(tenant=ours.tenant, name="Ours", key="ours", app_secret="their-own-secret")
        Number.objects.filter(pk=ours.number.pk).update(endpoint=own)

    assert phone.says(PING) == (432, None)
    phone.secret = "their-own-secret"
    assert phone.says(PING) == (200, ACTIVE)


def test_an_address_switched_off_verifies_nothing(ours, phone):
    with ours.transaction():
        own = Endpoint.objects.create(
            tenant=ours.tenant, name="Ours", key="ours", app_secret=phone.secret, is_active=False
        )
        Number.objects.filter(pk=ours.number.pk).update(endpoint=own)

    assert phone.says(PING) == (432, None)


def test_a_key_that_is_not_ours_is_421(phone):
    phone.public_key = VECTORS["other_key"]["public_key"]

    assert phone.says(PING) == (421, None)


def test_a_body_that_is_no_exchange_is_421(phone):
    assert phone.posts(b"hello").status_code == 421


def test_an_unknown_number_says_nothing(phone):
    phone.number_id = "999999999999999"

    assert phone.says(PING) == (404, None)


def test_only_post_is_taken(phone):
    assert phone.client.get("/flows/100000000000001/").status_code == 405


def test_another_companys_key_does_not_open_here(theirs, phone):
    with theirs.transaction():
        phone.public_key = keys.prepare(number=theirs.number).public_key

    assert phone.says(PING) == (421, None)


def test_the_key_of_another_number_of_the_account_opens(ours, phone):
    """A Flow has one address, and every number of the account sends it with a key of its own."""
    with ours.transaction():
        sister = Number.objects.create(
            tenant=ours.tenant, alias="Soporte", phone_number_id="100000000000002", waba_id=ours.number.waba_id
        )
        phone.public_key = keys.prepare(number=sister).public_key

    assert phone.says(PING) == (200, ACTIVE)


def test_nobody_signed_in_is_asked_for_a_form_token(phone, ours):
    phone.client.force_login(ours.owner.user)

    assert phone.says(PING) == (200, ACTIVE)


def test_nothing_of_an_exchange_is_logged(phone, caplog):
    phone.says({"version": "3.0", "action": "data_exchange", "flow_token": "a-token", "data": {"error": "CANARIO 1"}})
    phone.says({"version": "3.0", "action": "data_exchange", "flow_token": "a-token", "data": {"x": "CANARIO 2"}})

    assert "CANARIO" not in caplog.text and "a-token" not in caplog.text
    assert not any("CANARIO" in str(vars(record)) for record in caplog.records)


class TestAfterTheKeyWasReplaced:
    @pytest.fixture
    def new_key(self, ours, key, phone) -> FlowKey:
        with ours.transaction():
            keys.put_into_use(key, clock.now())
            new = keys.prepare(number=ours.number)
            keys.put_into_use(new, clock.now())
            return new

    def test_a_phone_with_the_new_key_is_answered(self, new_key):
        assert Phone(new_key.public_key).says(PING) == (200, ACTIVE)

    def test_a_phone_with_the_old_key_is_answered_for_a_day(self, new_key, phone):
        assert phone.says(PING) == (200, ACTIVE)

    def test_then_it_must_fetch_the_new_one(self, ours, new_key, phone):
        with ours.transaction():
            old = FlowKey.objects.exclude(pk=new_key.pk).get()
            FlowKey.objects.filter(pk=old.pk).update(
                replaced_at=old.replaced_at - FlowKey.REPLACED_FOR - timedelta(seconds=1)
            )

        assert phone.says(PING) == (421, None)
        assert Phone(new_key.public_key).says(PING) == (200, ACTIVE)
