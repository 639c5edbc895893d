"""Sealing what history has gathered: a page at a time, in the order in which each table grew.

What turns up with a time from long before what is sealed already was not there when that was: it has been invented, and
gets no entry. Two sealers never write one chain at once; one that was killed leaves whole pages behind it.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tenants.audit import chain
from tenants.audit.tables import FORGOTTEN, Table, by_index, history_tables, read_canonically
from tenants.context import system_transaction

PAGE = 2_000
# No transaction that writes history is as long. A row bears the time at which its transaction began, and is seen when
# that ends: later by at most this than rows of the same time.
LONGEST_TRANSACTION = timedelta(hours=1)

_WITHOUT_ENTRY = """
NOT EXISTS (SELECT FROM tenants_chainentry e
            WHERE e.tenant_id = h.{tenant} AND e.table_name = %(table)s AND e.event_id = h.{id})
"""
_SETTLED = "SELECT COALESCE(max(settled_id), 0) FROM tenants_sealingprogress WHERE table_name = %s"
_NEXT = """
SELECT h.{id}, h.{tenant} FROM {table} h WHERE h.{id} > %(after)s AND {without_entry} ORDER BY h.{id} LIMIT %(limit)s
"""
_READ = """
WITH sealed AS (
    SELECT mine.id, (SELECT max(e.happened_at) FROM tenants_chainentry e
                     WHERE e.tenant_id = mine.id AND e.table_name = %(table)s) AS until
    FROM unnest(%(tenants)s::uuid[]) AS mine (id))
SELECT h.{tenant}, h.{id}, h.{time}, {digest}
FROM unnest(%(ids)s::bigint[]) AS page (id) JOIN {table} h ON h.{id} = page.id JOIN sealed ON sealed.id = h.{tenant}
WHERE {without_entry}
  AND h.{time} >= COALESCE(sealed.until - %(longest)s, '-infinity')
ORDER BY h.{id}
"""
# Until there nobody can add a row any more: who was given a smaller id has ended, however long it took.
_SETTLE = """
INSERT INTO tenants_sealingprogress AS p (table_name, settled_id)
SELECT %(table)s, max(h.{id})
FROM {table} h
JOIN tenants_chainentry e ON e.tenant_id = h.{tenant} AND e.table_name = %(table)s AND e.event_id = h.{id}
WHERE h.{id} > %(settled)s AND h.{id} < %(left)s AND h.{time} < statement_timestamp() - 2 * %(longest)s
HAVING max(h.{id}) IS NOT NULL
ON CONFLICT (table_name) DO UPDATE SET settled_id = GREATEST(p.settled_id, EXCLUDED.settled_id)
"""
_NO_ID = 2**63 - 1


def seal() -> int:
    """Give an entry to every row of history that has none; returns how many were made. Running it twice is harmless.

    Each page is a transaction of its own. A tenant whose chain somebody else is writing waits for the next time.
    """
    with system_transaction(), connection.cursor() as cursor:
        tables = [table for table in history_tables(cursor).values() if table.name != FORGOTTEN]
    return sum(_seal(table) for table in tables)


def _seal(table: Table) -> int:
    sealed = 0
    left = _NO_ID
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_SETTLED, [table.name])
        (settled,) = cursor.fetchone()
    after = settled
    while True:
        with system_transaction(), connection.cursor() as cursor:
            by_index(cursor)
            cursor.execute(_sql(_NEXT, table), {"table": table.name, "after": after, "limit": PAGE})
            page = cursor.fetchall()
            ours = chain.try_locks(cursor, {tenant_id for _row_id, tenant_id in page}) if page else set()
            left = min([left, *(row_id for row_id, tenant_id in page if tenant_id not in ours)])
            sealed += chain.append(cursor, _rows(cursor, table, [row_id for row_id, _tenant_id in page], ours))
            if len(page) < PAGE:
                progress = {"table": table.name, "settled": settled, "left": left, "longest": LONGEST_TRANSACTION}
                cursor.execute(_sql(_SETTLE, table), progress)
                return sealed
        after = page[-1][0]


def _rows(cursor: Any, table: Table, ids: list[int], tenant_ids: set[UUID]) -> dict[UUID, list[chain.Row]]:
    """The rows to seal, read again now that nobody else writes these chains."""
    if not tenant_ids:
        return {}
    read_canonically(cursor)
    cursor.execute(
        _sql(_READ, table),
        {"table": table.name, "tenants": list(tenant_ids), "ids": ids, "longest": LONGEST_TRANSACTION},
    )
    rows: dict[UUID, list[chain.Row]] = defaultdict(list)
    for tenant_id, row_id, at, digest in cursor.fetchall():
        rows[tenant_id].append(chain.Row(table.name, row_id, at, table.width, bytes(digest)))
    return rows


def _sql(template: str, table: Table) -> str:
    names = {"table": table.name, "id": table.id_column, "tenant": table.tenant_column, "time": table.time_column}
    without_entry = _WITHOUT_ENTRY.format(**names)
    return template.format(**names, without_entry=without_entry, digest=table.digest(table.width))
