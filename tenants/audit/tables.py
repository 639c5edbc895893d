"""Which tables hold history, and what of a row a seal covers: a digest of all columns that it had when it was sealed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from tenants.rls import Fence

FORGOTTEN = "tenants_forgottenevent"


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` in the order in which they were added, so that the first `n` are those of an older seal."""

    name: str
    id_column: str
    time_column: str
    tenant_column: str
    columns: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.columns)

    def digest(self, width: int) -> str:
        """SQL for the SHA-256 of the row `h`, by its first `width` columns. See `read_canonically`.

        A covered column that is gone, or was renamed, makes every row that has it count as changed: take it from the
        model with `exclude` if you must, and leave it in the history's table.
        """
        later = "".join(f" - '{column}'" for column in self.columns[width:])
        return f"sha256(convert_to((to_jsonb(h){later})::text, 'UTF8'))"


# What the text of a value depends on, wherever the process runs. The order of columns and of keys is jsonb's own.
_CANONICAL = """
SELECT set_config('TimeZone', 'UTC', true), set_config('bytea_output', 'hex', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true)
"""
_BY_INDEX = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)
"""
_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY(%s) AND c.relnamespace = 'public'::regnamespace GROUP BY c.oid, c.relname
"""


def read_canonically(cursor: Any) -> None:
    """Have the present transaction write values as every seal does."""
    cursor.execute(_CANONICAL)


def by_index(cursor: Any) -> None:
    """Have the present transaction look rows up by their keys: a page is small beside a chain, whatever statistics say.

    A plan that reads the whole chain, for each page again, would be taken whenever they are old.
    """
    cursor.execute(_BY_INDEX)


def history_of(model: type[models.Model]) -> type[models.Model]:
    """The model of its history. Raises FieldDoesNotExist for one that is not audited."""
    return model._meta.get_field("history").related_model  # type: ignore[return-value, union-attr]


def history_tables(cursor: Any) -> dict[str, Table]:
    """Every table of history by its name, as the database has it now; that of what was forgotten is the last."""
    found = {model._meta.db_table: _tenant_column(model) for model in _histories()}
    cursor.execute(_COLUMNS, [[*found, FORGOTTEN]])
    columns: dict[str, list[str]] = dict(cursor.fetchall())
    tables = [
        Table(name, "pgh_id", "pgh_created_at", tenant_column, tuple(columns[name]))
        for name, tenant_column in sorted(found.items())
    ]
    tables.append(Table(FORGOTTEN, "id", "forgotten_at", "tenant_id", tuple(columns[FORGOTTEN])))
    return {table.name: table for table in tables}


def _histories() -> Iterable[type[models.Model]]:
    return (
        model
        for model in apps.get_models(include_auto_created=True)
        if any(field.name == "pgh_obj" for field in model._meta.local_fields)
    )


def _tenant_column(model: type[models.Model]) -> str:
    return next(one.column for one in model._meta.constraints if isinstance(one, Fence))
