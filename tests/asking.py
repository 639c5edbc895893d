"""What the database's catalogue says."""

from django.db import connection

from tenants.context import system_transaction


def ask(sql: str, *parameters: object) -> list[tuple]:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
