"""Every address × method × person, filled with another company's ids in path, query and body: nothing shows, nothing moves.

The table is made from the URL configuration itself. An address whose parameters have no entry in `PARAMETERS`, or that
stands on neither list below, fails the suite: whoever adds one says here what it is.
"""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from crm.models.conversations import ConversationQuerySet
from tenants import middleware
from tests.isolation.conftest import CANARY, rows_of

pytestmark = pytest.mark.django_db

# Parameter of an address → whose id stands there.
PARAMETERS = {
    "conversation_id": "conversation",
    "message_id": "message",
    "attachment_id": "attachment",
    "sequence_id": "sequence",
    "enrollment_id": "enrollment",
    "task_id": "task",
    "issue_id": "issue",
    "broadcast_id": "broadcast",
    "reply_id": "reply",
    "flow_id": "flow",
    "number_id": "number",
    "queue_id": "queue",
    "alert_id": "alert",
    "phone_number_id": "phone_number_id",
    "template_id": "template",
    "change_id": "template_change",
    "tenant_id": "tenant",
    "contact_id": "contact",
    "merge_id": "merge",
    "import_id": "import",
}
# REST's routers call every id `pk`: the word before it says whose it is.
RESOURCES = {
    "conversations": "conversation",
    "contacts": "contact",
    "erasures": "erasure",
    "messages": "message",
    "numbers": "number",
    "queues": "queue",
    "templates": "template",
    "flows": "flow",
    "sequences": "sequence",
    "enrollments": "enrollment",
    "broadcasts": "broadcast",
}
# Signing in and what needs no company; the back office has a suite of its own (test_admin in each package).
ELSEWHERE = (
    "admin/",
    "accounts/",
    "static/",
    "api/schema/",
    "api/docs/",
    "healthz",
    "readyz",
    "metrics",
    "favicon.ico",
    "clock/",
    "i18n/",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What an address may answer to somebody who asks for what is not theirs, or for nothing of anybody's.
# 421 and 432: the endpoint of Flows, in WhatsApp's own codes.
REFUSED = {301, 302, 400, 401, 403, 404, 405, 409, 415, 421, 422, 432}


def addresses() -> list[tuple[str, tuple[str, ...]]]:
    """(route with {names}, names of its parameters) of everything that is served."""
    found: list[tuple[str, tuple[str, ...]]] = []

    def walk(patterns: Any, prefix: str) -> None:
        for each in patterns:
            route = prefix + _plain(str(each.pattern))
            if isinstance(each, URLResolver):
                walk(each.url_patterns, route)
            elif isinstance(each, URLPattern) and not route.startswith(ELSEWHERE):
                names = tuple(re.findall(r"\{(\w+)\}", route))
                found.append((route, names))

    walk(get_resolver().url_patterns, "")
    return sorted(set(found))


def _plain(pattern: str) -> str:
    """A route or regular expression as a route: `conversations/{pk}/`."""
    pattern = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern.replace("(?P<pk>[^/.]+)", "{pk}"))
    pattern = re.sub(r"\(\?P\{(\w+)\}\[\^/\.\]\+\)", r"{\1}", pattern)
    return pattern.removeprefix("^").removesuffix(r"\Z").removesuffix("$").replace(r"\.", ".")


ADDRESSES = addresses()
WITH_IDS = [route for route, names in ADDRESSES if names]
WITHOUT_IDS = [route for route, names in ADDRESSES if not names and "(?" not in route]


def owner_of(route: str, name: str) -> str:
    if name in PARAMETERS:
        return PARAMETERS[name]
    before = route[: route.index("{" + name + "}")].rstrip("/").rpartition("/")[2]
    return RESOURCES[before]


def filled(route: str, keys: dict[str, Any]) -> str:
    return "/" + re.sub(r"\{(\w+)\}", lambda found: str(keys[owner_of(route, found[1])]), route)


def test_every_parameter_of_every_address_is_known():
    unknown = []
    for route, names in ADDRESSES:
        for name in names:
            try:
                owner_of(route, name)
            except KeyError:
                unknown.append(f"{route}: {name}")
    assert unknown == []
    assert len(WITH_IDS) > 40


def bodies(keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Their ids wherever a form or a program could put one."""
    ids = {name: str(value) for name, value in keys.items()}
    fields = ids | {
        "text": "hola", "type": "text", "client_id": "6f0e3f0e-6e0a-4d55-9d59-1f2b0f5f4a11", "do": "stop", "active": "1",
        "decision": "resend", "template": f"{CANARY}_hello|es", "phone": "51900555001", "preset": "hour",
        "quoted": ids["message"], "message_id": ids["message"], "quoted_message_id": ids["message"], "label": "vip",
        "phones": "51900555001",
    }  # fmt: skip
    return [
        {"data": urlencode(fields), "content_type": "application/x-www-form-urlencoded"},
        {"data": json.dumps(fields), "content_type": "application/json"},
    ]


def lead_nowhere(route: str, keys: dict[str, Any], people: dict[str, Any]) -> None:
    """Ask in every way for what stands behind the address. Raises AssertionError when anything shows."""
    address = filled(route, keys)
    for who, client_of in people.items():
        client = client_of()
        for method in METHODS:
            for body in bodies(keys) if method in ("POST", "PUT", "PATCH") else [{}]:
                answer = client.generic(method, address, **body)
                where = f"{who}: {method} {address} → {answer.status_code}"
                # OPTIONS says what an address takes, before it looks for anything.
                assert answer.status_code in REFUSED or (method == "OPTIONS" and answer.status_code == 200), where
                assert CANARY not in _content(answer), where
                assert CANARY not in str(dict(answer.headers)), where


@pytest.mark.parametrize("route", WITH_IDS)
def test_another_companys_ids_lead_nowhere(route, theirs, keys, people):
    before = rows_of(theirs)
    lead_nowhere(route, keys, people)
    assert rows_of(theirs) == before


# What a colleague of another queue may know of the company all the same.
COMMON = {"contacts", "numbers", "queues", "templates", "sequences", "companies"}
COMMON_ADDRESSES = {"api/v1/flows/{pk}/"}  # what is done with Flows is not common


@pytest.mark.parametrize(
    "route", [route for route in WITH_IDS if not COMMON & set(route.split("/")) and route not in COMMON_ADDRESSES]
)
def test_a_colleague_of_another_queue_gets_as_far_as_a_stranger(route, theirs, keys):
    """Luis answers in support; the conversation is sales', and nobody's of his."""
    with theirs.transaction():
        theirs.luis.queue_members.all().delete()
    before = rows_of(theirs)

    def luis() -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(theirs.luis.user)
        return client

    lead_nowhere(route, keys, {"a colleague of another queue": luis})
    assert rows_of(theirs) == before


# --- The sweep can fail: with the fence or the rights out of the way it does --------------------------------------------


@pytest.mark.parametrize("route", ["inbox/{conversation_id}/", "pending/{task_id}/", "files/{attachment_id}/"])
def test_it_sees_a_filter_that_is_gone(route, theirs, keys, monkeypatch):
    monkeypatch.setattr(ConversationQuerySet, "visible_to", lambda self, membership: self)
    client = Client(raise_request_exception=False)
    client.force_login(theirs.luis.user)
    before = rows_of(theirs)
    with pytest.raises(AssertionError):
        lead_nowhere(route, keys, {"luis": lambda: client})
        assert rows_of(theirs) == before


@pytest.mark.parametrize("route", ["inbox/{conversation_id}/", "sequences/{sequence_id}/", "api/v1/contacts/{pk}/"])
def test_it_sees_a_request_that_runs_for_the_wrong_company(route, theirs, keys, people, monkeypatch):
    enter = middleware.tenant_transaction
    monkeypatch.setattr(middleware, "tenant_transaction", lambda _own, **more: enter(theirs.tenant.pk, **more))
    with pytest.raises(AssertionError):
        lead_nowhere(route, keys, {"owner": people["owner"], "program": people["program of the owner"]})


@pytest.mark.parametrize("route", WITHOUT_IDS)
def test_lists_forms_and_filters_show_nothing_of_theirs(route, theirs, keys, people):
    before = rows_of(theirs)
    ids = {name: str(value) for name, value in keys.items()}
    query = "&".join(
        f"{name}={value}"
        for name, value in (ids | {"q": CANARY, "open": ids["task"], "ids": ids["conversation"]}).items()
    )
    for who, client_of in people.items():
        client = client_of()
        for method in METHODS:
            for body in bodies(keys) if method in ("POST", "PUT", "PATCH") else [{}]:
                for address in (f"/{route}", f"/{route}?{query}"):
                    answer = client.generic(method, address, **body)
                    content = _content(answer).replace(f"{CANARY}_hello", "")  # our own words, given back
                    where = f"{who}: {method} {address} → {answer.status_code}"
                    assert answer.status_code < 500, where
                    said_by_us = content.count(CANARY) if f"q={CANARY}" in address else 0
                    assert f"{CANARY} " not in content, where
                    assert said_by_us <= 8, where
    assert rows_of(theirs) == before


def test_nothing_of_theirs_was_kept_mailed_or_remembered(theirs, keys, people, caplog):
    for client_of in people.values():
        client = client_of()
        for route in [*WITH_IDS, *WITHOUT_IDS]:
            client.get(filled(route, keys))
    assert CANARY not in caplog.text
    assert all(CANARY not in f"{each.subject} {each.body}" for each in mail.outbox)
    remembered = cache._cache.get_client().keys("*") if hasattr(cache, "_cache") else []
    assert not [key for key in remembered if CANARY.encode() in key]


def _content(answer: Any) -> str:
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return raw.decode("utf-8", "replace")
