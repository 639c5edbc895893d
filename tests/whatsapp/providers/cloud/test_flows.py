"""Flows and keys on the wire, as the pages of Meta's Flows API write them."""

from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from tests.whatsapp.providers.meta import Meta, meta
from whatsapp.providers.base import Account, FlowFault, OutcomeUnknown, Refused, RemoteFlow, RemoteKey
from whatsapp.providers.cloud import Cloud, records

PEM = "-----BEGIN PUBLIC KEY-----\nMIIB+/=\n-----END PUBLIC KEY-----\n"
FAULT = {
    "error": "INVALID_PROPERTY_VALUE", "error_type": "FLOW_JSON_ERROR", "message": "Invalid value found.",
    "line_start": 10, "line_end": 11, "column_start": 21, "column_end": 34, "pointers": [],
}  # fmt: skip


@pytest.fixture
def graph_api() -> Iterator[Meta]:
    with meta() as there:
        there.answers(200, {"success": True})
        yield there


@pytest.fixture
def account(graph_api) -> Account:
    return Account(number_id="100", business_id="900", token="number-token", api_url=graph_api.url)


def test_a_key_is_handed_over_as_a_form(graph_api, account):
    Cloud().upload_public_key(account, public_key=PEM)

    (asked,) = graph_api.asked
    assert (asked.method, asked.path) == ("POST", "/v25.0/100/whatsapp_business_encryption")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["Authorization"] == "Bearer number-token"
    assert parse_qs(asked.body) == {"business_public_key": [PEM]}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"business_public_key": PEM, "business_public_key_signature_status": "VALID"}]},
        {"business_public_key": PEM, "business_public_key_signature_status": "valid"},
    ],
)
def test_the_key_that_phones_get_is_read(graph_api, account, answer):
    graph_api.answers(200, answer)

    assert Cloud().fetch_public_key(account) == RemoteKey(PEM, "VALID")


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": [{}]}, {"data": None}])
def test_without_a_key_it_is_empty(graph_api, account, answer):
    graph_api.answers(200, answer)

    assert Cloud().fetch_public_key(account) == RemoteKey()


def test_a_draft_is_made_with_its_address(graph_api, account):
    graph_api.answers(200, {"id": "4411", "success": True})

    made = Cloud().create_flow(account, name="Perfil", categories=("SIGN_UP",), endpoint_url="https://x.test/flows/1/")

    assert made == "4411"
    (asked,) = graph_api.asked
    assert asked.path == "/v25.0/900/flows"
    assert asked.body == {"name": "Perfil", "categories": ["SIGN_UP"], "endpoint_uri": "https://x.test/flows/1/"}


def test_one_without_an_id_is_no_draft(graph_api, account):
    with pytest.raises(OutcomeUnknown):
        Cloud().create_flow(account, name="Perfil", categories=["OTHER"])


def test_a_file_is_uploaded_and_its_faults_are_read(graph_api, account):
    graph_api.answers(200, {"success": True, "validation_errors": [FAULT, {"message": "odd"}, 7]})

    faults = Cloud().upload_flow(account, flow_id="4411", source=b'{"version": "7.3"}')

    (asked,) = graph_api.asked
    assert asked.path == "/v25.0/4411/assets" and asked.headers["Content-Type"].startswith("multipart/form-data")
    for part in ('name="asset_type"\r\n\r\nFLOW_JSON', 'name="name"\r\n\r\nflow.json', '{"version": "7.3"}'):
        assert part in asked.body
    assert faults == (
        FlowFault("INVALID_PROPERTY_VALUE", "Invalid value found.", 10, 11, 21, 34),
        FlowFault("", "odd"),
    )


@pytest.mark.parametrize(
    ("act", "method", "path"),
    [("publish_flow", "POST", "/4411/publish"), ("deprecate_flow", "POST", "/4411/deprecate"), ("delete_flow", "DELETE", "/4411")],
)  # fmt: skip
def test_what_becomes_of_one(graph_api, account, act, method, path):
    getattr(Cloud(), act)(account, flow_id="4411")

    (asked,) = graph_api.asked
    assert (asked.method, asked.path) == (method, f"/v25.0{path}")


def test_a_refusal_says_why(graph_api, account):
    error = {"code": 139002, "message": "Flow can't be published", "error_user_msg": "Upload a public key first."}
    graph_api.answers(400, {"error": error})

    with pytest.raises(Refused) as refusal:
        Cloud().publish_flow(account, flow_id="4411")
    assert refusal.value.code == 139002 and refusal.value.detail


def test_all_of_an_account_are_read(graph_api, account):
    flow = {"id": "1", "name": "One", "status": "PUBLISHED", "categories": ["SURVEY"], "validation_errors": []}
    graph_api.answers(200, {"data": [flow, {"name": "without an id"}]})

    assert list(Cloud().fetch_flows(account)) == [RemoteFlow("1", "One", "PUBLISHED", ("SURVEY",))]


def test_the_file_of_one_is_fetched_from_where_meta_says(graph_api, account):
    listed = {"data": [{"name": "flow.json", "asset_type": "FLOW_JSON", "download_url": f"{graph_api.url}/there"}]}
    graph_api.answers_in_turn(listed, {"screens": []})

    assert Cloud().fetch_flow(account, flow_id="4411") == '{"screens": []}'
    assert [asked.path for asked in graph_api.asked] == ["/v25.0/4411/assets", "/there"]


def test_one_without_a_file_is_empty(graph_api, account):
    graph_api.answers(200, {"data": []})

    assert Cloud().fetch_flow(account, flow_id="4411") == ""


def test_odd_numbers_of_lines_are_unknown():
    (fault,) = records.flow_faults({"validation_errors": [{"line_start": "4", "line_end": -1, "column_start": True}]})

    assert (fault.line_start, fault.line_end, fault.column_start) == (0, 0, 0)
