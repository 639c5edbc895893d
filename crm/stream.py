"""The door to `crm.live` for a browser: `/live/`, an ASGI application beside Django, so that an open page costs no thread."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.db import connections

from crm import live
from tenants.context import tenant_transaction
from tenants.middleware import membership_by_session

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


async def stream(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Stream what the signed-in member may know; 401 for anybody else. Closes by itself when the right is gone."""
    audience = await _audience(scope)
    if audience is None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    tasks = [
        asyncio.create_task(_pour(audience, send)),
        asyncio.create_task(_until_gone(receive)),
        asyncio.create_task(_while_allowed(scope, audience)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pour(audience: live.Audience, send: Send) -> None:
    async with aclosing(live.events(audience)) as events:
        async for chunk in events:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _while_allowed(scope: dict[str, Any], audience: live.Audience) -> None:
    """Follow changes of queues and role; return when the person signed out or was removed."""
    while True:
        await asyncio.sleep(live.REAUTHORISE_SECONDS)
        fresh = await _audience(scope)
        if fresh is None or fresh.tenant_id != audience.tenant_id:
            return
        audience.sees_everything, audience.queue_ids = fresh.sees_everything, fresh.queue_ids


async def _audience(scope: dict[str, Any]) -> live.Audience | None:
    return await sync_to_async(_read_audience, thread_sensitive=False)(scope)


def _read_audience(scope: dict[str, Any]) -> live.Audience | None:
    request = ASGIRequest(scope, BytesIO())
    try:
        SessionMiddleware(lambda _request: None).process_request(request)  # type: ignore[arg-type,return-value]
        request.user = get_user(request)
        membership = membership_by_session(request)
        if membership is None:
            return None
        with tenant_transaction(membership.tenant_id, user_id=membership.user_id):
            return live.Audience.of(membership)
    finally:
        connections.close_all()
