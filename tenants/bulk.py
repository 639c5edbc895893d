"""Cursors for statements that take whole columns of values as arrays."""

from typing import Any

from django.db import connection


def bulk_cursor() -> Any:
    """A cursor of Django's that sends arrays beside the statement, in binary.

    Its usual one writes every value into the text of the statement, quoted, for the server to read again: of a thousand
    moments or sealed texts that takes twenty times as long. Values whose type the statement does not tell need a cast.
    """
    return connection.bulk_cursor()  # type: ignore[attr-defined]
