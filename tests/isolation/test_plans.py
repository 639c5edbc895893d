"""Row security costs no scan: behind every page PostgreSQL finds one company's rows by an index, beside a larger company.

Each SELECT of a page is explained as it runs, by the restricted role. A step of a plan that reads rows only to throw them
away grows with the other companies where it goes by `tenant_id`, else with years of one's own.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from crm.models import Contact
from tests.bench import crowd
from tests.cast import Company

# Nightly: beside a suite that leaves dead rows behind, plans differ.
pytestmark = [pytest.mark.django_db, pytest.mark.nightly]
MOST = 2_000  # counters end at 1,000 of those whom an agent may see, here every second one
MOST_OF_OTHERS = 100
THEIRS, OURS = 20_000, 12_000
TABLES = ("crm_contact", "crm_identity", "crm_contactword", "crm_conversation", "crm_message")

PAGES = [
    "/inbox/",
    "/inbox/?mode=expiring",
    "/inbox/?mode=triage",
    "/inbox/?mode=all",
    "/inbox/?mode=mine",
    "/inbox/{conversation}/?mode=all",
    "/pending/",
    "/sequences/",
    "/broadcasts/",
    "/issues/",
    "/dashboard/",
    "/templates/",
    "/contacts/",
    "/contacts/?sort=name",
    "/contacts/?sort=-name",
    "/contacts/?sort=name&after=luis~00000000-0000-0000-0000-000000000000",
    "/contacts/?sort=name&before=luis~00000000-0000-0000-0000-000000000000",
    "/contacts/?active=1&window=open",
    "/contacts/?country=51",
    "/contacts/?marketing=agreed",
    "/contacts/?marketing=stopped",
    "/contacts/?label=vip",
    "/contacts/?q=ros+13001",
    "/contacts/?q=13001",
    "/contacts/?q=900013001",
    "/contacts/?q=nobody@correo.example",
    "/contacts/{contact}/",
    "/inbox/?q=ros+13001",
    "/inbox/?q=900013001",
]


class Plans:
    """While it is installed, every SELECT is explained first; `wasteful` are those that threw away too much."""

    def __init__(self) -> None:
        self.seen, self.wasteful = 0, list[str]()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip()[:6].upper() == "SELECT" and "set_config" not in sql and not many:
            execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params, many, context)
            told = context["cursor"].fetchone()[0]
            self.seen += 1
            for node in _nodes((json.loads(told) if isinstance(told, str) else told)[0]["Plan"]):
                lost = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
                by_tenant = "tenant_id" in str(node.get("Filter"))
                if lost * node["Actual Loops"] > (MOST_OF_OTHERS if by_tenant else MOST):
                    where = node.get("Index Name") or node.get("Relation Name") or node["Node Type"]
                    rule = str(node.get("Filter"))[:200]
                    self.wasteful.append(
                        f"{node['Node Type']} on {where} threw away {lost:,.0f} by {rule}: {sql[:300]}"
                    )
        return execute(sql, params, many, context)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@pytest.fixture
def crowded(ours: Company, theirs: Company) -> tuple[str, str]:
    """Years of both companies; gives a conversation and a contact of ours."""
    for company, first, last in ((theirs, 1, THEIRS), (ours, THEIRS + 1, THEIRS + OURS)):
        with company.transaction(), connection.cursor() as cursor:
            crowd.write(cursor.execute, company, first=first, last=last, messages=1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE crm_owner")
        for table in TABLES:
            cursor.execute(f"ANALYZE {table}")
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT md5('conversation' || %s)::text, md5('contact' || %s)::text", [THEIRS + 1] * 2)
        return tuple(str(UUID(each)) for each in cursor.fetchone())  # type: ignore[return-value]


def test_no_page_reads_rows_to_throw_them_away(crowded, ours):
    client = Client()
    wasteful = {}
    for membership in (ours.supervisor, ours.ana):
        client.force_login(membership.user)
        for page in PAGES:
            plans = Plans()
            with connection.execute_wrapper(plans):
                answer = client.get(page.replace("{conversation}", crowded[0]).replace("{contact}", crowded[1]))
            assert answer.status_code in (200, 403, 404), (page, answer.status_code)
            assert plans.seen or answer.status_code != 200, page
            if plans.wasteful:
                wasteful[f"{membership.role} {page}"] = plans.wasteful
    assert wasteful == {}


def test_it_sees_a_scan(crowded, ours):
    plans = Plans()
    with ours.transaction(), connection.execute_wrapper(plans):
        assert list(Contact.objects.filter(profile_name__contains="nobody")) == []
    assert len(plans.wasteful) == 1
