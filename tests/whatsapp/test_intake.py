"""The door that Meta knocks on: what is answered 200 is in PostgreSQL, and nothing else is."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from crm import inbound
from crm.models import Conversation, Message
from tenants.context import system_transaction
from tests import meta
from tests.cast import Company, found_company
from whatsapp import intake
from whatsapp.intake import Intake
from whatsapp.models import Endpoint, EventState, WebhookEvent

SECRET = "local-app-secret"
ADDRESS = "/webhooks/whatsapp/"


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def stored() -> list[bytes]:
    """The bodies in the database, opened, in the order in which they came."""
    try:
        with system_transaction():
            return [bytes(event.body) for event in WebhookEvent.objects.order_by("pk")]
    finally:
        connections.close_all()


@pytest.fixture
def rung() -> list[str]:
    return []


@pytest.fixture
async def door(committed: None, rung: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    """The intake in this process, without anything around it."""
    application = Intake(ring=lambda: rung.append("ding"))
    async with _client(application) as client:
        yield client
    await _close(application)


def _client(application: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://ventana.test")


async def _close(application: Intake) -> None:
    if application._writer._task:
        application._writer._task.cancel()
    await application._writer._disconnect()


async def post(client: httpx.AsyncClient, body: bytes, *, to: str = ADDRESS, **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(to, content=body, headers={"X-Hub-Signature-256": signature(body), **headers})


rows = sync_to_async(stored)


# --- taken ------------------------------------------------------------------------------------------------------------


async def test_a_signed_delivery_is_stored_sealed_byte_for_byte(door, rung):
    body = b'{"object": "whatsapp_business_account", "odd": "\xff\x00 \\ud800"}'

    answer = await post(door, body)

    assert (answer.status_code, answer.content) == (200, b"")
    assert await rows() == [body]
    assert rung == ["ding"]

    def sealed() -> bytes:
        with system_transaction():
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute("SELECT body FROM whatsapp_webhookevent")
                return bytes(cursor.fetchone()[0])

    assert b"whatsapp_business_account" not in await sync_to_async(sealed)()


@pytest.mark.parametrize("body", [b"not json", b"", b"[]", b"\x00\xff", b'{"entry": [[], {}, {"changes": {}}]}'])
async def test_whatever_is_signed_is_stored_and_read_later(door, body):
    assert (await post(door, body)).status_code == 200
    assert await rows() == [body]


async def test_three_megabytes_are_taken(door):
    body = b"x" * 3 * 1024 * 1024

    assert (await post(door, body)).status_code == 200
    assert [len(found) for found in await rows()] == [len(body)]


async def test_deliveries_that_arrive_together_share_a_commit(door, rung):
    bodies = [b'{"n": %d}' % number for number in range(300)]
    commits = []
    real = intake.Writer._commit

    async def counted(writer, page):
        commits.append(len(page))
        return await real(writer, page)

    with patch.object(intake.Writer, "_commit", counted):
        answers = await asyncio.gather(*(post(door, body) for body in bodies))

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(await rows()) == sorted(bodies)
    assert sum(commits) == 300
    assert len(commits) < 60
    assert len(rung) == len(commits)


async def test_nothing_is_answered_before_the_commit(door):
    committing, may_commit = asyncio.Event(), asyncio.Event()
    real = intake.Writer._commit

    async def held(writer, page):
        committing.set()
        await may_commit.wait()
        return await real(writer, page)

    with patch.object(intake.Writer, "_commit", held):
        answer = asyncio.create_task(post(door, b"{}"))
        await committing.wait()
        await asyncio.sleep(0.05)
        assert not answer.done()
        assert await rows() == []

        may_commit.set()
        assert (await answer).status_code == 200
    assert await rows() == [b"{}"]


async def test_a_bell_that_breaks_costs_nobody_an_answer(committed):
    def broken() -> None:
        raise RuntimeError("can't start new thread")

    application = Intake(ring=broken)
    async with _client(application) as client, asyncio.timeout(10):
        answers = await asyncio.gather(*(post(client, b"%d" % number) for number in range(20)))
        answers.append(await post(client, b"once more"))

    await _close(application)
    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows()) == 21


# --- refused ----------------------------------------------------------------------------------------------------------

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
RIGHT = signature(BODY)
FORGED: dict[str, str | None] = {
    "no header": None,
    "empty": "",
    "only the name": "sha256=",
    "without the name": RIGHT[7:],
    "another name": "sha1=" + RIGHT[7:],
    "name in capitals": "SHA256=" + RIGHT[7:],
    "a space after the name": "sha256= " + RIGHT[7:],
    "a colon": "sha256:" + RIGHT[7:],
    "short by one": RIGHT[:-1],
    "long by one": RIGHT + "0",
    "twice": RIGHT + RIGHT[7:],
    "one digit wrong": RIGHT[:-1] + ("0" if RIGHT[-1] != "0" else "1"),
    "first digit wrong": "sha256=" + ("0" if RIGHT[7] != "0" else "1") + RIGHT[8:],
    "in capitals": "sha256=" + RIGHT[7:].upper().replace("0", "O"),
    "all zeros": "sha256=" + "0" * 64,
    "not hexadecimal": "sha256=" + "z" * 64,
    "no ascii": "sha256=" + "é" * 64,
    "base64": "sha256=" + "qL8R4QIcQ/ZsRqOAbeRfcZhilN/MksRtDaErMA==",
    "of another secret": signature(BODY, "another-secret"),
    "of an empty secret": signature(BODY, ""),
    "of the verify token": signature(BODY, "local-verify-token"),
    "of another body": signature(BODY + b" "),
    "of an empty body": signature(b""),
    "plain sha256": "sha256=" + hashlib.sha256(BODY).hexdigest(),
    "secret appended": "sha256=" + hashlib.sha256(BODY + SECRET.encode()).hexdigest(),
    "hmac-sha1": "sha256=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
    "the right one in a list": f"{RIGHT}, {RIGHT}",
}


async def test_a_bad_signature_is_401_empty_and_writes_nothing(door, rung, caplog):
    caplog.set_level(logging.DEBUG)
    for name, value in FORGED.items():
        headers = {} if value is None else {"X-Hub-Signature-256": value.encode()}

        answer = await door.post(ADDRESS, content=BODY, headers=headers)

        assert (answer.status_code, answer.content) == (401, b""), name
        assert RIGHT[7:] not in str(answer.headers)
    assert await rows() == []
    assert rung == []
    assert RIGHT[7:] not in caplog.text


async def test_a_signature_in_the_old_header_does_not_count(door):
    answer = await door.post(ADDRESS, content=BODY, headers={"X-Hub-Signature": signature(BODY)})

    assert answer.status_code == 401


async def test_without_a_secret_nothing_is_genuine(door, settings):
    settings.META_APP_SECRET = ""

    for secret in ("", SECRET):
        answer = await door.post(ADDRESS, content=BODY, headers={"X-Hub-Signature-256": signature(BODY, secret)})
        assert (answer.status_code, answer.content) == (401, b"")
    assert await rows() == []


@pytest.mark.parametrize(
    "path",
    ["/webhooks/", "/webhooks/whatsapp/nobody/", "/webhooks/other/", "/webhooks/whatsapp/a/b/", "/webhooks/whatsapp/%00/",
     "/webhooks/whatsapp/%FF/", "/webhooks/whatsapp/" + "k" * 65 + "/", "/webhooks/whatsapp/'%20OR%201=1/"],
)  # fmt: skip
async def test_an_address_that_nobody_has_is_404(door, path):
    for method in ("GET", "POST"):
        answer = await door.request(method, path, content=BODY, headers={"X-Hub-Signature-256": RIGHT})

        assert (answer.status_code, answer.content) == (404, b"")
    assert await rows() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(door, method):
    answer = await door.request(method, ADDRESS, content=BODY)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


# --- addresses of one company -----------------------------------------------------------------------------------------


@pytest.fixture
def own_endpoint(committed: None) -> Company:
    company = found_company("ours", number_id="100000000000001")
    with company.transaction():
        company.things["endpoint"] = Endpoint.objects.create(
            tenant=company.tenant, name="own", key="own-app", app_secret="own-secret", verify_token="own-token"
        )
    return company


async def test_an_address_of_its_own_verifies_with_its_own_secret(own_endpoint, door):
    address = "/webhooks/whatsapp/own-app/"

    assert (await post(door, BODY, to=address)).status_code == 401
    assert (await post(door, BODY, to=address, X_Hub_Signature_256=signature(BODY, "own-secret"))).status_code == 200
    assert (await post(door, BODY, X_Hub_Signature_256=signature(BODY, "own-secret"))).status_code == 401

    def keys() -> list[str]:
        with system_transaction():
            return list(WebhookEvent.objects.values_list("endpoint_key", flat=True))

    assert await sync_to_async(keys)() == ["own-app"]


async def test_an_address_that_is_switched_off_is_404(own_endpoint, door):
    def switch_off() -> None:
        with own_endpoint.transaction():
            Endpoint.objects.update(is_active=False)

    await sync_to_async(switch_off)()

    answer = await post(door, BODY, to="/webhooks/whatsapp/own-app/", X_Hub_Signature_256=signature(BODY, "own-secret"))
    assert answer.status_code == 404


async def test_an_address_without_a_secret_verifies_nothing(own_endpoint, door):
    def forget_secret() -> None:
        with own_endpoint.transaction():
            endpoint = Endpoint.objects.get()
            endpoint.app_secret = ""
            endpoint.save(update_fields=["app_secret"])

    await sync_to_async(forget_secret)()

    for secret in ("", "own-secret", SECRET):
        answer = await post(door, BODY, to="/webhooks/whatsapp/own-app/", X_Hub_Signature_256=signature(BODY, secret))
        assert answer.status_code == 401


# --- handshake --------------------------------------------------------------------------------------------------------


async def test_the_handshake_gives_the_challenge_to_who_knows_the_token(own_endpoint, door):
    right = {"hub.mode": "subscribe", "hub.verify_token": "local-verify-token", "hub.challenge": "1158201444"}

    answer = await door.get(ADDRESS, params=right)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    own = await door.get("/webhooks/whatsapp/own-app/", params=right | {"hub.verify_token": "own-token"})
    assert (own.status_code, own.text) == (200, "1158201444")

    for wrong in (
        right | {"hub.verify_token": "guess"}, right | {"hub.verify_token": ""}, right | {"hub.mode": "unsubscribe"},
        right | {"hub.verify_token": "own-token"}, right | {"hub.verify_token": "é\ud800".encode("utf-8", "replace")}, {},
    ):  # fmt: skip
        answer = await door.get(ADDRESS, params=wrong)
        assert (answer.status_code, answer.content) == (403, b"")


async def test_without_a_verify_token_no_handshake_succeeds(door, settings):
    settings.META_VERIFY_TOKEN = ""

    answer = await door.get(ADDRESS, params={"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1"})

    assert answer.status_code == 403


# --- sizes and slowness -----------------------------------------------------------------------------------------------


async def drive(application: Intake, receive: Callable, *, headers: dict[bytes, bytes]) -> list[dict[str, Any]]:
    """Call the application as a server does, chunk by chunk."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": ADDRESS, "query_string": b"", "headers": list(headers.items())}
    await application(scope, receive, send)
    return sent


async def test_too_large_is_413_without_reading_on(committed):
    application = Intake(ring=lambda: None)
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 64 * 1024, "more_body": True}

    announced = await drive(application, receive, headers={b"content-length": b"5242880"})
    assert (announced[0]["status"], read) == (413, 0)

    chunked = await drive(application, receive, headers={})
    assert (chunked[0]["status"], chunked[1]["body"]) == (413, b"")
    assert read == 65  # one chunk more than four megabytes
    assert await rows() == []


async def test_a_body_that_never_ends_is_408_and_one_that_breaks_off_writes_nothing(committed, monkeypatch):
    monkeypatch.setattr(intake, "BODY_TIMEOUT", 0.1)
    application = Intake(ring=lambda: None)

    async def silent() -> dict[str, Any]:
        await asyncio.sleep(5)
        raise AssertionError("nobody should wait so long")

    async def broken_off() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert (await drive(application, silent, headers={}))[0]["status"] == 408
    assert (await drive(application, broken_off, headers={}))[0]["status"] == 400
    assert await rows() == []


async def test_a_slow_sender_holds_nobody_up(door):
    async def slowly() -> AsyncIterator[bytes]:
        for byte in BODY:
            await asyncio.sleep(0.01)
            yield bytes([byte])

    slow = asyncio.create_task(door.post(ADDRESS, content=slowly(), headers={"X-Hub-Signature-256": RIGHT}))
    started = time.monotonic()
    assert (await post(door, b"quick")).status_code == 200
    assert time.monotonic() - started < 0.4

    assert (await slow).status_code == 200
    assert await rows() == [b"quick", BODY]


# --- the database is away ---------------------------------------------------------------------------------------------


async def test_without_a_database_it_is_503_and_recovers_by_itself(door, monkeypatch, rung):
    assert (await post(door, b"before")).status_code == 200
    real = intake._parameters
    monkeypatch.setattr(intake, "_parameters", lambda: {**real(), "host": "127.0.0.1", "port": 9})
    for connection in _backends():
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%whatsapp_webhookevent%%' AND pid <> pg_backend_pid()")  # fmt: skip

    answers = await asyncio.gather(*(post(door, b"during") for _ in range(5)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(503, b"")}
    assert answers[0].headers["retry-after"] == "5"

    monkeypatch.setattr(intake, "_parameters", real)
    assert (await post(door, b"after")).status_code == 200
    assert await rows() == [b"before", b"after"]
    assert len(rung) == 2


async def test_a_connection_that_died_while_idle_costs_nothing(door):
    assert (await post(door, b"before")).status_code == 200
    for connection in _backends():
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%whatsapp_webhookevent%%' AND pid <> pg_backend_pid()")  # fmt: skip

    assert (await post(door, b"after")).status_code == 200
    assert await rows() == [b"before", b"after"]


async def test_without_a_database_an_own_address_is_503(own_endpoint, door, monkeypatch):
    from django.db import OperationalError

    def away(key: str) -> None:
        raise OperationalError("the database system is shutting down")

    monkeypatch.setattr(intake, "_find_endpoint", away)

    answer = await post(door, BODY, to="/webhooks/whatsapp/own-app/")
    assert (answer.status_code, answer.content) == (503, b"")


def _backends() -> Iterator[Any]:
    import psycopg

    from tests.plugin import servers

    with psycopg.connect(servers.database_url, autocommit=True) as owner:
        yield owner


# --- bad input, all the way to the rows -------------------------------------------------------------------------------


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


async def test_a_thousand_updates_in_one_post_are_merged(two_companies, door):
    ours, _theirs = two_companies
    said = [meta.text(f"{number}", wamid=f"w{number}", wa_id=f"5190055{number % 50:04}") for number in range(500)]
    seen = [meta.status("read", wamid=f"out{number}") for number in range(500)]
    body = json.dumps(meta.envelope(meta.value(contacts=[], messages=said, statuses=seen))).encode()

    assert (await post(door, body)).status_code == 200
    started = time.monotonic()
    await sync_to_async(_drain)()

    assert time.monotonic() - started < 5

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


def _drain() -> None:
    try:
        inbound.drain()
    finally:
        connections.close_all()


def _states() -> list[str]:
    try:
        with system_transaction():
            return sorted(WebhookEvent.objects.values_list("state", flat=True))
    finally:
        connections.close_all()


# --- over real sockets ------------------------------------------------------------------------------------------------


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

    async def many() -> list[tuple[int, float]]:
        async with httpx.AsyncClient(base_url=server, timeout=20) as client:

            async def one(number: int) -> tuple[int, float]:
                started = time.monotonic()
                answer = await post(client, b"%d" % number)
                return answer.status_code, time.monotonic() - started

            return await asyncio.gather(*(one(number) for number in range(200)))

    answers = asyncio.run(many())

    for line in slow:
        line.close()
    assert {status for status, _took in answers} == {200}
    assert len(stored()) == 200
