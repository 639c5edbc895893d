"""The application cannot change a row and leave no history, whatever it tells the triggers."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from crm.models import Contact
from tenants.audit.guarding import guard, is_guarded
from tenants.checks import check_history
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Queue
from tests.plugin import servers

pytestmark = pytest.mark.django_db

TRIGGERS = "SELECT array_agg(DISTINCT tgname)::text FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'"
# As django-pgtrigger installs it with every trigger.
LAX = """
CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean AS $$
BEGIN RETURN trigger_name = ANY (current_setting('pgtrigger.ignore', true)::text[]); END $$ LANGUAGE plpgsql
"""


def run(sql: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def scopes(company) -> tuple:
    return (lambda: tenant_transaction(company.tenant.pk), system_transaction)


def test_telling_all_triggers_to_look_away_changes_nothing(ours):
    for scope in scopes(ours):
        with scope():
            before = ours.sales.history.count()
            run(f"SELECT set_config('pgtrigger.ignore', ({TRIGGERS}), true)")
            run("UPDATE tenants_queue SET name = name || '!' WHERE id = %s", ours.sales.pk)

            assert ours.sales.history.count() == before + 1


def test_an_insert_and_an_end_are_kept_as_well(ours):
    with ours.transaction():
        run(f"SELECT set_config('pgtrigger.ignore', ({TRIGGERS}), true)")
        queue = Queue.objects.create(tenant=ours.tenant, name="Night")
        contact = Contact.objects.create(tenant=ours.tenant, name="Rosa", phone="51987654321")
        Contact.objects.filter(pk=contact.pk)._raw_delete("default")

        assert queue.history.count() == 1
        assert Contact.history.rel.related_model.objects.filter(pgh_obj_id=contact.pk).count() == 1


@pytest.mark.parametrize("ignored", ["", "{}", "no array", "{*}"])
def test_what_is_no_list_of_triggers_is_none(ours, ignored):
    with ours.transaction():
        before = ours.sales.history.count()
        run("SELECT set_config('pgtrigger.ignore', %s, true)", ignored)
        run("UPDATE tenants_queue SET name = 'Sales' WHERE id = %s", ours.sales.pk)

        assert ours.sales.history.count() == before + 1


@pytest.mark.parametrize("path", ["pg_temp, public", "public, pg_temp", "public"])
def test_a_table_of_the_same_name_does_not_catch_it(ours, path):
    """A temporary table is found before all others, unless the search path says otherwise."""
    for scope in scopes(ours):
        with scope():
            before = ours.sales.history.count()
            run("CREATE TEMP TABLE tenants_queueevent (LIKE public.tenants_queueevent)")
            run("SELECT set_config('search_path', %s, true)", path)
            run("UPDATE public.tenants_queue SET name = name || '!' WHERE id = %s", ours.sales.pk)
            run("SELECT set_config('search_path', 'public', true)")
            run("DROP TABLE pg_temp.tenants_queueevent")

            assert ours.sales.history.count() == before + 1


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE tenants_queue DISABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = 'replica'",
        "SET LOCAL ROLE crm_owner",
        "TRUNCATE tenants_queue CASCADE",
        LAX,
        "DROP FUNCTION public._pgtrigger_should_ignore(name) CASCADE",
    ],
)
def test_nor_are_there_other_ways_to_turn_them_off(ours, sql):
    for scope in scopes(ours):
        with scope(), pytest.raises(DatabaseError, match=r"permission denied|must be owner"), transaction.atomic():
            as_the_application_alone(sql)


def as_the_application_alone(sql: str) -> None:
    """The tests' login owns the server and may become anybody; an installation's is crm_app and no more."""
    run("SET LOCAL SESSION AUTHORIZATION crm_app")
    try:
        run(sql)
    finally:
        connection.needs_rollback = True


@contextmanager
def as_owner() -> Iterator[psycopg.Cursor]:
    with psycopg.connect(servers.database_url, options="-c role=crm_owner") as owner, owner.cursor() as cursor:
        yield cursor
        owner.rollback()


def test_every_trigger_is_guarded_after_migrate():
    with connection.cursor() as cursor:
        assert is_guarded(cursor)
    assert check_history(databases=["default"]) == []


def test_a_migration_that_installs_a_trigger_opens_it_until_migrate_ends():
    with as_owner() as cursor:
        cursor.execute(LAX)
        assert not is_guarded(cursor)
        guard(cursor)
        assert is_guarded(cursor)

        cursor.execute(
            "SELECT 'ALTER FUNCTION ' || tgfoid::regprocedure || ' RESET search_path' FROM pg_trigger"
            " WHERE tgrelid = 'tenants_queue'::regclass AND tgname LIKE 'pgtrigger%' LIMIT 1"
        )
        cursor.execute(cursor.fetchone()[0])
        assert not is_guarded(cursor)
        guard(cursor)
        assert is_guarded(cursor)


def test_nothing_serves_before_that(monkeypatch):
    monkeypatch.setattr("tenants.checks.is_guarded", lambda cursor: False)

    assert [error.id for error in check_history(databases=["default"])] == ["tenants.E003"]


def test_the_owner_may_still_tell_them(ours):
    """As an erasure does, by a function of the owner's."""
    with as_owner() as cursor:
        cursor.execute(f"SELECT set_config('pgtrigger.ignore', ({TRIGGERS}), true)")
        cursor.execute("SELECT _pgtrigger_should_ignore(min(tgname)) FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'")
        assert cursor.fetchone() == (True,)
