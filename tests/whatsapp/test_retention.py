"""A day of webhooks has a part of the table, made ahead and dropped when it is past its time; what failed is kept."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from crm import inbound
from tenants.context import system_transaction
from tests import meta
from whatsapp.models import WebhookEvent
from whatsapp.retention import DAYS_AHEAD, keep_webhooks

pytestmark = pytest.mark.django_db

_PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'whatsapp_webhookevent'::regclass ORDER BY c.relname
"""
_PLACES = "SELECT tableoid::regclass::text, count(*) FROM whatsapp_webhookevent GROUP BY 1"


def parts() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PARTS)
        return [name.removeprefix("whatsapp_webhookevent_") for (name,) in cursor.fetchall()]


def places() -> dict[str, int]:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_PLACES)
        return {name.removeprefix("whatsapp_webhookevent_"): count for name, count in cursor.fetchall()}


def keep() -> tuple[int, int]:
    done = keep_webhooks(days=30)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # the rest of the test is the same transaction
    return done


@contextmanager
def owner() -> Iterator:
    """As migrations do, in the test's own transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL ROLE crm_owner")
        yield cursor
        cursor.execute("RESET ROLE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@pytest.fixture
def old_day() -> None:
    """The table as it stands a month after the migration: a part for a day that is 31 days ago, none for all before."""
    with owner() as cursor:
        cursor.execute("DROP TABLE whatsapp_webhookevent_before")
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.execute("""
            DO $$ BEGIN
              EXECUTE format('CREATE TABLE whatsapp_webhookevent_old PARTITION OF whatsapp_webhookevent FOR VALUES FROM (%L) TO (%L)',
                             current_date - 32, current_date - 31);
            END $$""")


def stored(count: int, *, days_ago: int) -> None:
    for _ in range(count):
        meta.store(meta.body(meta.messages(meta.text())))
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE whatsapp_webhookevent SET received_at = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
            " - make_interval(days => %s) + interval '1 hour' WHERE received_at >= now() - interval '1 minute'",
            [days_ago],
        )


def test_the_coming_week_is_made_and_made_once(ours):
    keep()  # nothing to make, as the migration made it; but for a day that began since
    before = parts()

    assert keep() == (0, 0)
    assert parts() == before
    assert len([part for part in before if part.isdigit()]) >= DAYS_AHEAD


def test_a_day_past_its_time_goes_and_what_was_not_merged_stays(ours, old_day):
    stored(3, days_ago=32)
    inbound.drain()
    meta.store(b"unreadable")
    meta.store(meta.body(meta.messages(meta.text(), number_id="999")))
    stored(0, days_ago=32)
    inbound.drain()
    assert places() == {"old": 5}

    _made, dropped = keep()

    assert dropped == 1
    assert "old" not in parts()
    assert places() == {"rest": 2}
    with system_transaction():
        assert sorted(WebhookEvent.objects.values_list("state", flat=True)) == ["dead", "unrouted"]


def test_what_outlived_its_day_goes_once_it_is_merged(ours, old_day):
    stored(2, days_ago=32)
    keep()
    assert places() == {"rest": 2}

    inbound.drain()
    keep()

    assert places() == {}


def test_a_day_that_nobody_made_in_time_loses_nothing(ours, old_day):
    with owner() as cursor:
        for part in parts():
            if part.isdigit():
                cursor.execute(f"DROP TABLE whatsapp_webhookevent_{part}")
    meta.store(meta.body(meta.messages(meta.text())))
    assert places() == {"rest": 1}

    made, _dropped = keep()

    assert made == DAYS_AHEAD + 1
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
        assert places() == {cursor.fetchone()[0]: 1}
    assert inbound.drain() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM whatsapp_webhookevent_rest",
        "DELETE FROM whatsapp_webhookevent_before",
        "SELECT whatsapp_webhookevent_keep(1, 1)",
    ],
)
def test_the_parts_and_the_keeping_are_not_the_applications(statement):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_nonsensical_retention_is_refused():
    with pytest.raises(Exception, match="must be positive"), transaction.atomic():
        keep_webhooks(days=0)
