"""What the customers' phones in the simulator show: written from our rows to the file it reads when it starts.

The simulator enforces the window by its own memory. Without this it would refuse an answer to an open conversation of
the demo (131047), because nobody ever wrote as far as it knows.
"""

import json
from pathlib import Path
from typing import Any

from django.db.models import Prefetch

from crm.models import Conversation, Direction, IdentityKind, Message, MessageStatus
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp.models import ProviderName

_MOST_THREADS = 500
_MOST_MESSAGES = 30
_INVISIBLE = ("edit", "revoke", "system", "reaction")


def write(path: Path, *, slugs: list[str]) -> None:
    """Write the newest threads of these companies, as `POST /control/history` of the simulator takes them: newest last."""
    threads = [thread for tenant in _tenants(slugs) for thread in _threads_of(tenant)]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"threads": threads}, ensure_ascii=False), encoding="utf-8")
    beside.chmod(0o600)
    beside.replace(path)


def _tenants(slugs: list[str]) -> list[Tenant]:
    with system_transaction():
        return list(Tenant.objects.filter(slug__in=slugs).order_by("slug"))


def _threads_of(tenant: Tenant) -> list[dict[str, Any]]:
    reached = Message.objects.exclude(type__in=_INVISIBLE).exclude(
        direction=Direction.OUTBOUND, status__in=(MessageStatus.FAILED, MessageStatus.QUEUED, MessageStatus.UNKNOWN)
    )
    newest = Prefetch("messages", reached.order_by("-sent_at", "-id")[:_MOST_MESSAGES], to_attr="newest")
    with tenant_transaction(tenant.pk):
        conversations = (
            Conversation.objects.filter(number__provider=ProviderName.CLOUD)
            .select_related("contact", "number")
            .prefetch_related("contact__identities", newest)
            .order_by("-last_message_at")[:_MOST_THREADS]
        )
        return [_thread(conversation) for conversation in reversed(conversations)]


def _thread(conversation: Conversation) -> dict[str, Any]:
    contact = conversation.contact
    user_ids = [one.value for one in contact.identities.all() if one.kind == IdentityKind.BSUID]
    last = conversation.last_inbound_at
    return {
        "phone_number_id": conversation.number.phone_number_id,
        "from": contact.phone or user_ids[0],
        "bsuid": user_ids[0] if user_ids else "",
        "name": contact.profile_name or contact.name,
        "username": contact.username,
        "at": last.timestamp() if last else 0,
        "messages": [_bubble(message) for message in reversed(conversation.newest)],  # type: ignore[attr-defined]
    }


def _bubble(message: Message) -> dict[str, Any]:
    return {
        "wamid": message.provider_message_id or str(message.pk),
        "direction": message.direction,
        "type": message.type,
        "text": message.text,
        "at": message.sent_at.timestamp(),
        "quoted_id": message.quoted_message_id,
        "media_id": str(message.payload.get("id", "")) if message.direction == Direction.INBOUND else "",
        "filename": str(message.payload.get("filename", "")),
    }
