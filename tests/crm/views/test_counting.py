"""The counters of the inbox cost the same whatever there is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from crm.views.counting import counters
from crm.views.filters import Filters
from tenants import clock
from tests.crm.views.talk import conversation
from tests.planning import pretend_at_rest

pytestmark = pytest.mark.django_db


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """How each step comes to the rows of conversations."""
    if plan.get("Relation Name") == "crm_conversation":
        yield plan["Node Type"]
    for part in plan.get("Plans", ()):
        yield from scans(part)


@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_they_are_counted_from_indexes_alone(ours, who):
    """What the fence asks of a row, and an agent's rights, is in the index: no row is read to be counted."""
    membership, found = getattr(ours, who), []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "crm_conversation" in sql:
            execute(f"EXPLAIN (FORMAT JSON) {sql}", params, many, context)
            told = context["cursor"].fetchone()[0]
            found.extend(scans((json.loads(told) if isinstance(told, str) else told)[0]["Plan"]))
        return execute(sql, params, many, context)

    with ours.transaction(membership), connection.cursor() as cursor:
        conversation(ours)
        # Of one row, each way is as good.
        pretend_at_rest(cursor, "crm_conversation")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        with connection.execute_wrapper(explain):
            counted = counters(membership, Filters(), heads=(), now=clock.now())

    assert counted.all == 1
    assert set(found) == {"Index Only Scan"} and len(found) == 5
