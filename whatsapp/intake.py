"""The door that Meta knocks on: verify, commit, answer 200. Nothing is parsed and no tenant is looked up before the commit.

A plain ASGI application beside Django. Deliveries that arrive together are written by one INSERT and one COMMIT, and each
is answered only after it: 200 means "in PostgreSQL". When the database is away the answer is 503, and Meta repeats the
delivery for up to 7 days (Meta, webhooks: delivery retries).
"""

import asyncio
import contextlib
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connections

from tenants import counters
from tenants.context import system_transaction
from tenants.crash_points import crash_point
from tenants.encryption import NO_TENANT, seal
from whatsapp.models import Endpoint, WebhookEvent
from whatsapp.strangers import Strangers

log = logging.getLogger(__name__)

LARGEST_BODY = 4 * 1024 * 1024  # Meta may send 3 MB
BODY_TIMEOUT = 20.0
COMMIT_TIMEOUT = 10.0
MOST_A_COMMIT = 2000
ENDPOINT_SECONDS = 5.0

_PURPOSE: str = WebhookEvent._meta.get_field("body").purpose  # type: ignore[union-attr]

_KEY = re.compile(r"[-\w]{1,64}", re.ASCII)  # as Endpoint.key, a slug
_LATER = [(b"retry-after", b"5")]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# As crm_app, which may add rows here and read none (policy `intake`).
_INSERT = """
INSERT INTO whatsapp_webhookevent (provider, endpoint_key, body, state, attempts, reason, unrouted_number_ids)
SELECT provider, endpoint_key, body, 'new', 0, '', '{}'
FROM unnest(%b::text[], %b::text[], %b::bytea[]) AS w (provider, endpoint_key, body)
"""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one address verifies with. An empty secret verifies nothing."""

    provider: str
    app_secret: str
    verify_token: str


class Writer:
    """Commits whatever has gathered while the last commit was under way."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._waiting: list[tuple[str, str, bytes, asyncio.Future[bool]]] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def store(self, provider: str, endpoint_key: str, body: bytes) -> bool:
        """Whether the body is committed. False when the database could not take it."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((provider, endpoint_key, body, done))
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                page, self._waiting = self._waiting[:MOST_A_COMMIT], self._waiting[MOST_A_COMMIT:]
                stored = await self._commit(page)
                for *_row, done in page:
                    if not done.done():
                        done.set_result(stored)
                if stored:
                    counters.count("webhooks_accepted_total", len(page))
                    self._ring_safely()

    def _ring_safely(self) -> None:
        try:
            self._ring()
        except Exception:
            # The rows are there and the sweep finds them; those who wait for the next commit must not suffer.
            log.exception("bell failed")

    async def _commit(self, page: list[tuple[str, str, bytes, asyncio.Future[bool]]]) -> bool:
        columns = [
            [provider for provider, _key, _body, _done in page],
            [key for _provider, key, _body, _done in page],
            [seal(body, tenant_id=NO_TENANT, purpose=_PURPOSE) for _provider, _key, body, _done in page],
        ]
        # A connection that was idle may be dead; a fresh one decides. An insert that committed although its answer was
        # lost is written twice: harmless, because merging is idempotent.
        for _try in range(2):
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT):
                    connection = await self._connected()
                    crash_point("intake.before-commit")
                    await connection.execute(_INSERT, columns)
                    crash_point("intake.after-commit")
                return True
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("webhooks not stored", extra={"error": type(error).__name__, "webhooks": len(page)})
                await self._disconnect()
        return False

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            # Nothing is prepared: behind a transaction pooler the next statement meets another connection.
            self._connection = await psycopg.AsyncConnection.connect(
                **_parameters(), autocommit=True, prepare_threshold=None
            )
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


class Intake:
    """The ASGI application for `/webhooks/…`. `ring` is called after each commit and must return at once."""

    def __init__(self, *, ring: Callable[[], None]) -> None:
        self._writer = Writer(ring)
        self._endpoints: dict[str, tuple[float, Secrets | None]] = {}
        self._strangers = Strangers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            secrets, key = await self._address(scope["path"])
        except DatabaseError:
            await _refuse(send, 503, "database", headers=_LATER)
            return
        if secrets is None:
            await _answer(send, 404)
        elif scope["method"] == "POST":
            await self._take(scope, receive, send, secrets, key)
        elif scope["method"] in ("GET", "HEAD"):
            await _handshake(scope, send, secrets)
        else:
            await _answer(send, 405, headers=[(b"allow", b"GET, POST")])

    async def _take(self, scope: Scope, receive: Receive, send: Send, secrets: Secrets, key: str) -> None:
        headers, caller = dict(scope["headers"]), (scope.get("client") or ("", 0))[0]
        if self._strangers.is_refused(caller):
            await _refuse(send, 429, "forging", headers=_LATER)  # nothing is read of it
            return
        body = await _body(headers, receive)
        if isinstance(body, int):
            await _refuse(send, body, {413: "too_large", 408: "too_slow", 400: "broken_off"}[body])
        elif not _is_signed(secrets.app_secret, headers.get(b"x-hub-signature-256", b""), body):
            self._strangers.saw(caller, genuine=False)
            await _refuse(send, 401, "signature")
        elif await self._writer.store(secrets.provider, key, body):
            self._strangers.saw(caller, genuine=True)
            await _answer(send, 200)
        else:
            await _refuse(send, 503, "database", headers=_LATER)

    async def _address(self, path: str) -> tuple[Secrets | None, str]:
        """`/webhooks/whatsapp/` is the platform's app; `/webhooks/whatsapp/<key>/` a company's own."""
        parts = [part for part in path.split("/") if part]
        if parts == ["webhooks", "whatsapp"]:
            return Secrets("cloud", settings.META_APP_SECRET, settings.META_VERIFY_TOKEN), ""
        if len(parts) != 3 or parts[1] != "whatsapp" or not _KEY.fullmatch(parts[2]):
            return None, ""
        key = parts[2]
        until, found = self._endpoints.get(key, (0.0, None))
        if time.monotonic() > until:
            found = await sync_to_async(_find_endpoint, thread_sensitive=False)(key)
            if len(self._endpoints) > 10_000:  # addresses that somebody tries out
                self._endpoints.clear()
            self._endpoints[key] = (time.monotonic() + ENDPOINT_SECONDS, found)
        return found, key


async def _handshake(scope: Scope, send: Send, secrets: Secrets) -> None:
    """Meta checks the address: give the challenge back, as plain text, to whoever knows the verify token."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    token = query.get("hub.verify_token", "")
    if (
        secrets.verify_token
        and query.get("hub.mode") == "subscribe"
        and hmac.compare_digest(token.encode(), secrets.verify_token.encode())
    ):
        await _answer(send, 200, query.get("hub.challenge", "").encode())
    else:
        await _refuse(send, 403, "handshake")


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes | int:
    """The raw body, or the status to refuse it with. Stops reading as soon as it is too large."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > LARGEST_BODY:
        return 413
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return 400
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > LARGEST_BODY:
                    return 413
                if not message.get("more_body"):
                    return b"".join(chunks)
    except TimeoutError:
        return 408


def _is_signed(secret: str, header: bytes, body: bytes) -> bool:
    """HMAC-SHA256 of the bytes as they came, in constant time; without a secret nothing is signed."""
    if not secret or not header.startswith(b"sha256="):
        return False
    expected = hmac.digest(secret.encode(), body, "sha256").hex().encode()
    return hmac.compare_digest(header[7:], expected)


async def _refuse(send: Send, status: int, reason: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    counters.count("webhooks_rejected_total", reason=reason)
    await _answer(send, status, headers=headers)


async def _answer(send: Send, status: int, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                *(headers or []),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _find_endpoint(key: str) -> Secrets | None:
    try:
        with system_transaction():
            endpoint = Endpoint.objects.filter(key=key, is_active=True).first()
        return Secrets(endpoint.provider, endpoint.app_secret, endpoint.verify_token) if endpoint else None
    finally:
        connections.close_all()


def _parameters() -> dict[str, Any]:
    """Django's own connection parameters, for a connection of our own."""
    parameters = connections["default"].get_connection_params()
    only_djangos = ("cursor_factory", "context", "prepare_threshold", "pool")
    return {key: value for key, value in parameters.items() if key not in only_djangos}
