"""How history goes: an erasure removes all that is kept of some rows, and the chain says so for good."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection, models

from tenants.audit import chain
from tenants.audit.tables import FORGOTTEN, Table, history_of, history_tables, read_canonically

_FORGET = "SELECT array_agg(forgotten ORDER BY forgotten) FROM forget_history(%s, %s::jsonb, %s) AS forgotten"


def forget(*, tenant_id: UUID, objects: Mapping[type[models.Model], Iterable[Any]], erasure: str) -> int:
    """Remove the history of rows: `forget(tenant_id=…, objects={Contact: contact_ids}, erasure="erasure 17")`.

    Call it **last** in the erasure's transaction (of the tenant, or the system's), as changing or deleting the rows
    themselves writes history too. What is removed can never be told again; that it was, when, and by which `erasure` (up
    to 120 characters, nothing personal) is sealed in the same transaction, so that `verify_audit` accepts exactly these
    gaps. Holds the tenant's chain until the transaction ends. Objects without history, and a second call, change
    nothing. Returns how many rows of history went. Raises FieldDoesNotExist for a model that is not audited.
    """
    wanted = {history_of(model)._meta.db_table: [str(object_id) for object_id in ids] for model, ids in objects.items()}
    with connection.cursor() as cursor:
        chain.lock(cursor, tenant_id)
        cursor.execute(_FORGET, [tenant_id, json.dumps(wanted), erasure])
        (forgotten,) = cursor.fetchone()
        if not forgotten:
            return 0
        return chain.append(cursor, {tenant_id: _rows(cursor, forgotten)})


def _rows(cursor: Any, ids: list[int]) -> list[chain.Row]:
    table: Table = history_tables(cursor)[FORGOTTEN]
    read_canonically(cursor)
    cursor.execute(
        f"SELECT h.id, h.forgotten_at, {table.digest(table.width)} FROM {FORGOTTEN} h WHERE h.id = ANY(%s) ORDER BY h.id",
        [ids],
    )
    return [chain.Row(FORGOTTEN, row_id, at, table.width, bytes(digest)) for row_id, at, digest in cursor.fetchall()]
