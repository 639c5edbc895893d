"""From a delivery to the rows: bad input costs what is around it nothing, and real sockets change nothing."""

import asyncio
import contextlib
import json
import socket
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from crm import inbound
from crm.models import Conversation, Message
from tenants.context import system_transaction
from tests import meta
from tests.cast import Company, found_company
from tests.whatsapp.doors import ADDRESS, BODY, RIGHT, post, signature, stored
from whatsapp.models import EventState, WebhookEvent


@pytest.fixture
def two_companies(committed: None) -> tuple[Company, Company]:
    return found_company("ours", number_id="100000000000001"), found_company("theirs", number_id="200000000000001")


async def test_bad_input_spoils_nothing_around_it(two_companies, door):
    ours, theirs = two_companies
    good = meta.messages(meta.text("bueno", wamid="good"))
    milliseconds = meta.text("en milisegundos", wamid="ms", at=meta.NOON * 1000)
    only_id = {
        "from_user_id": "PE.9",
        "id": "bsuid",
        "timestamp": str(meta.NOON),
        "type": "text",
        "text": {"body": "id"},
    }
    nobody = {"id": "nobody", "timestamp": str(meta.NOON), "type": "text", "text": {"body": "¿quién?"}}
    values: list[Any] = [
        [], "text", None, 7,
        meta.value(messages={"from": "x"}), meta.value(messages=[[], None, "x", 1, {}]), meta.value(statuses=[[], {"id": []}]),
        meta.value(contacts={}, messages=[meta.text("sin contactos", wamid="nocontacts")]),
        {"messages": [meta.text(wamid="nometa")]}, meta.value(metadata=[]),
        meta.messages(nobody, contacts=[]),
        meta.messages(only_id, contacts=[{"profile": {"name": "Id"}, "user_id": "PE.9"}]),
        meta.messages(milliseconds),
        meta.messages(meta.text("nul\x00 y \ud800 media", wamid="odd")),
        meta.messages(meta.text("ajeno", wamid="theirs"), number_id="200000000000001"),
        good,
    ]  # fmt: skip
    entries: list[Any] = [[], None, {"id": []}, {"changes": [[], None, {"field": 1, "value": {}}]}]
    entries += [{"id": "1", "changes": [{"field": "messages", "value": value}]} for value in values]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode()

    assert (await post(door, body)).status_code == 200
    await sync_to_async(_drain)()

    def found(company: Company) -> dict[str, str]:
        with company.transaction():
            return dict(Message.objects.values_list("provider_message_id", "sent_at")), {
                message.provider_message_id: message.text for message in Message.objects.all()
            }

    times, texts = await sync_to_async(found)(ours)
    assert texts == {
        "good": "bueno", "nocontacts": "sin contactos", "bsuid": "id", "ms": "en milisegundos", "odd": "nul y � media",
    }  # fmt: skip
    assert times["ms"] == times["good"]
    assert (await sync_to_async(found)(theirs))[1] == {"theirs": "ajeno"}
    assert await sync_to_async(_states)() == ["done"]


async def test_a_thousand_updates_in_one_post_are_merged_by_a_few_statements(two_companies, door):
    ours, _theirs = two_companies
    said = [meta.text(f"{number}", wamid=f"w{number}", wa_id=f"5190055{number % 50:04}") for number in range(500)]
    seen = [meta.status("read", wamid=f"out{number}") for number in range(500)]
    body = json.dumps(meta.envelope(meta.value(contacts=[], messages=said, statuses=seen))).encode()

    assert (await post(door, body)).status_code == 200
    assert await sync_to_async(_drain)() < 100

    def counts() -> tuple[int, int]:
        with ours.transaction():
            return Message.objects.count(), Conversation.objects.count()

    assert await sync_to_async(counts)() == (500, 50)


async def test_a_number_nobody_has_and_a_body_nobody_can_read_are_kept(two_companies, door):
    await post(door, meta.body(meta.messages(meta.text(), number_id="999")))
    await post(door, b'{"entry": ')
    await post(door, b"[" * 100_000)
    await post(door, b'{"entry": ' + b"9" * 100_000 + b"}")

    await sync_to_async(_drain)()

    assert await sync_to_async(_states)() == [EventState.DEAD, EventState.DEAD, EventState.DONE, EventState.UNROUTED]


def _drain() -> int:
    """Merge what came; how many statements that took."""
    try:
        with CaptureQueriesContext(connection) as queries:
            inbound.drain()
        return len(queries)
    finally:
        connections.close_all()


def _states() -> list[str]:
    try:
        with system_transaction():
            return sorted(WebhookEvent.objects.values_list("state", flat=True))
    finally:
        connections.close_all()


def address_of(url: str) -> tuple[str, int]:
    host, _colon, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def test_the_running_server_stores_what_it_answers_with_200(committed, server):
    def by_socket(head: bytes, body: bytes, *, hangs_up: bool = False) -> bytes:
        with socket.create_connection(address_of(server), timeout=10) as line:
            line.sendall(
                b"POST /webhooks/whatsapp/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + head + b"\r\n"
            )
            with contextlib.suppress(OSError):  # refused before it was read to the end
                line.sendall(body)
            if hangs_up:
                line.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                return line.recv(4096)
            return b"reset"

    def chunked(body: bytes) -> bytes:
        return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    with httpx.Client(base_url=server) as client:
        large = b"x" * 3 * 1024 * 1024
        assert client.post(ADDRESS, content=BODY, headers={"X-Hub-Signature-256": RIGHT}).status_code == 200
        assert client.post(ADDRESS, content=large, headers={"X-Hub-Signature-256": signature(large)}).status_code == 200
        forged = client.post(ADDRESS, content=BODY, headers={"X-Hub-Signature-256": "sha256=" + "0" * 64})
        assert (forged.status_code, forged.content) == (401, b"")
        assert client.get(ADDRESS, params={"hub.mode": "subscribe", "hub.verify_token": "x"}).status_code == 403
        assert client.post("/webhooks/whatsapp/%00/", content=BODY).status_code == 404
    sign = b"X-Hub-Signature-256: " + RIGHT.encode() + b"\r\n"
    assert b" 200 " in by_socket(sign + b"Transfer-Encoding: chunked\r\n", chunked(BODY))
    too_large = b"y" * 5 * 1024 * 1024
    assert b" 413 " in by_socket(b"Content-Length: %d\r\n" % len(too_large), b"")
    assert b" 200 " not in by_socket(b"Transfer-Encoding: chunked\r\n", chunked(too_large))
    assert b" 200 " not in by_socket(sign + b"Content-Length: 49\r\n", BODY[:10], hangs_up=True)
    assert stored() == [BODY, large, BODY]


def test_the_running_server_takes_many_at_once_while_others_send_byte_by_byte(committed, server):
    slow = [socket.create_connection(address_of(server), timeout=10) for _ in range(50)]
    for line in slow:
        line.sendall(b"POST /webhooks/whatsapp/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

    async def many() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server, timeout=20) as client:
            return await asyncio.gather(*(post(client, b"%d" % number) for number in range(200)))

    answers = asyncio.run(many())

    for line in slow:
        line.close()
    assert {answer.status_code for answer in answers} == {200}
    assert len(stored()) == 200
