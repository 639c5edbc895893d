"""Statements are planned by what PostgreSQL counted; a test of a plan begins where nothing has been."""

from typing import Any


def forget_statistics(cursor: Any, *tables: str) -> None:
    """Those that other tests left: how many rows there are, and that all of them have the same value.

    In the present transaction; the role stays what it is.
    """
    cursor.execute("SELECT current_user")
    (role,) = cursor.fetchone()
    cursor.execute("SET LOCAL ROLE crm_owner")
    for table in tables:
        cursor.execute("SELECT pg_clear_relation_stats('public', %s)", [table])
        cursor.execute(
            "SELECT pg_clear_attribute_stats('public', %s, attname, false) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table, table],
        )
    cursor.execute(f"SET LOCAL ROLE {role}")
