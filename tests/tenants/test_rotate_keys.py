"""A new master key: everything is sealed again, while people read and write, and a killed run goes on."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants import rotating
from tenants.context import system_transaction
from tenants.encryption import CannotOpen, _cipher
from whatsapp.models import Number, WebhookEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(ours) -> list[int]:
    with system_transaction():
        rows = [WebhookEvent(body=b"body %d" % i, tenant=ours.tenant if i % 2 else None) for i in range(7)]
        return [row.pk for row in WebhookEvent.objects.bulk_create(rows)]


@pytest.fixture
def new_key(settings, ours, theirs, events) -> int:
    """Announce another master key after the rows of both companies were sealed with the first."""
    number = max(settings.ENCRYPTION_KEYS) + 1
    settings.ENCRYPTION_KEYS = {number: bytes(32), **settings.ENCRYPTION_KEYS}
    yield number
    _cipher.cache_clear()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(rotating, "BATCH", 3)


def run() -> str:
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def bodies() -> list[bytes]:
    with system_transaction():
        return list(WebhookEvent.objects.order_by("pk").values_list("body", flat=True))


def column(name: str) -> rotating.Column:
    return next(column for column in rotating.sealed_columns() if str(column) == name)


def test_every_sealed_column_is_found():
    found = {str(column) for column in rotating.sealed_columns()}

    assert {"whatsapp_number.token", "whatsapp_webhookevent.body", "crm_message.text", "crm_message.payload"} <= found


def test_everything_carries_the_newest_key_and_reads_as_before(new_key, ours, theirs, events):
    before = bodies()

    printed = run()

    assert bodies() == before
    with theirs.transaction():
        assert Number.objects.get().token == "token-of-theirs-000001"
    assert rotating.count_by_key(column("whatsapp_webhookevent.body")) == {new_key: 7}
    assert rotating.count_by_key(column("whatsapp_number.token")) == {new_key: 2}
    assert f"key {new_key}: 11 values" in printed
    assert "whatsapp_webhookevent.body: 7 sealed again" in printed


def test_a_sealed_value_still_belongs_to_its_own_tenant(new_key, ours, theirs):
    run()

    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE whatsapp_number a SET token = b.token FROM whatsapp_number b WHERE a.tenant_id <> b.tenant_id"
        )
    with ours.transaction(), pytest.raises(CannotOpen):
        _ = Number.objects.get().token


def test_a_killed_run_goes_on_where_it_was(new_key, ours, events):
    body = column("whatsapp_webhookevent.body")
    next(rotating.rotate(body))  # the first batch, then the power goes
    assert rotating.count_by_key(body)[new_key] == 3

    assert [batch.resealed for batch in rotating.rotate(body)] == [3, 1]
    assert "sealed again" in run()
    assert "sealed again" not in run()


def test_what_somebody_wrote_meanwhile_stays(new_key, ours, events, monkeypatch):
    body = column("whatsapp_webhookevent.body")
    reseal = rotating._resealed

    def write_first(value, column):
        monkeypatch.setattr(rotating, "_resealed", reseal)
        event = WebhookEvent.objects.get(pk=events[0])
        event.body = b"written meanwhile"
        event.save(update_fields=["body"])
        return reseal(value, column)

    monkeypatch.setattr(rotating, "_resealed", write_first)
    batches = list(rotating.rotate(body))

    assert [batch.resealed for batch in batches] == [2, 3, 1]
    assert bodies()[0] == b"written meanwhile"


def test_what_cannot_be_opened_is_left_counted_and_told(settings, new_key, ours, events):
    settings.ENCRYPTION_KEYS = {new_key: bytes(32)}  # the older key is gone too early
    _cipher.cache_clear()

    with pytest.raises(CommandError, match="11 values could not be opened"):
        run()

    assert new_key not in rotating.count_by_key(column("whatsapp_webhookevent.body"))


def test_rotation_leaves_no_trace_in_the_history(new_key, ours):
    with ours.transaction():
        before = ours.number.history.count()

    run()

    with ours.transaction():
        assert ours.number.history.count() == before
