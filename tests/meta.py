"""Webhooks as Meta writes them, for tests of the merge."""

import json
import time
from typing import Any

from tenants.context import system_transaction
from tenants.encryption import NO_TENANT
from whatsapp.models import WebhookEvent

NOON = 1_763_640_000  # 2025-11-20 12:00 UTC; tests that need an open window pass `at`


def contact(wa_id: str = "51900555014", name: str = "Rosa Quispe", **more: Any) -> dict[str, Any]:
    return {"profile": {"name": name}, "wa_id": wa_id, **more}


def text(
    body: str = "hola", *, wamid: str = "wamid.1", wa_id: str = "51900555014", at: int = NOON, **more: Any
) -> dict:
    return {"from": wa_id, "id": wamid, "timestamp": str(at), "type": "text", "text": {"body": body}, **more}


def status(word: str, *, wamid: str = "wamid.out", at: int = NOON, **more: Any) -> dict[str, Any]:
    return {"id": wamid, "status": word, "timestamp": str(at), "recipient_id": "51900555014", **more}


def value(number_id: str = "100000000000001", **parts: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "5115550101", "phone_number_id": number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata, **parts}


def messages(*found: dict[str, Any], number_id: str = "100000000000001", contacts: list[dict] | None = None) -> dict:
    people = [contact(message.get("from", "51900555014")) for message in found] if contacts is None else contacts
    return value(number_id, contacts=people, messages=list(found))


def statuses(*found: dict[str, Any], number_id: str = "100000000000001") -> dict[str, Any]:
    return value(number_id, statuses=list(found))


def envelope(*values: dict[str, Any], field: str = "messages", waba: str = "300000000000001") -> dict[str, Any]:
    changes = [{"field": field, "value": one} for one in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "changes": changes}]}


def body(*values: dict[str, Any], **options: Any) -> bytes:
    return json.dumps(envelope(*values, **options)).encode()


def store(raw: bytes) -> int:
    """Put a webhook where the intake puts it."""
    field = WebhookEvent._meta.get_field("body")
    with system_transaction():
        return WebhookEvent.objects.create(body=field.sealed(raw, tenant_id=NO_TENANT)).pk


def now() -> int:
    return int(time.time())
