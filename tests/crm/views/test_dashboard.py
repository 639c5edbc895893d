"""The dashboard as a supervisor meets it, and the CSV behind it."""

import csv
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from crm.models import Budget
from crm.reports import rollups
from tenants import clock
from tests.crm.views.talk import conversation, inbound, outbound

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def told(ours, theirs):
    now = clock.now()
    for company in (ours, theirs):
        with company.transaction():
            talk = conversation(company, now=now)
            inbound(talk, at=now - HOUR)
            outbound(talk, at=now, status="delivered", accepted_at=now, country="PE", pricing_category="utility",
                     cost_amount=Decimal("0.03"), cost_currency="USD")  # fmt: skip
            outbound(talk, at=now, accepted_at=now, country="", cost_currency="USD")
    rollups.refresh(now)


def test_a_supervisor_sees_the_figures_in_words(client, ours, told):
    with ours.transaction():
        Budget.objects.create(tenant=ours.tenant, monthly_limit=600)
    client.force_login(ours.supervisor.user)
    page = client.get("/dashboard/", headers={"accept-language": "en"}).content.decode()
    for words in (
        "US$0.0300",
        "Peru",
        "1 without a known price",
        "utility",
        "First answer, p90",
        "of 600",
        "Ventas",
        "100.0 %",
    ):
        assert words in page, words
    assert "Demo-rival" not in page


@pytest.mark.parametrize("name", ["today", "7", "14", "month", "", "99", "<script>"])
def test_every_range_answers_and_a_strange_one_is_the_usual(client, ours, told, name):
    client.force_login(ours.admin.user)
    assert client.get("/dashboard/", {"range": name, "number": "no-id", "queue": str(uuid4())}).status_code == 200


def test_an_agent_has_no_dashboard(client, ours, told):
    client.force_login(ours.ana.user)
    assert client.get("/dashboard/").status_code == 403
    assert client.get("/dashboard/export/").status_code == 403
    assert "/dashboard/" not in client.get("/inbox/").content.decode()


def test_the_csv_has_a_line_for_each_kind_and_no_formula(client, ours, told):
    with ours.transaction():
        ours.number.alias = "=cmd|calc"
        ours.number.save()
    client.force_login(ours.owner.user)
    response = client.get("/dashboard/export/?range=today")
    assert response["Content-Type"].startswith("text/csv") and "attachment" in response["Content-Disposition"]
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert {row["number"] for row in rows} == {"'=cmd|calc"}
    outgoing = {row["country"]: row for row in rows if row["direction"] == "outbound"}
    assert Decimal(outgoing["PE"]["amount"]) == Decimal("0.03") and outgoing[""]["unpriced"] == "1"
    assert sum(int(row["messages"]) for row in rows) <= 3


def test_it_takes_the_same_few_queries_however_much_there_is(client, ours, told, django_assert_max_num_queries):
    client.force_login(ours.supervisor.user)
    with ours.transaction():
        for _ in range(20):
            conversation(ours, now=clock.now())
    client.get("/dashboard/")
    with django_assert_max_num_queries(33):
        client.get("/dashboard/")
