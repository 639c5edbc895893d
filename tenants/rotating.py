"""Re-sealing what is stored with the newest master key, while everybody keeps reading and writing.

An update replaces exactly the value that was read, so what somebody wrote meanwhile (with the newest key already) stays.
What carries the newest key is skipped: a run that was killed is simply started again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection

from tenants.context import system_transaction
from tenants.encryption import CannotOpen, _SealedMixin, seal, unseal

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Column:
    table: str
    name: str
    key: str
    key_type: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True, slots=True)
class Batch:
    """`left` are values that could not be opened: damaged, or their master key is no longer configured."""

    resealed: int
    left: int


def sealed_columns() -> list[Column]:
    """Every sealed column of every model."""
    return [
        Column(
            table=model._meta.db_table,
            name=str(field.column),
            key=str(model._meta.pk.column),
            key_type=str(model._meta.pk.db_type(connection)),
            purpose=field.purpose,
        )
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_concrete_fields
        if isinstance(field, _SealedMixin)
    ]


def rotate(column: Column) -> Iterator[Batch]:
    """Re-seal the column, one batch and one short transaction at a time, in the order of the primary key."""
    newest = next(iter(settings.ENCRYPTION_KEYS)).to_bytes(2, "big")
    last: Any = None
    while True:
        with system_transaction(), connection.cursor() as cursor:
            rows = _older(cursor, column, newest=newest, after=last)
            if not rows:
                return
            opened = [(key, bytes(value), _resealed(bytes(value), column)) for key, value in rows]
            fresh = [row for row in opened if row[2] is not None]
            replaced = _replace(cursor, column, fresh) if fresh else 0
        last = rows[-1][0]
        yield Batch(resealed=replaced, left=len(opened) - len(fresh))


def count_by_key(column: Column) -> dict[int, int]:
    """How many values each master key has sealed."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            f'SELECT get_byte("{column.name}", 1) * 256 + get_byte("{column.name}", 2), count(*)'
            f' FROM "{column.table}" WHERE length("{column.name}") > 2 GROUP BY 1 ORDER BY 1'
        )
        return dict(cursor.fetchall())


def _older(cursor: Any, column: Column, *, newest: bytes, after: Any) -> list[tuple[Any, bytes]]:
    cursor.execute(
        f'SELECT "{column.key}", "{column.name}" FROM "{column.table}"'
        f' WHERE "{column.name}" IS NOT NULL AND substring("{column.name}" FROM 2 FOR 2) <> %s'
        f' AND (%s::{column.key_type} IS NULL OR "{column.key}" > %s::{column.key_type})'
        f' ORDER BY "{column.key}" LIMIT %s',
        [newest, after, after, BATCH],
    )
    return list(cursor.fetchall())


def _resealed(value: bytes, column: Column) -> bytes | None:
    """The same content under the newest key, for the tenant that its header names; None when it cannot be opened."""
    try:
        return seal(unseal(value, purpose=column.purpose), tenant_id=UUID(bytes=value[3:19]), purpose=column.purpose)
    except CannotOpen:
        return None


def _replace(cursor: Any, column: Column, rows: list[tuple[Any, bytes, bytes | None]]) -> int:
    keys, old, new = zip(*rows, strict=True)
    cursor.execute(
        f'UPDATE "{column.table}" AS stored SET "{column.name}" = fresh.new'
        f" FROM unnest(%s::{column.key_type}[], %s::bytea[], %s::bytea[]) AS fresh (key, old, new)"
        f' WHERE stored."{column.key}" = fresh.key AND stored."{column.name}" = fresh.old',
        [list(keys), list(old), list(new)],
    )
    return int(cursor.rowcount)
