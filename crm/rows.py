"""Rows as JSON: many as one parameter of a statement, and to put them back as they were, whole or column by column."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson
from django.db import models


def as_parameter(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as one parameter for `json_to_recordset`; an array for each column takes Python several times as long to write.

    Moments, UUIDs and choices are written as PostgreSQL reads them, and what else is no JSON (a Decimal) as its `str`.
    """
    return orjson.dumps(list(rows), default=str).decode()


def columns(model: type[models.Model]) -> list[str]:
    """The columns that are written, without those the database makes."""
    return [field.column for field in model._meta.local_concrete_fields if field.column and not field.generated]


def read(cursor: Any, model: type[models.Model], ids: list[UUID]) -> dict[str, dict[str, Any]]:
    """id → the row."""
    listed = ", ".join(f"'{name}', t.{name}" for name in columns(model))
    cursor.execute(
        f"SELECT t.id::text, jsonb_build_object({listed}) FROM {model._meta.db_table} t WHERE t.id = ANY(%s)", [ids]
    )
    return {id: row if isinstance(row, dict) else json.loads(row) for id, row in cursor.fetchall()}


def insert(cursor: Any, model: type[models.Model], rows: list[dict[str, Any]]) -> None:
    """Put rows back that are gone; a column that has been added since gets its default."""
    if not rows:
        return
    table, names = model._meta.db_table, [name for name in columns(model) if name in rows[0]]
    listed = ", ".join(names)
    cursor.execute(
        f"INSERT INTO {table} ({listed}) SELECT {listed} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)",
        [json.dumps(rows)],
    )


def revert(
    cursor: Any, model: type[models.Model], *, before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> None:
    """Give each row of `after` the values of `before` in those columns that are still as `after` has them."""
    table = model._meta.db_table
    known = set.intersection(*(set(row) for row in [*before.values(), *after.values()])) if after else set()
    names = [name for name in columns(model) if name in known and name != "id"]
    if not after or not names:
        return
    changes = ", ".join(
        f"{name} = CASE WHEN t.{name} IS NOT DISTINCT FROM a.{name} THEN b.{name} ELSE t.{name} END" for name in names
    )
    cursor.execute(
        f"UPDATE {table} t SET {changes} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS b"
        f" JOIN jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS a USING (id) WHERE t.id = b.id",
        [json.dumps([before[id] for id in after]), json.dumps(list(after.values()))],
    )
