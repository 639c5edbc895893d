"""Webhooks as Meta posts them, about 700 bytes each, ready to be sent or stored."""

import hashlib
import hmac
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from tenants.context import system_transaction
from tenants.encryption import NO_TENANT
from tests import meta
from whatsapp.models import WebhookEvent

SENTENCE = (
    "Buenos días, quisiera saber si les queda el modelo de cuero en la talla 38 y cuánto demora el envío a Arequipa."
)
_STORE = """
INSERT INTO whatsapp_webhookevent (provider, endpoint_key, body, state, attempts, reason, unrouted_number_ids)
SELECT 'cloud', '', body, 'new', 0, '', '{}' FROM unnest(%s::bytea[]) AS w (body)
"""


def wa_id(person: int) -> str:
    """The phone of the nth simulated customer."""
    return f"519{person:08d}"


def wrote(person: int, *, wamid: str, number_id: str, text: str = SENTENCE, at: float = 0) -> bytes:
    """A customer's text, written this moment if no other is given."""
    message = meta.text(text, wamid=f"wamid.{wamid:_<56}", wa_id=wa_id(person), at=int(at or time.time()))
    people = [meta.contact(wa_id(person), f"Cliente {person}")]
    return meta.body(meta.messages(message, number_id=number_id, contacts=people))


def reported(word: str, *, wamid: str, number_id: str, at: int) -> bytes:
    """A status of an outbound message, with what Meta says about conversation and price beside it."""
    pricing = {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}
    origin = {"id": hashlib.sha256(wamid.encode()).hexdigest()[:32], "origin": {"type": "utility"}}
    return meta.body(
        meta.statuses(meta.status(word, wamid=wamid, at=at, pricing=pricing, conversation=origin), number_id=number_id)
    )


def signed(body: bytes, *, port: int) -> bytes:
    """The whole HTTP request that delivers it."""
    signature = hmac.new(settings.META_APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /webhooks/whatsapp/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def store(bodies: Sequence[bytes]) -> None:
    """Put webhooks where the intake puts them."""
    field = WebhookEvent._meta.get_field("body")
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_STORE, [[bytes(field.sealed(body, tenant_id=NO_TENANT)) for body in bodies]])  # type: ignore[union-attr]
