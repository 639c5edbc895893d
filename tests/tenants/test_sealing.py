"""Sealing goes on whatever comes between: other keys, a crash, another one that seals."""

import io

import pytest
from django.core.management import call_command

from tenants.audit import chain, sealing
from tenants.audit.sealing import seal
from tenants.audit.verifying import Kind
from tenants.encryption import _cipher
from tenants.models import ChainEntry, ChainKey, Queue
from tests.at_once import at_once
from tests.cast import found_company
from tests.tenants.histories import count_entries, count_history, findings, grow, kinds, superuser

# --- Keys ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def new_key(settings, grown):
    number = max(settings.ENCRYPTION_KEYS) + 1
    settings.ENCRYPTION_KEYS = {number: bytes(range(32)), **settings.ENCRYPTION_KEYS}
    yield number
    _cipher.cache_clear()


@pytest.mark.django_db
def test_after_the_keys_were_rotated_and_the_old_one_is_gone_all_is_verified(settings, grown, new_key):
    call_command("rotate_keys", stdout=io.StringIO())
    settings.ENCRYPTION_KEYS = {new_key: settings.ENCRYPTION_KEYS[new_key]}
    _cipher.cache_clear()
    assert findings() == []

    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert (seal(), findings()) == (1, [])
    with grown.transaction():
        assert list(ChainKey.objects.order_by("number").values_list("number", "master")) == [
            (1, new_key - 1),
            (2, new_key),
        ]
        assert ChainEntry.objects.latest("seq").key_number == 2


@pytest.mark.django_db
def test_a_key_that_cannot_be_opened_is_told_and_sealing_goes_on(settings, grown):
    with superuser() as cursor:
        cursor.execute("UPDATE tenants_chainkey SET key = '\\x00' WHERE tenant_id = %s", [grown.tenant.pk])
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert seal() == 1
    assert kinds(grown).keys() == {Kind.UNREADABLE}


# --- Two at once, and a crash between -------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("nothing_remembered")
def test_a_sealer_that_dies_between_leaves_whole_pages_and_the_next_goes_on(ours, monkeypatch):
    grow(ours, 50)
    monkeypatch.setattr(sealing, "PAGE", 20)
    append = chain.append
    calls = []

    def die_at_the_third(cursor, rows):
        made = append(cursor, rows)
        calls.append(made)
        if len([each for each in calls if each]) == 3:
            raise SystemExit
        return made

    monkeypatch.setattr(chain, "append", die_at_the_third)
    with pytest.raises(SystemExit):
        seal()
    assert count_entries() == sum(calls) - calls[-1] > 0
    monkeypatch.setattr(chain, "append", append)

    seal()

    assert findings() == []
    assert count_entries() == count_history()


def test_two_sealers_at_once_make_one_chain(committed, monkeypatch):
    ours = found_company("ours", number_id="100000000000001")
    found_company("theirs", number_id="200000000000001")
    for n in range(60):
        with ours.transaction():
            Queue.objects.filter(pk=ours.sales.pk).update(name=f"Sales {n}")
    monkeypatch.setattr(sealing, "PAGE", 7)

    made = [*at_once(*[seal] * 4), seal()]

    assert sum(made) == count_entries() == count_history()
    assert findings() == []
