"""What an erasure forgot is no gap in the sealed history, and cannot be made to look like another."""

import threading

import pytest
from django.db import connections

from crm.models import Contact
from tenants.audit import forget
from tenants.audit.sealing import seal
from tenants.audit.verifying import Kind
from tenants.models import ChainEntry, Queue
from tests.cast import found_company
from tests.tenants.histories import findings, kinds, superuser


@pytest.fixture
def erased(grown) -> Contact:
    """A contact whose history was sealed, but for its last row, and then forgotten."""
    with grown.transaction():
        contact = Contact.objects.create(tenant=grown.tenant, name="Rosa")
        Contact.objects.filter(pk=contact.pk).update(name="Rosa Quispe")
    seal()
    with grown.transaction():
        Contact.objects.filter(pk=contact.pk)._raw_delete("default")
        forget(tenant_id=grown.tenant.pk, objects={Contact: [contact.pk]}, erasure="erasure 17")
    return contact


@pytest.mark.django_db
def test_what_an_erasure_removed_is_not_missing(grown, erased):
    assert (seal(), findings()) == (0, [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE tenants_forgottenevent SET erasure = 'erasure 18'", {Kind.CHANGED: 2}),
        ("DELETE FROM tenants_forgottenevent", {Kind.MISSING: 3}),
        ("UPDATE tenants_forgottenevent SET table_name = 'tenants_queueevent', event_id = 300 + (SELECT count(*) FROM tenants_forgottenevent o WHERE o.id < tenants_forgottenevent.id)",
         {Kind.CHANGED: 2, Kind.MISSING: 1, Kind.RETURNED: 2}),
    ],
)  # fmt: skip
def test_an_erasure_cannot_be_made_to_say_something_else(grown, erased, sql, expected):
    with superuser() as cursor:
        cursor.execute(sql)

    assert kinds() == expected


def test_who_forgets_has_the_chain_alone(committed):
    """An erasure is under way: its company's rows wait for the next time, the others' do not."""
    ours, theirs = (
        found_company("ours", number_id="100000000000001"),
        found_company("theirs", number_id="200000000000001"),
    )
    made = []
    with ours.transaction():
        forget(tenant_id=ours.tenant.pk, objects={Queue: [ours.sales.pk]}, erasure="1")
        sealer = threading.Thread(target=lambda: (made.append(seal()), connections.close_all()))
        sealer.start()
        sealer.join()

    with ours.transaction():
        assert ChainEntry.objects.count() == 1
    with theirs.transaction():
        assert ChainEntry.objects.count() == made[0] > 0
    seal()
    assert findings() == []
