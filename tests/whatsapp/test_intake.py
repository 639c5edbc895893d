"""The door that Meta knocks on: what is answered 200 is in PostgreSQL, and nothing else is."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import sync_to_async

from tenants.context import system_transaction
from tests.cast import Company, found_company
from tests.whatsapp.doors import ADDRESS, BODY, RIGHT, SECRET, client_of, close, post, rows, signature
from whatsapp import intake, strangers
from whatsapp.intake import Intake
from whatsapp.models import Endpoint, WebhookEvent

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
    async with client_of(application) as client, asyncio.timeout(10):
        answers = await asyncio.gather(*(post(client, b"%d" % number) for number in range(20)))
        answers.append(await post(client, b"once more"))

    await close(application)
    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows()) == 21


# --- refused ----------------------------------------------------------------------------------------------------------

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


async def test_who_forges_on_and_on_is_not_even_read_until_a_minute_is_over(door, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(strangers, "monotonic", lambda: now)
    bad = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    found = [
        (await door.post(ADDRESS, content=BODY, headers=bad)).status_code for _ in range(strangers.MOST_FORGED + 2)
    ]
    assert found == [401] * strangers.MOST_FORGED + [429, 429]
    answer = await door.post(ADDRESS, content=BODY, headers=bad)
    assert (answer.content, answer.headers["Retry-After"]) == (b"", "5")
    now += 61
    assert (await post(door, BODY)).status_code == 200
    assert len(await rows()) == 1


async def test_an_address_that_genuine_deliveries_come_from_is_never_refused(door):
    assert (await post(door, BODY)).status_code == 200
    bad = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    found = {
        (await door.post(ADDRESS, content=BODY, headers=bad)).status_code for _ in range(strangers.MOST_FORGED + 5)
    }
    assert found == {401}
    assert (await post(door, BODY)).status_code == 200
    assert len(await rows()) == 2


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


@pytest.mark.parametrize("path", ["/webhooks/twilio/", "/webhooks/twilio/ours/", "/webhooks/lite/ours/"])
async def test_a_provider_that_cannot_be_verified_has_no_address(door, path):
    form = b"From=whatsapp%3A%2B51900555014&Body=hola"
    answer = await door.request(
        "POST", path, content=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 404
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
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield BODY[:1]
        begun.set()
        await go_on.wait()
        for byte in BODY[1:]:
            yield bytes([byte])

    slow = asyncio.create_task(door.post(ADDRESS, content=slowly(), headers={"X-Hub-Signature-256": RIGHT}))
    async with asyncio.timeout(10):
        await begun.wait()
        assert (await post(door, b"quick")).status_code == 200
        assert not slow.done()

        go_on.set()
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
