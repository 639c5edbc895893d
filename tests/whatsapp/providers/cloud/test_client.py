"""Every way in which a call can end, over a real socket: accepted, refused, not sent, or nobody knows."""

import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.whatsapp.providers.meta import (
    PATIENCE_S,
    Meta,
    drips,
    half_an_answer,
    hangs_up,
    meta,
    only_headers,
    resets,
    silence,
)
from whatsapp.errors import Reason
from whatsapp.events import Person
from whatsapp.outgoing import Recipient, Text
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, ProviderError, Refused
from whatsapp.providers.cloud import Cloud, client, codes
from whatsapp.simulator.process import wait_until

TOKEN = "EAAsecretcanary0123456789"
ACCEPTED = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": "+5511981234567", "wa_id": "551181234567"}],
    "messages": [{"id": "wamid.NEW"}],
}
SOON = 0.25


@pytest.fixture
def graph_api() -> Iterator[Meta]:
    with meta() as there:
        there.answers(200, ACCEPTED)
        yield there


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Ends what a misbehaving server is doing."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def short_waits(monkeypatch):
    monkeypatch.setattr(client, "CONNECT_TIMEOUT", SOON)
    monkeypatch.setattr(client, "SILENCE_TIMEOUT", SOON)
    monkeypatch.setattr(client, "TOTAL_TIMEOUT", 3 * SOON)


def account(url: str, token: str = TOKEN) -> Account:
    return Account(number_id="100", business_id="900", token=token, api_url=url)


def send(url: str, token: str = TOKEN):
    return Cloud().send(
        account(url, token),
        recipient=Recipient(phone="5511981234567"),
        content=Text(body="secret words"),
        reference="ref.1",
    )


def test_an_accepted_message_tells_its_id_and_whom_meta_found(graph_api):
    accepted = send(graph_api.url)

    assert (accepted.message_id, accepted.recipient, accepted.held) == (
        "wamid.NEW",
        Person(phone="551181234567"),
        False,
    )


def test_the_request_goes_where_it_should_with_the_numbers_own_token(graph_api):
    send(graph_api.url)

    (asked,) = graph_api.asked
    assert (asked.method, asked.path) == ("POST", "/v25.0/100/messages")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.body["biz_opaque_callback_data"] == "ref.1"


def test_an_id_cannot_lead_to_another_address(graph_api):
    client.Graph().get(account(graph_api.url), "../v1/900?x=1")

    assert graph_api.asked[0].path == "/v25.0/..%2Fv1%2F900%3Fx%3D1"


def test_a_message_to_a_user_id_finds_that_person(graph_api):
    graph_api.answers(200, {**ACCEPTED, "contacts": [{"input": "PE.1", "user_id": "PE.1"}]})

    assert send(graph_api.url).recipient == Person(bsuid="PE.1")


@pytest.mark.parametrize(
    ("word", "held"), [("accepted", False), ("held_for_quality_assessment", True), ("paused", True)]
)
def test_a_template_may_be_held(graph_api, word, held):
    graph_api.answers(200, {**ACCEPTED, "messages": [{"id": "wamid.NEW", "message_status": word}]})

    assert send(graph_api.url).held is held


def error(code: object, **more: object) -> dict:
    return {"error": {"message": f"(#{code}) No", "type": "OAuthException", "code": code, "fbtrace_id": "AbC", **more}}


@pytest.mark.parametrize(
    ("status", "body", "reason", "code"),
    [
        (400, error(131047), Reason.WINDOW_CLOSED, 131047),
        (400, error(131056), Reason.RATE_PAIR, 131056),
        (400, error(130429), Reason.RATE_NUMBER, 130429),
        (429, error(130429), Reason.RATE_NUMBER, 130429),
        (429, b"slow down", Reason.RATE_NUMBER, None),
        (401, error(190), Reason.AUTH, 190),
        (401, b"", Reason.AUTH, None),
        (403, error(10), Reason.AUTH, 10),
        (404, error(132001), Reason.TEMPLATE_STATE, 132001),
        (400, error(100, error_subcode=33), Reason.INVALID, 100),
        (400, error(777777), Reason.UNKNOWN, 777777),
        (400, error(777777, is_transient=True), Reason.TRANSIENT, 777777),
        (400, error("131047"), Reason.UNKNOWN, None),
        (400, {"error": "no"}, Reason.UNKNOWN, None),
        (400, [], Reason.UNKNOWN, None),
        (404, b"<html>", Reason.UNKNOWN, None),
        (302, b"", Reason.UNKNOWN, None),
        (200, error(131000), Reason.TRANSIENT, 131000),
    ],
)
def test_a_definite_no_is_a_refusal(graph_api, status, body, reason, code):
    graph_api.answers(status, body, {"Location": "/elsewhere"})

    with pytest.raises(Refused) as refusal:
        send(graph_api.url)

    assert (refusal.value.reason, refusal.value.code) == (reason, code)
    assert len(graph_api.asked) == 1


def test_a_refusal_keeps_what_its_support_will_ask_for(graph_api):
    graph_api.answers(400, error(131008, error_data={"details": "Parameter x is missing"}))

    with pytest.raises(Refused) as refusal:
        send(graph_api.url)

    assert (refusal.value.detail, refusal.value.trace_id) == ("Parameter x is missing", "AbC")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("body", [b"", error(2), error(131000), ACCEPTED])
def test_after_a_server_error_nobody_knows(graph_api, status, body):
    graph_api.answers(status, body, {"Retry-After": "7"})

    with pytest.raises(OutcomeUnknown) as unknown:
        send(graph_api.url)

    assert unknown.value.retry_after == 7


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"[]", b"null", {}, {"messages": []}, {"messages": [{}]}, {"messages": [{"id": 7}]}]
)
def test_a_200_that_names_no_message_is_unknown(graph_api, body):
    graph_api.answers(200, body)

    with pytest.raises(OutcomeUnknown):
        send(graph_api.url)


@pytest.mark.parametrize("misbehaviour", [resets, hangs_up, half_an_answer])
def test_a_line_that_breaks_after_the_request_is_unknown(graph_api, misbehaviour):
    graph_api.answer = misbehaviour

    with pytest.raises(OutcomeUnknown):
        send(graph_api.url)

    assert len(graph_api.asked) == 1  # and was not sent again by the plumbing


@pytest.mark.parametrize("misbehaviour", [silence, only_headers, drips])
def test_an_answer_that_does_not_come_in_time_is_unknown(graph_api, over, short_waits, misbehaviour):
    graph_api.answer = misbehaviour(over)
    began = datetime.now(UTC)

    with pytest.raises(OutcomeUnknown):
        send(graph_api.url)

    assert (datetime.now(UTC) - began).total_seconds() < PATIENCE_S  # we gave up before the far side did
    assert len(graph_api.asked) == 1


def a_closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "url",
    [
        "http://no-such-host.invalid",
        "nonsense",
        "ftp://graph.example",
        "http://",
        "http://127.0.0.1:99999",
    ],
)
def test_what_cannot_be_reached_was_not_sent(url):
    with pytest.raises(NotSent):
        send(url)


def test_a_refused_connection_was_not_sent():
    with pytest.raises(NotSent) as failure:
        send(a_closed_port())

    assert failure.value.reason is Reason.UNREACHABLE


def test_a_connection_that_nobody_takes_was_not_sent(short_waits):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        with pytest.raises(NotSent):
            send(f"http://127.0.0.1:{address[1]}")

        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ñandú"])
def test_a_token_that_is_none_refuses_before_any_call(graph_api, token):
    with pytest.raises(Refused) as refusal:
        send(graph_api.url, token)

    assert refusal.value.reason is Reason.AUTH
    assert graph_api.asked == []


@pytest.mark.parametrize(
    "trouble",
    [
        lambda there: there.answers(400, error(190, message=f"Malformed access token {TOKEN}")),
        lambda there: there.answers(400, error(131030, message="+5511981234567 is not allowed")),
        lambda there: there.answers(500, b""),
        lambda there: setattr(there, "answer", resets),
        lambda there: setattr(there, "url", a_closed_port()),
        lambda there: setattr(there, "url", "http://no-such-host.invalid"),
    ],
)
def test_no_trouble_shows_the_token_the_phone_or_the_words(graph_api, trouble, caplog):
    caplog.set_level(logging.DEBUG)
    trouble(graph_api)

    with pytest.raises(ProviderError) as failure:
        send(graph_api.url)

    shown = [
        str(failure.value),
        repr(failure.value),
        repr(vars(failure.value)),
        "".join(traceback.format_exception(failure.value)),
        caplog.text,
        repr(account(graph_api.url)),
    ]
    assert failure.value.__context__ is None
    for secret in (TOKEN, "5511981234567", "secret words"):
        assert not any(secret in text for text in shown)


def test_calls_share_a_connection_and_remember_nothing_of_each_other(graph_api):
    graph_api.answers(200, ACCEPTED, {"Set-Cookie": "tenant=one; Path=/"})
    cloud = Cloud()
    for _ in range(5):
        cloud.send(account(graph_api.url), recipient=Recipient(phone="51900555014"), content=Text(body="Hola"))

    assert graph_api.connections == 1
    assert all(asked.headers["Cookie"] is None for asked in graph_api.asked)


def test_a_connection_that_went_stale_while_idle_is_not_written_to(graph_api):
    def answers_and_closes(handler):
        handler.close_connection = True
        return 200, ACCEPTED

    graph_api.answer = answers_and_closes
    cloud = Cloud()
    for sent in (1, 2):
        cloud.send(account(graph_api.url), recipient=Recipient(phone="51900555014"), content=Text(body="Hola"))
        wait_until(lambda sent=sent: graph_api.closed == sent)

    assert len(graph_api.asked) == graph_api.connections == 2


def test_no_netrc_of_the_machine_replaces_the_token(graph_api, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    send(graph_api.url)

    assert graph_api.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_threads_send_side_by_side_each_with_its_own_token(graph_api):
    cloud = Cloud()

    def one(index: int) -> None:
        sender = Account(number_id=str(index), token=f"token-{index}", api_url=graph_api.url)
        cloud.send(sender, recipient=Recipient(phone="51900555014"), content=Text(body="Hola"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(40)))

    assert {(asked.path, asked.headers["Authorization"]) for asked in graph_api.asked} == {
        (f"/v25.0/{index}/messages", f"Bearer token-{index}") for index in range(40)
    }


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT"}, 90),
        ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"X-Business-Use-Case-Usage": '{"900": [{"estimated_time_to_regain_access": 3}]}'}, 180),
        ({"X-Business-Use-Case-Usage": '{"900": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({"X-Business-Use-Case-Usage": "[]"}, None),
        ({"X-Business-Use-Case-Usage": "{"}, None),
    ],
)
def test_the_pause_that_an_answer_asks_for(headers, seconds):
    assert codes.retry_after(headers, now=NOW) == seconds
