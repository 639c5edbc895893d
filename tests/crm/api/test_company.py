"""Numbers, queues, templates and counts: what belongs to the company and is only read."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.models import ConversationStatus
from tenants import clock
from tenants.models import Distribution, Membership, Queue
from tests.crm.api.conftest import ROOT, approve, talk
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


def results(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_numbers_are_shown_without_their_secrets(api, ours):
    answer = api(ours.ana).get(f"{ROOT}numbers/")

    (shown,) = results(answer)
    assert shown["phone_number_id"] == "100000000000001"
    assert (shown["can_send"], shown["queue"]["name"]) == (True, "Ventas")
    assert "token-of" not in answer.content.decode()
    assert {"token", "verify_token"}.isdisjoint(shown)


def test_a_paused_number_cannot_send(api, ours):
    with ours.transaction():
        Number.objects.update(paused_reason="auth")

    shown = api(ours.ana).get(f"{ROOT}numbers/{ours.number.pk}/").json()

    assert (shown["can_send"], shown["paused_reason"]) == (False, "auth")


def test_queues_are_shown_with_who_answers(api, ours):
    shown = {row["name"]: row for row in results(api(ours.ana).get(f"{ROOT}queues/"))}

    assert shown["Ventas"]["members"] == [{"id": str(ours.ana.pk), "name": "Ana"}]
    assert [name for name, row in shown.items() if row["is_triage"]] == [ours.triage.name]


def test_a_queue_shows_when_it_is_open_and_how_it_shares_out(api, ours):
    hours = [[0, "09:00", "13:00"], [4, "22:00", "02:00"]]
    with ours.transaction():
        Queue.objects.filter(pk=ours.sales.pk).update(
            distribution=Distribution.BY_TURNS, most_each=8, hours=hours, timezone="America/Lima"
        )

    shown = api(ours.ana).get(f"{ROOT}queues/{ours.sales.pk}/").json()

    assert (shown["distribution"], shown["most_each"], shown["timezone"]) == (Distribution.BY_TURNS, 8, "America/Lima")
    assert shown["hours"] == [
        {"weekday": 0, "begins": "09:00", "ends": "13:00"},
        {"weekday": 4, "begins": "22:00", "ends": "02:00"},
    ]


def test_who_left_answers_in_no_queue(api, ours):
    with ours.transaction():
        Membership.objects.filter(pk=ours.luis.pk).update(is_active=False)

    assert api(ours.ana).get(f"{ROOT}queues/{ours.support.pk}/").json()["members"] == []


def test_many_queues_ask_the_database_as_often_as_few(api, ours):
    client = api(ours.ana)
    client.get(f"{ROOT}queues/")

    with CaptureQueriesContext(connection) as of_few:
        client.get(f"{ROOT}queues/")
    with ours.transaction():
        for n in range(5):
            Queue.objects.create(tenant=ours.tenant, name=f"Cola {n}").members.add(
                ours.ana, through_defaults={"tenant": ours.tenant}
            )
    with CaptureQueriesContext(connection) as of_many:
        assert len(results(client.get(f"{ROOT}queues/"))) == 8

    assert len(of_many) == len(of_few)


def test_templates_are_shown_with_their_variables(api, ours):
    template = approve(ours, "order_ready", "Hola {{1}}, tu pedido {{2}} está listo.")

    shown = api(ours.ana).get(f"{ROOT}templates/{template.pk}/").json()

    assert shown["variables"] == ["1", "2"]
    assert shown["body"] == "Hola {{1}}, tu pedido {{2}} está listo."
    assert shown["components"] == template.components


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"mine", "paused", "of another account"}),
        ({"number": "100000000000001"}, {"mine", "paused"}),
        ({"number": "100000000000001", "status": "APPROVED"}, {"mine"}),
        ({"name": "paused"}, {"paused"}),
        ({"language": "pt_BR"}, {"of another account"}),
    ],
)
def test_templates_are_filtered(api, ours, filters, expected):
    approve(ours, "mine", "Hola")
    approve(ours, "paused", "Hola", status="PAUSED")
    approve(ours, "of another account", "Olá", waba_id="999", language="pt_BR")

    assert {row["name"] for row in results(api(ours.ana).get(f"{ROOT}templates/", filters))} == expected


@pytest.mark.parametrize("filters", [{"number": "999"}, {"status": "approved"}, {"name": ""}])
def test_a_template_filter_that_means_nothing_is_bad_input(api, ours, filters):
    assert api(ours.ana).get(f"{ROOT}templates/", filters).status_code == 400


def test_stats_count_what_the_caller_may_see(api, ours):
    now = clock.now()
    talk(ours, "51900555001", unread_count=3)
    talk(ours, "51900555002", window_expires_at=now + timedelta(hours=1))
    talk(ours, "51900555003", waiting_since=None, unread_count=0, window_expires_at=now + timedelta(hours=1))
    talk(ours, "51900555004", status=ConversationStatus.CLOSED, waiting_since=None)
    talk(ours, "51900555005", queue=ours.support)

    of_owner = api(ours.owner).get(f"{ROOT}stats/").json()
    of_luis = api(ours.luis).get(f"{ROOT}stats/").json()

    assert {name: of_owner[name] for name in ("open", "waiting", "running_out", "unread")} == {
        "open": 4,
        "waiting": 3,
        "running_out": 1,
        "unread": 5,
    }
    assert [(row["name"], row["open"]) for row in of_owner["queues"]] == [("Soporte", 1), ("Ventas", 3)]
    assert (of_luis["open"], [row["name"] for row in of_luis["queues"]]) == (1, ["Soporte"])


def test_stats_are_one_question_to_the_database(api, ours, our_talk):
    client = api(ours.owner)
    client.get(f"{ROOT}stats/")

    with CaptureQueriesContext(connection) as queries:
        client.get(f"{ROOT}stats/")

    assert len([query for query in queries if "crm_conversation" in query["sql"]]) == 1


def test_an_empty_company_has_counts_too(api, ours):
    assert api(ours.owner).get(f"{ROOT}stats/").json() == {
        "open": 0,
        "waiting": 0,
        "running_out": 0,
        "unread": 0,
        "queues": [],
    }
