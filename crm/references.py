"""Our own mark on every send, which WhatsApp gives back with its statuses: `<message uuid>.<attempt>.<hmac>`.

The HMAC keeps somebody who can guess ids from moving our messages; ids only, never anything personal, because every
app subscribed to the account can read it (Meta, status webhook reference: biz_opaque_callback_data, ≤ 512 characters).
"""

import hmac
from hashlib import sha256
from uuid import UUID

from django.conf import settings


def reference(message_id: UUID, attempt: int) -> str:
    """The mark of one attempt to send one message."""
    body = f"{message_id}.{attempt}"
    return f"{body}.{_signature(settings.SECRET_KEY, body)}"


def read_reference(text: str | None) -> tuple[UUID, int] | None:
    """The message and attempt that a mark names; None when it is not ours. Older secret keys still count."""
    body, _dot, signature = (text or "").rpartition(".")
    message_id, _dot, attempt = body.partition(".")
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not any(hmac.compare_digest(signature.encode(), _signature(key, body).encode()) for key in keys):
        return None
    try:
        return UUID(message_id), int(attempt)
    except ValueError:
        return None


def _signature(key: str, body: str) -> str:
    return hmac.new(key.encode(), b"outbound.reference:" + body.encode(), sha256).hexdigest()[:16]
