"""The tenant is a property of the transaction, and the database itself keeps the fence."""

import pytest
from django.db import IntegrityError, connection, transaction

from tenants.context import NoTenant, current_tenant_id, system_transaction, tenant_transaction
from tenants.models import Membership, Queue, Tenant, User
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "ask",
    [
        lambda: list(Queue.objects.all()),
        lambda: Queue.objects.count(),
        lambda: Queue.objects.exists(),
        lambda: Queue.objects.exclude(name="x").exists(),
        lambda: Queue.objects.filter(name="x").update(name="y"),
        lambda: Queue.objects.filter(name="x").delete(),
        lambda: Queue.objects.explain(),
        lambda: list(Queue.objects.values_list("id").iterator()),
    ],
)
def test_asking_outside_a_tenant_raises(ours, ask):
    with pytest.raises(NoTenant):
        ask()


def test_without_tenant_the_database_shows_nothing_even_to_raw_sql(ours):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_queue")

        assert cursor.fetchone() == (0,)


def test_a_tenant_sees_its_own_rows_only(ours, theirs):
    with ours.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tenant_id FROM whatsapp_number")

        assert cursor.fetchall() == [(ours.tenant.pk,)]
        assert [number.pk for number in Number.objects.all()] == [ours.number.pk]
        assert list(Tenant.objects.all()) == [ours.tenant]
        assert not User.objects.filter(email="owner@theirs.test").exists()


def test_a_row_cannot_be_written_into_another_tenant(ours, theirs):
    with ours.transaction(), pytest.raises(Exception, match="row-level security"), transaction.atomic():
        Queue.objects.create(tenant=theirs.tenant, name="smuggled")


def test_a_reference_cannot_leave_the_tenant(ours, theirs):
    with ours.transaction(), pytest.raises(IntegrityError), transaction.atomic():
        Number.objects.create(tenant=ours.tenant, phone_number_id="3", alias="x", queue_id=theirs.sales.pk)
        connection.check_constraints()


def test_an_inner_transaction_gives_the_outer_scope_back(ours, theirs):
    with ours.transaction():
        with theirs.transaction():
            assert current_tenant_id() == theirs.tenant.pk
        with system_transaction():
            assert Number.objects.count() == 2
        with pytest.raises(ZeroDivisionError), theirs.transaction():
            raise ZeroDivisionError

        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('app.tenant_id'), current_user")
            assert cursor.fetchone() == (str(ours.tenant.pk), "crm_app")
        assert Number.objects.get() == ours.number


def test_a_person_sees_their_own_memberships_before_choosing(ours, theirs):
    from tenants.middleware import memberships_of

    assert [m.tenant for m in memberships_of(ours.ana.user)] == [ours.tenant]


def test_the_history_of_a_number_keeps_no_token(ours):
    with ours.transaction():
        ours.number.alias = "renamed"
        ours.number.save(update_fields=["alias"])

        history = list(ours.number.history.order_by("pgh_id"))
        assert [event.alias for event in history] == ["ours ventas", "renamed"]
        assert not hasattr(history[0], "token")


def test_history_cannot_be_rewritten(ours):
    with ours.transaction(), pytest.raises(Exception, match=r"permission denied|append"), transaction.atomic():
        ours.number.history.update(alias="forged")


def test_a_second_triage_queue_is_refused(ours):
    with tenant_transaction(ours.tenant.pk), pytest.raises(IntegrityError), transaction.atomic():
        Queue.objects.create(tenant=ours.tenant, name="Otro", is_triage=True)


def test_deactivated_members_may_not_enter(ours):
    from tenants.middleware import memberships_of

    with ours.transaction():
        Membership.objects.filter(pk=ours.ana.pk).update(is_active=False)

    assert memberships_of(ours.ana.user) == []
