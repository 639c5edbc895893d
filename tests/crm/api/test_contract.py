"""What holds for every address: its methods, who may call, and that no input whatever is a failure of ours."""

import json
import re

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from crm.models import Erasure
from tenants import clock
from tests.crm.api.conftest import ROOT, approve, publish

pytestmark = pytest.mark.django_db

ADDRESSES = {
    "conversations/": {"GET", "POST"},
    "conversations/{conversation}/": {"GET"},
    "conversations/{conversation}/messages/": {"GET", "POST"},
    "conversations/{conversation}/estimate/": {"POST"},
    "conversations/{conversation}/close/": {"POST"},
    "conversations/{conversation}/reopen/": {"POST"},
    "conversations/{conversation}/assign/": {"POST"},
    "conversations/{conversation}/transfer/": {"POST"},
    "conversations/{conversation}/snooze/": {"POST"},
    "conversations/{conversation}/read/": {"POST"},
    "messages/{message}/": {"GET"},
    "messages/{message}/file/": {"GET"},
    "contacts/": {"GET", "POST"},
    "contacts/{contact}/": {"GET", "PATCH", "DELETE"},
    "erasures/": {"GET"},
    "erasures/{erasure}/": {"GET"},
    "numbers/": {"GET"},
    "numbers/{number}/": {"GET"},
    "queues/": {"GET"},
    "queues/{queue}/": {"GET"},
    "templates/": {"GET"},
    "templates/{template}/": {"GET"},
    "flows/": {"GET"},
    "flows/{flow}/": {"GET"},
    "stats/": {"GET"},
    "auth/token/": {"POST", "DELETE"},
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def keys(ours, our_talk):
    return {
        "conversation": our_talk.conversation.pk,
        "message": our_talk.message.pk,
        "contact": our_talk.contact.pk,
        "number": ours.number.pk,
        "queue": ours.sales.pk,
        "template": approve(ours, "order_ready", "Hola {{1}}").pk,
        "flow": publish(ours).pk,
        "erasure": erased(ours).pk,
    }


def erased(ours) -> Erasure:
    with ours.transaction():
        return Erasure.objects.create(
            tenant=ours.tenant, contact_ids=[], reason="request", door="api", asked_at=clock.now(), until=clock.now()
        )


def ask(client: APIClient, method: str, url: str, body="{}"):
    return client.generic(method, url, body, content_type="application/json")


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_address_takes_its_methods_and_no_other(api, ours, keys, address):
    client = api(ours.owner)
    url = ROOT + address.format(**keys)

    taken = {method for method in METHODS if ask(client, method, url).status_code not in (401, 405)}

    assert taken == ADDRESSES[address]


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_address_can_be_asked_what_it_takes(api, ours, keys, address):
    assert api(ours.owner).options(ROOT + address.format(**keys)).status_code == 200


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address != "auth/token/"])
def test_nothing_is_shown_without_a_token(ours, keys, address):
    url = ROOT + address.format(**keys)
    client = APIClient()

    assert {ask(client, method, url).status_code for method in METHODS} == {401}


@pytest.mark.parametrize("path", ["", "nothing/", "conversations/1/2/3/", "v2/"])
def test_an_unknown_address_answers_in_json(ours, path):
    answer = APIClient().get(f"{ROOT}{path}")

    assert answer.status_code == 404
    assert "/api/docs/" in answer.json()["detail"]


def test_an_address_that_lacks_its_slash_is_redirected(api, ours):
    answer = api(ours.owner).get(f"{ROOT}conversations?status=open")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"{ROOT}conversations/?status=open")


def test_every_address_is_documented_and_nothing_else_is(documented):
    paths = {path.removeprefix("/api/v1/"): operations for path, operations in documented["paths"].items()}

    def plain(path: str) -> str:
        return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))

    documented_methods = {
        plain(path): {method.upper() for method in operations if method != "parameters"}
        for path, operations in paths.items()
        if not path.startswith(("sequences", "enrollments", "broadcasts"))
    }
    assert documented_methods == {plain(address): methods for address, methods in ADDRESSES.items()}


# --- Whatever comes in ------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *(
            "type",
            "text",
            "template",
            "reaction",
            "image",
            "document",
            "link",
            "caption",
            "voice",
            "name",
            "language",
            "components",
            "parameters",
            "variables",
            "body",
        ),
        *("preview_url", "message_id", "emoji", "client_id", "quoted_message_id", "number", "contact", "phone"),
        *("assignee", "queue", "until", "labels", "attributes", "timezone", "email", "password", "code", "tenant"),
        *("me", "nobody", "es", "order_ready", "Ventas", "100000000000001", "+51900555014", "2030-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "", "\x00", "\ud83d", "😀" * 9, "x" * 5000),
    ]
)
_VALUES = st.recursive(
    _WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=15,
)
_BODIES = (
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["text", "template", "reaction", "image", "audio"]) | _VALUES,
            "text": _VALUES,
            "template": st.fixed_dictionaries(
                {"name": st.just("order_ready"), "language": st.just("es")},
                optional={"components": st.lists(_VALUES, max_size=3), "variables": _VALUES},
            )
            | _VALUES,
            "reaction": st.fixed_dictionaries({"message_id": _VALUES, "emoji": _VALUES}) | _VALUES,
            "client_id": _VALUES,
            "quoted_message_id": _VALUES,
            "number": st.just("100000000000001") | _VALUES,
            "phone": _VALUES,
            "contact": _VALUES,
            "assignee": _VALUES,
            "queue": _VALUES,
            "until": _VALUES,
            "name": _VALUES,
            "labels": _VALUES,
            "attributes": _VALUES,
            "timezone": _VALUES,
            "email": st.just("ana@ours.test") | _VALUES,
            "password": _VALUES,
        },
    )
    | _VALUES
)
_ACCEPTING = [
    ("POST", address)
    for address, methods in ADDRESSES.items()
    if "POST" in methods and not address.endswith(("close/", "reopen/", "read/"))
] + [("PATCH", "contacts/{contact}/")]


@pytest.mark.parametrize(("method", "address"), _ACCEPTING)
def test_no_body_whatever_is_a_failure_of_ours(api, ours, keys, method, address):
    client = api(ours.owner)
    url = ROOT + address.format(**keys)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(_BODIES)
    def fuzz(body):
        cache.clear()  # nobody is to be stopped for asking often
        answer = ask(client, method, url, json.dumps(body))
        assert answer.status_code in (200, 201, 400, 404, 409, 422), (body, answer.content[:300])
        assert answer.headers["Content-Type"] == "application/json"
        answer.json()

    fuzz()


@pytest.mark.parametrize("noun", ["conversations", "contacts", "templates"])
def test_no_query_whatever_is_a_failure_of_ours(api, ours, keys, noun):
    client = api(ours.owner)
    names = st.sampled_from(
        ["phone", "status", "queue", "number", "assignee", "waiting", "cursor", "page_size", "label", "search", "name"]
    )
    values = _WORDS.filter(lambda word: not any("\ud800" <= each <= "\udfff" for each in word)) | st.text(
        st.characters(exclude_categories=["Cs"]), max_size=30
    )

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.dictionaries(names, values, max_size=3))
    def fuzz(query):
        assert client.get(f"{ROOT}{noun}/", query).status_code in (200, 400), query

    fuzz()


# --- The documentation ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documented(tmp_path_factory) -> dict:
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", file=str(file))
    return json.loads(file.read_text())


def test_the_description_is_valid_and_without_warnings(documented):
    assert documented["info"]["title"] == "Ventana"


def test_every_operation_says_what_it_does_shows_an_example_and_names_its_errors(documented):
    for path, operations in documented["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("summary"), where
            assert operation.get("tags"), where
            assert {"400", "401"} & set(operation["responses"]), where
            assert method == "delete" or "example" in json.dumps(operation), where


_BYTES = "messages/{message}/file/"


@pytest.mark.parametrize(
    "address", [address for address, methods in ADDRESSES.items() if "GET" in methods and address != _BYTES]
)
def test_answers_are_as_described(api, ours, keys, documented, address):
    answer = api(ours.owner).get(ROOT + address.format(**keys)).json()

    names = re.sub(r"\{\w+\}", "{}", f"/api/v1/{address}")
    (operations,) = (ops for path, ops in documented["paths"].items() if re.sub(r"\{\w+\}", "{}", path) == names)
    described = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer
    jsonschema.validate(answer, closed(described | {"components": documented["components"]}))


def closed(schema):
    """OpenAPI 3.0 as JSON Schema, in which a property nobody described is an error."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("nullable", False) is True else schema


def test_operations_ask_for_the_token_except_the_one_that_gives_it(documented):
    assert documented["components"]["securitySchemes"]["token"]["name"] == "Authorization"
    assert documented["paths"]["/api/v1/conversations/"]["get"]["security"] == [{"token": []}]
    assert documented["paths"]["/api/v1/auth/token/"]["post"].get("security", []) in ([], [{}])


def test_the_description_needs_no_token(ours):
    assert APIClient().get("/api/schema/").status_code == 200


def test_the_pages_of_the_documentation_come_from_us_alone(ours):
    page = APIClient().get("/api/docs/").content.decode()
    script = APIClient().get("/api/docs/?script=").content.decode()

    assert "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in page
    assert "//cdn" not in page + script
    assert "/api/schema/" in script


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"])
def test_what_the_documentation_loads_is_there(file):
    assert finders.find(f"drf_spectacular_sidecar/swagger-ui-dist/{file}")
