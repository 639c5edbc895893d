"""A number's key from here to WhatsApp and back, against the simulator."""

import pytest
from django.db import connection

from tenants import clock
from tenants.models import Alert
from tests.whatsapp.flows.phone import Phone
from whatsapp.flows import keys, registry
from whatsapp.models import FlowKey, KeyState
from whatsapp.simulator.process import Simulator

pytestmark = pytest.mark.django_db

NUMBER, TOKEN = "100000000000001", "EAAsim-demo-ventas-000001"


def upload(company) -> None:
    keys.upload(tenant_id=company.tenant.pk, number_id=company.number.pk, now=clock.now())


def in_use(company) -> FlowKey:
    with company.transaction():
        return FlowKey.objects.get(uploaded_at__isnull=False, replaced_at=None)


def of_whatsapp(simulator: Simulator) -> str:
    (found,) = simulator.call("GET", f"/v25.0/{NUMBER}/whatsapp_business_encryption", token=TOKEN)["data"]
    return found.get("business_public_key", "")


def test_it_is_uploaded_and_found_valid(ours, key, whatsapp):
    upload(ours)

    assert in_use(ours).state == KeyState.VALID
    assert of_whatsapp(whatsapp) == key.public_key


def test_two_clicks_make_one_key(ours, key):
    with ours.transaction():
        assert keys.prepare(number=ours.number).pk == key.pk


def test_the_private_half_is_sealed(ours, key):
    with ours.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT private_key::text FROM whatsapp_flowkey")
        assert b"PRIVATE KEY".hex() not in cursor.fetchone()[0]


def test_a_second_key_takes_the_place_of_the_first(ours, key, whatsapp):
    upload(ours)
    with ours.transaction():
        second = keys.prepare(number=ours.number)
    before = Phone(second.public_key).says({"action": "ping"})
    upload(ours)

    assert before[0] == 200  # before WhatsApp knew of it
    assert in_use(ours).pk == second.pk and of_whatsapp(whatsapp) == second.public_key
    assert Phone(key.public_key).says({"action": "ping"})[0] == 200


def test_a_key_that_somebody_else_uploaded_shows(ours, theirs, key, whatsapp):
    upload(ours)
    with theirs.transaction():
        other = keys.prepare(number=theirs.number).public_key
    whatsapp.call("POST", f"/v25.0/{NUMBER}/whatsapp_business_encryption", {"business_public_key": other}, token=TOKEN)

    keys.check(tenant_id=ours.tenant.pk, now=clock.now())

    assert in_use(ours).state == KeyState.MISMATCH
    with ours.transaction():
        assert Alert.objects.get(resolved_at=None).kind == "flow-key-mismatch"

    whatsapp.call(
        "POST", f"/v25.0/{NUMBER}/whatsapp_business_encryption", {"business_public_key": key.public_key}, token=TOKEN
    )
    keys.check(tenant_id=ours.tenant.pk, now=clock.now())
    with ours.transaction():
        assert not Alert.objects.filter(resolved_at=None).exists()


def test_a_refusal_is_kept_for_the_person_and_not_repeated(ours, key, whatsapp):
    with ours.transaction():
        ours.number.token = "a-token-nobody-has"
        ours.number.save(update_fields=["token"])

    upload(ours)

    with ours.transaction():
        waiting = FlowKey.objects.get()
    assert waiting.refusal and waiting.uploaded_at is None
    assert registry.due(now=clock.now())[1] == []


def test_what_did_not_arrive_is_tried_again(ours, key, settings):
    settings.GRAPH_API_URL = "http://127.0.0.1:9"
    now = clock.now()
    assert registry.due(now=now)[1] == [(ours.tenant.pk, ours.number.pk)]

    upload(ours)

    with ours.transaction():
        assert FlowKey.objects.get().refusal == ""
    assert registry.due(now=now)[1] == []
    assert registry.due(now=now + 2 * FlowKey.TRY_AGAIN_AFTER)[1] == [(ours.tenant.pk, ours.number.pk)]
