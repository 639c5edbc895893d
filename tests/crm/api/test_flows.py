"""Flows over the API: what they ask, and which numbers can send them."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.crm.api.conftest import ROOT, publish
from tests.crm.flows.survey import SURVEY
from whatsapp.flows import keys
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


def shown(client, **filters) -> list[dict]:
    return client.get(f"{ROOT}flows/", filters).json()["results"]


def senders(client, flow) -> list[str]:
    return [number["alias"] for number in client.get(f"{ROOT}flows/{flow.pk}/").json()["numbers"]]


def beside(company, alias: str, **fields) -> Number:
    """Another number of the company."""
    return Number.objects.create(
        tenant=company.tenant, alias=alias, phone_number_id=alias, **{"waba_id": company.number.waba_id} | fields
    )


@pytest.mark.parametrize("who", ["owner", "supervisor", "ana"])
def test_whoever_may_read_templates_reads_them(api, ours, who):
    flow = publish(ours, "Encuesta", source=SURVEY, provider_flow_id="4413")

    told = api(getattr(ours, who)).get(f"{ROOT}flows/{flow.pk}/").json()

    assert (told["name"], told["meta_id"], told["status"], told["categories"]) == (
        "Encuesta", "4413", "PUBLISHED", ["SURVEY"],
    )  # fmt: skip
    assert told["uses_endpoint"] is False
    (screen,) = told["screens"]
    assert (screen["id"], screen["terminal"], screen["takes"]) == ("SURVEY", True, ["city"])
    assert [(field["name"], field["kind"], field["label"]) for field in screen["fields"]] == [
        ("city", "TextInput", "¿En qué ciudad vives?"),
        ("size", "RadioButtonsGroup", "Talla"),
    ]
    assert screen["fields"][1]["options"] == [{"id": "m", "title": "Mediana"}, {"id": "l", "title": "Grande"}]


def test_its_numbers_are_those_of_its_account_that_are_in_use(api, ours):
    flow = publish(ours, source=SURVEY)
    with ours.transaction():
        beside(ours, "another")
        beside(ours, "off", is_active=False)
        beside(ours, "elsewhere", waba_id="999")
        beside(ours, "of twilio", provider="twilio")

    assert senders(api(ours.ana), flow) == ["another", "ours ventas"]


def test_one_with_an_endpoint_is_sent_by_numbers_that_have_a_key(api, ours):
    flow = publish(ours)
    assert senders(api(ours.ana), flow) == []

    with ours.transaction():
        keys.put_into_use(keys.prepare(number=ours.number), timezone.now())
        beside(ours, "without a key")

    assert senders(api(ours.ana), flow) == ["ours ventas"]


@pytest.mark.parametrize("status", ["DRAFT", "DEPRECATED", "BLOCKED"])
def test_what_is_not_published_is_sent_by_none(api, ours, status):
    assert senders(api(ours.ana), publish(ours, source=SURVEY, status=status)) == []


@pytest.mark.parametrize("source", ["", "no JSON", "[]", json.dumps({"screens": [7, {"id": 3}]})])
def test_one_whose_file_cannot_be_read_has_no_screens(api, ours, source):
    flow = publish(ours, source=source)

    assert api(ours.ana).get(f"{ROOT}flows/{flow.pk}/").json()["screens"] == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["draft", "elsewhere", "mine"]),
        ({"number": "100000000000001"}, ["draft", "mine"]),
        ({"number": "100000000000001", "status": "PUBLISHED"}, ["mine"]),
        ({"name": "draft"}, ["draft"]),
    ],
)
def test_they_are_listed_by_name_and_filtered(api, ours, theirs, filters, expected):
    publish(ours, "mine")
    publish(ours, "draft", status="DRAFT", provider_flow_id="")
    publish(ours, "elsewhere", waba_id="999")
    publish(theirs, "theirs")

    assert [flow["name"] for flow in shown(api(ours.ana), **filters)] == expected


@pytest.mark.parametrize("filters", [{"number": "999"}, {"status": "published"}, {"name": ""}])
def test_a_filter_that_means_nothing_is_bad_input(api, ours, filters):
    assert api(ours.ana).get(f"{ROOT}flows/", filters).status_code == 400


def test_their_numbers_are_none_of_ours(api, ours, theirs):
    """Two companies may share an account of Meta; never their numbers."""
    flow = publish(ours, source=SURVEY)
    with theirs.transaction():
        beside(theirs, "theirs too", waba_id=ours.number.waba_id)

    assert senders(api(ours.ana), flow) == ["ours ventas"]


def test_many_cost_no_more_questions_than_few(api, ours):
    client = api(ours.ana)
    publish(ours, "0")
    shown(client)
    with CaptureQueriesContext(connection) as of_one:
        shown(client)
    for name in "12345":
        publish(ours, name, source=SURVEY)
    with CaptureQueriesContext(connection) as of_many:
        assert len(shown(client)) == 6

    assert len(of_many) == len(of_one)
