"""History goes in one way alone: by an erasure, which the chain remembers."""

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, ProgrammingError, connection, transaction

from crm.models import Contact, Message
from tenants.audit import forget
from tenants.context import system_transaction, tenant_transaction
from tenants.models import ChainEntry, ForgottenEvent, Queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def changed_contact(ours) -> Contact:
    """Three rows of history: two changes and the end of it."""
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, name="Rosa", phone="51987654321")
        Contact.objects.filter(pk=contact.pk).update(name="Rosa Quispe")
        Contact.objects.filter(pk=contact.pk).update(email="rosa@example.com")
        Contact.objects.filter(pk=contact.pk)._raw_delete("default")
    return contact


def history_of(contact: Contact) -> int:
    return Contact.history.rel.related_model.objects.filter(pgh_obj_id=contact.pk).count()


def run(sql: str, *parameters: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def test_what_was_kept_of_an_object_is_gone_and_the_chain_says_by_which_erasure(ours, changed_contact):
    with ours.transaction():
        gone = forget(tenant_id=ours.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="erasure 17")

        assert (gone, history_of(changed_contact)) == (3, 0)
        assert set(ForgottenEvent.objects.values_list("table_name", "erasure")) == {("crm_contactevent", "erasure 17")}
        assert list(ChainEntry.objects.order_by("seq").values_list("seq", "table_name", "event_id")) == [
            (seq, "tenants_forgottenevent", forgotten)
            for seq, forgotten in enumerate(ForgottenEvent.objects.order_by("pk").values_list("pk", flat=True), start=1)
        ]


def test_other_objects_keep_theirs_and_a_second_time_changes_nothing(ours, changed_contact):
    with ours.transaction():
        Queue.objects.filter(pk=ours.sales.pk).update(name="Sales")
        before = ours.sales.history.count()
        asked = {Contact: [changed_contact.pk], Queue: [ours.support.pk]}

        assert forget(tenant_id=ours.tenant.pk, objects=asked, erasure="1") == 4
        assert forget(tenant_id=ours.tenant.pk, objects=asked, erasure="2") == 0
        assert forget(tenant_id=ours.tenant.pk, objects={}, erasure="3") == 0
        assert ours.sales.history.count() == before


def test_the_system_may_forget_for_a_company(ours, changed_contact):
    with system_transaction():
        assert forget(tenant_id=ours.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="1") == 3


def test_another_companys_history_stays(ours, theirs, changed_contact):
    with theirs.transaction():
        assert forget(tenant_id=theirs.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="1") == 0
    with theirs.transaction(), pytest.raises(ProgrammingError, match="another tenant"), transaction.atomic():
        forget(tenant_id=ours.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="1")

    with ours.transaction():
        assert history_of(changed_contact) == 3


def test_nothing_goes_when_the_erasure_fails(ours, changed_contact):
    with pytest.raises(RuntimeError), ours.transaction():
        forget(tenant_id=ours.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="1")
        raise RuntimeError

    with ours.transaction():
        assert history_of(changed_contact) == 3
        assert not ForgottenEvent.objects.exists()
        assert not ChainEntry.objects.exists()


def test_what_is_not_audited_is_refused(ours):
    with ours.transaction(), pytest.raises(FieldDoesNotExist):
        forget(tenant_id=ours.tenant.pk, objects={Message: []}, erasure="1")


@pytest.mark.parametrize("table", ["crm_contact", "tenants_chainentry", "tenants_tenantevent", "nothing"])
def test_what_is_no_history_is_not_removed_by_that_way(ours, table):
    with ours.transaction(), pytest.raises(DatabaseError):
        run("SELECT forget_history(%s, jsonb_build_object(%s::text, '[]'::jsonb), 'x')", ours.tenant.pk, table)


def test_without_a_company_nothing_is_forgotten(ours, changed_contact):
    with pytest.raises(ProgrammingError, match="another tenant"), transaction.atomic():
        forget(tenant_id=ours.tenant.pk, objects={Contact: [changed_contact.pk]}, erasure="1")


WRITES = [
    "UPDATE tenants_queueevent SET name = 'x'",
    "DELETE FROM tenants_queueevent",
    "TRUNCATE tenants_queueevent",
    "UPDATE tenants_chainentry SET seq = seq + 1",
    "DELETE FROM tenants_chainentry",
    "TRUNCATE tenants_chainentry",
    "UPDATE tenants_forgottenevent SET erasure = 'x'",
    "DELETE FROM tenants_forgottenevent",
    "DELETE FROM tenants_chainkey",
    "INSERT INTO tenants_forgottenevent (tenant_id, table_name, event_id, erasure) VALUES (gen_random_uuid(), 'x', 1, 'x')",
]


@pytest.mark.parametrize("sql", WRITES)
@pytest.mark.parametrize("ignored", ["{}", "{pgtrigger_append_only_ce323}"])
def test_the_application_can_change_neither_history_nor_chain(ours, sql, ignored):
    """Not even by telling the triggers to look away, which everybody may."""
    for scope in (lambda: tenant_transaction(ours.tenant.pk), system_transaction):
        with scope(), pytest.raises(DatabaseError, match=r"permission denied|must be owner"), transaction.atomic():
            run("SELECT set_config('pgtrigger.ignore', %s, true)", ignored)
            run(sql)


def test_only_the_system_seals_keys_anew(ours):
    with ours.transaction(), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        run("UPDATE tenants_chainkey SET master = 2")
    with system_transaction():
        run("UPDATE tenants_chainkey SET master = 2")
