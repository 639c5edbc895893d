"""Knocking on the intake's door, and looking at what is behind it."""

import hashlib
import hmac
from typing import Any

import httpx
from asgiref.sync import sync_to_async
from django.db import connections

from tenants.context import system_transaction
from whatsapp.intake import Intake
from whatsapp.models import WebhookEvent

SECRET = "local-app-secret"
ADDRESS = "/webhooks/whatsapp/"
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def signature(body: bytes, secret: str = SECRET) -> str:
    """What Meta puts into X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


RIGHT = signature(BODY)


def stored() -> list[bytes]:
    """The bodies in the database, opened, in the order in which they came."""
    try:
        with system_transaction():
            return [bytes(event.body) for event in WebhookEvent.objects.order_by("pk")]
    finally:
        connections.close_all()


rows = sync_to_async(stored)


def client_of(application: Any) -> httpx.AsyncClient:
    """Calls an ASGI application without a socket in between."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://ventana.test")


async def close(application: Intake) -> None:
    """Let its writer go."""
    if application._writer._task:
        application._writer._task.cancel()
    await application._writer._disconnect()


async def post(client: httpx.AsyncClient, body: bytes, *, to: str = ADDRESS, **headers: str) -> httpx.Response:
    """Deliver a body as Meta does, signed unless `X_Hub_Signature_256` says otherwise."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(to, content=body, headers={"X-Hub-Signature-256": signature(body), **headers})
