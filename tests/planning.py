"""Statements are planned by what PostgreSQL counted; a test of a plan begins where nothing has been, or much is at rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def forget_statistics(cursor: Any, *tables: str) -> None:
    """Those that other tests left: how many rows there are, and that all of them have the same value.

    In the present transaction; the role stays what it is.
    """
    with _as_owner(cursor):
        for table in tables:
            _forget(cursor, table)


def pretend_at_rest(cursor: Any, *tables: str) -> None:
    """As after VACUUM in a table of many rows: what an index holds is not looked up in the table.

    A vacuum cannot be had in a transaction, and the plan of a few rows depends on what other tests left of pages. In the
    present transaction; the role stays what it is.
    """
    with _as_owner(cursor):
        for table in tables:
            _forget(cursor, table)
            cursor.execute(
                "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s::text,"
                " 'relpages', 1000, 'reltuples', 20000::real, 'relallvisible', 1000)",
                [table],
            )


def _forget(cursor: Any, table: str) -> None:
    cursor.execute("SELECT pg_clear_relation_stats('public', %s)", [table])
    cursor.execute(
        "SELECT pg_clear_attribute_stats('public', %s, attname, false) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [table, table],
    )


@contextmanager
def _as_owner(cursor: Any) -> Iterator[None]:
    cursor.execute("SELECT current_user")
    (role,) = cursor.fetchone()
    cursor.execute("SET LOCAL ROLE crm_owner")
    yield
    cursor.execute(f"SET LOCAL ROLE {role}")
