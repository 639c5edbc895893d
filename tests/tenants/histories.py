"""History of two companies that was sealed, what a look at it finds, and hands that touch it past the product."""

from collections import Counter
from contextlib import contextmanager

from django.db import connection

from tenants.audit import chain, verifying
from tenants.audit.sealing import seal
from tenants.audit.verifying import Verification, rows_without_entry
from tenants.context import system_transaction
from tenants.models import ChainEntry
from tests.cast import Company

TABLES = ("tenants_queueevent", "tenants_membershipevent")
ROWS, MANY_ROWS = 400, 1500
"""Of each company in each of the tables."""


@contextmanager
def superuser():
    """Whoever has the database: no policy, no trigger and no missing right is in the way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('role', 'none', true), set_config('session_replication_role', 'replica', true)"
        )
        yield cursor
        cursor.execute(
            "SELECT set_config('session_replication_role', 'origin', true), set_config('role', 'crm_app', true)"
        )


def grow(company: Company, rows: int, *, first: int = 1) -> None:
    """History of the last months, one row every quarter of an hour in each of two tables, by ids from `first` on."""
    moment = "now() - interval '1 day' - (%s - n) * interval '15 minutes'"
    with superuser() as cursor:
        for table in TABLES:  # what founding left bears the present, and comes after what is older
            cursor.execute(
                f"UPDATE {table} SET pgh_id = pgh_id + 1000000"
                " WHERE pgh_id < 5000 AND pgh_created_at > now() - interval '1 hour'"
            )
            cursor.execute("SELECT setval(%s, GREATEST(nextval(%s), 10000000))", [f"{table}_pgh_id_seq"] * 2)
        cursor.execute(
            "INSERT INTO tenants_queueevent (pgh_id, pgh_label, pgh_created_at, pgh_context, pgh_obj_id, tenant_id, id, name,"
            " is_triage, created_at)"
            f" SELECT %s + n, 'update', {moment}, jsonb_build_object('user', n), %s, %s, %s, 'Queue ' || n, false, now()"
            " FROM generate_series(1, %s) AS n",
            [first - 1, rows, company.sales.pk, company.tenant.pk, company.sales.pk, rows],
        )
        cursor.execute(
            "INSERT INTO tenants_membershipevent (pgh_id, pgh_label, pgh_created_at, pgh_obj_id, tenant_id, id, role, is_active,"
            " created_at, user_id)"
            f" SELECT %s + n, 'update', {moment}, %s, %s, %s, 'agent', true, now(), %s FROM generate_series(1, %s) AS n",
            [first - 1, rows, company.ana.pk, company.tenant.pk, company.ana.pk, company.ana.user_id, rows],
        )


def grown_to(rows: int, ours: Company, theirs: Company) -> Company:
    grow(ours, rows)
    grow(theirs, rows, first=rows + 1)
    seal()
    return ours


def findings(company: Company | None = None, **known) -> list[verifying.Finding]:
    tenant_ids = [company.tenant.pk] if company else verifying.chains()
    found = [finding for tenant_id in tenant_ids for finding in Verification(tenant_id, **known)]
    return [*found, *rows_without_entry(company.tenant.pk if company else None)]


def kinds(company: Company | None = None, **known) -> Counter:
    return Counter(finding.kind for finding in findings(company, **known))


def count_history() -> int:
    with system_transaction(), connection.cursor() as cursor:
        tables = list(verifying.history_tables(cursor))
        cursor.execute("SELECT " + " + ".join(f"(SELECT count(*) FROM {name})" for name in tables))
        return cursor.fetchone()[0]


def count_entries() -> int:
    with system_transaction():
        return ChainEntry.objects.count()


def cut(company: Company, *, keep: int) -> None:
    with superuser() as cursor:
        for table in TABLES:
            cursor.execute(
                f"DELETE FROM {table} h USING tenants_chainentry e WHERE e.tenant_id = %s AND h.tenant_id = %s"
                f" AND e.table_name = '{table}' AND e.event_id = h.pgh_id AND e.seq > %s",
                [company.tenant.pk, company.tenant.pk, keep],
            )
        cursor.execute("DELETE FROM tenants_chainentry WHERE tenant_id = %s AND seq > %s", [company.tenant.pk, keep])


def head_of(company: Company) -> chain.Head:
    with system_transaction(), connection.cursor() as cursor:
        return chain.heads(cursor, [company.tenant.pk])[company.tenant.pk]
