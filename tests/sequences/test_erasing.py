"""Letting go of an erased person's conversations is done while somebody waits: by indexes, however much others have."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from sequences import erasing
from tenants.context import system_transaction
from tests.cast import Company
from tests.planning import forget_statistics

pytestmark = pytest.mark.django_db
TABLES = (
    "crm_conversation", "crm_message", "sequences_enrollment", "sequences_manualtask", "sequences_recipient",
    "sequences_steprun",
)  # fmt: skip
NAMES = ("_LINES", "_RUNS", "_TASKS", "_ENROLLMENTS")


def scans(cursor: Any, sql: str) -> list[str]:
    """Where the plan reads a table from one end to the other, although it was told to do everything else first."""
    # The tables are empty here: but for this, reading them at once would cost nothing.
    for way in ("seqscan", "hashjoin", "mergejoin", "material"):
        cursor.execute(f"SET LOCAL enable_{way} = off")
    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", {"talks": [uuid4()], "nothing": b""})
    told = cursor.fetchone()[0]
    plans, found = [(json.loads(told) if isinstance(told, str) else told)[0]["Plan"]], []
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", ())
        is_whole = "Index Cond" not in plan and plan["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan")
        found += [f"{plan['Node Type']} on {plan['Relation Name']}"] if is_whole else []
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_reads_a_whole_table(ours: Company, name: str):
    with system_transaction(), connection.cursor() as cursor:
        forget_statistics(cursor, *TABLES)
        found = scans(cursor, getattr(erasing, name))

    assert found == []
