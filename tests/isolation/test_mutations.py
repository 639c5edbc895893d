"""The fence is taken apart in one place at a time, and each time the checks of the fence have to see it.

The catalogue says what there is to take away: row security, its force and every policy of every table, what a policy says
of reading and of writing, every key that keeps a reference within its company, every column that must name one; and what
may be added to look over the fence: a view, a function that acts as its owner.
"""

import inspect
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction

from tests.architecture import test_fence
from tests.asking import ask
from tests.faults import report

pytestmark = [pytest.mark.django_db, pytest.mark.nightly]

CHECKS: list[Callable[[], None]] = [
    check
    for name, check in inspect.getmembers(test_fence, inspect.isfunction)
    if name.startswith("test_") and not inspect.signature(check).parameters
]
_FENCED = """
SELECT c.relname::text, ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid),
       ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND cardinality(conkey) > 1),
       EXISTS (SELECT FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull AND a.attnum <> ALL (i.indkey))
FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
ORDER BY 1
"""


def mutations() -> Iterator[str]:
    """Statements, each of which makes a hole."""
    for table, policies, keys, is_required in ask(_FENCED):
        yield f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"
        for policy in policies:
            yield f"DROP POLICY {policy} ON {table}"
        yield f"ALTER POLICY tenant ON {table} USING (true)"
        yield f"ALTER POLICY tenant ON {table} WITH CHECK (true)"
        yield f"ALTER POLICY system ON {table} TO PUBLIC"
        yield f"CREATE POLICY another ON {table} TO crm_app USING (true)"
        for key in keys:
            yield f"ALTER TABLE {table} DROP CONSTRAINT {key}"
        if is_required:
            yield f"ALTER TABLE {table} ALTER tenant_id DROP NOT NULL"
        yield f"CREATE VIEW over_the_fence AS SELECT * FROM {table}"
        yield f"CREATE FUNCTION over_the_fence() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM {table}'"


def is_seen(mutation: str) -> bool:
    """Whether a check fails once this was done; it is undone afterwards."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE crm_owner")
            cursor.execute(mutation)
            cursor.execute("SET LOCAL ROLE crm_app")
        seen = any(_fails(check) for check in CHECKS)
        transaction.set_rollback(True)
    return seen


def _fails(check: Callable[[], None]) -> bool:
    try:
        with transaction.atomic():
            check()
    except AssertionError:
        return True
    return False


def test_every_hole_in_the_fence_is_seen():
    assert not any(_fails(check) for check in CHECKS)
    made = list(mutations())

    missed = [mutation for mutation in made if not is_seen(mutation)]

    share = 1 - len(missed) / len(made)
    report.note("G14", "the fence taken apart in one place at a time", f"{len(made)} mutations",
                f"**{share:.1%} killed**, {len(missed)} not seen")  # fmt: skip
    assert len(made) > 400
    assert missed == []
