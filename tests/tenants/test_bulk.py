"""Arrays beside the statement: what goes in comes out, and all else is as with any cursor of Django's."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from tenants.bulk import bulk_cursor

pytestmark = pytest.mark.django_db

COLUMNS = {
    "uuid[]": [uuid4(), None],
    "text[]": ["{a,\"b\"} \\ 'c'", "", None, "ñ\n😀", "NULL"],
    "varchar[]": ["sent", "read"],
    "bytea[]": [b"\x00\\{}\"'\xff", b"", None],
    "timestamptz[]": [datetime(2026, 11, 28, 6, 7, 8, 9, tzinfo=UTC), None],
    "int[]": [1, -70_000, None],
    "bigint[]": [2**40, 0],
    "float8[]": [0.5, -1e300],
    "numeric[]": [Decimal("0.0012"), None],
    "bool[]": [True, False, None],
}


@pytest.mark.parametrize("type_", COLUMNS)
def test_a_column_of_values_comes_back_as_it_was(type_):
    for values in (COLUMNS[type_], []):
        with bulk_cursor() as cursor:
            cursor.execute(
                f"SELECT of.value FROM unnest(%s::{type_}) WITH ORDINALITY AS of (value, n) ORDER BY n", [values]
            )
            found = [row[0] for row in cursor.fetchall()]

        assert [bytes(each) if isinstance(each, memoryview) else each for each in found] == values


def test_it_is_a_cursor_of_djangos():
    with CaptureQueriesContext(connection) as captured, bulk_cursor() as cursor:
        cursor.execute("SELECT %s::text", ["x"])
    assert len(captured) == 1

    with pytest.raises(DataError), bulk_cursor() as cursor:
        cursor.execute("SELECT unnest(%s::text[])::int", [["no number"]])


def test_other_cursors_stay_as_they_were():
    usual = connection.connection.cursor_factory if connection.connection else None
    with bulk_cursor() as bulk, connection.cursor() as cursor:
        cursor.execute("SELECT %s", [["text", "in the statement"]])  # of no type: only a literal can say so
        assert type(bulk.cursor) is not type(cursor.cursor)
    assert usual in (None, connection.connection.cursor_factory)
