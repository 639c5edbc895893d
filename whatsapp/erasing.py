"""Taking a person out of the webhooks that were stored up to a moment: page by page, each a transaction of the caller's.

Who is in one is only written in its sealed body, so all that are kept of the company are opened, and those that no company
has yet. Rows stay: that a delivery came is no secret, and a repetition of it changes nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenants.encryption import NO_TENANT, seal, unseal
from whatsapp.models import WebhookEvent
from whatsapp.providers import get_provider
from whatsapp.providers.base import Erased

PAGE = 500
_PURPOSE: str = WebhookEvent._meta.get_field("body").purpose  # type: ignore[union-attr]

# Any text or number that may be an address or an id: telling those apart is many times faster than reading the JSON.
_WORDS = re.compile(rb'"((?:[^"\\]|\\.)*+)"|(\d{5,20})')
_NUMBERS = "SELECT phone_number_id FROM whatsapp_number WHERE tenant_id = %s"
_PAGE = """
SELECT id, body FROM whatsapp_webhookevent
WHERE id > %s AND received_at <= %s AND (tenant_id = %s OR tenant_id IS NULL) ORDER BY id LIMIT %s
"""
# Whoever merges one may be waiting for what the caller holds (a wish is written down with the erasure): no waiting here.
_LOCK = """
SELECT id, provider, tenant_id, body FROM whatsapp_webhookevent WHERE id = ANY(%s) ORDER BY id FOR UPDATE SKIP LOCKED
"""
_WRITE = """
UPDATE whatsapp_webhookevent e SET body = n.body
FROM unnest(%s::bigint[], %s::bytea[]) AS n (id, body) WHERE e.id = n.id
"""


class Held(Exception):
    """Somebody else has one of the webhooks just now: let go of everything, and come back later."""


@dataclass(frozen=True, slots=True)
class Page:
    """How far a page came, how many bodies it changed, and whether there is more."""

    last: int
    changed: int
    is_last: bool


def erase_page(cursor: Any, *, tenant_id: UUID, after: int, until: datetime, erased: Erased) -> Page:
    """Take the person out of the next page of what was stored until then (the database's clock). Twice changes nothing.

    Call it in a system transaction. Raises Held when one that names the person is being merged or sealed anew.
    """
    cursor.execute(_PAGE, [after, until, tenant_id, PAGE])
    rows = cursor.fetchall()
    needles = frozenset(each.encode() for each in erased.addresses | erased.message_ids)
    needles |= {b"+" + each for each in needles}
    ids = [id for id, body in rows if _names(unseal(bytes(body), purpose=_PURPOSE), needles)]
    changed = _erase(cursor, ids, tenant_id, erased) if ids else 0
    return Page(last=rows[-1][0] if rows else after, changed=changed, is_last=len(rows) < PAGE)


def rewrite(cursor: Any, bodies: Iterable[tuple[int, bytes]]) -> None:
    """Put these (id, body) in the place of what is stored."""
    given = sorted(bodies)
    if given:
        sealed = [seal(body, tenant_id=NO_TENANT, purpose=_PURPOSE) for _id, body in given]
        cursor.execute(_WRITE, [[id for id, _body in given], sealed])


def _erase(cursor: Any, ids: list[int], tenant_id: UUID, erased: Erased) -> int:
    cursor.execute(_NUMBERS, [tenant_id])
    numbers = frozenset(row[0] for row in cursor.fetchall())
    shared = Erased(erased.addresses, erased.message_ids, numbers)
    # Looked at again under a lock: it may just have been merged, or sealed anew.
    cursor.execute(_LOCK, [ids])
    held = cursor.fetchall()
    if len(held) < len(ids):
        raise Held
    changed: list[tuple[int, bytes]] = []
    for id, provider, owner, sealed in held:
        body = unseal(bytes(sealed), purpose=_PURPOSE)
        left = get_provider(provider).without(body, erased if owner == tenant_id else shared)
        if left != body:
            changed.append((id, left))
    rewrite(cursor, changed)
    return len(changed)


def _names(body: bytes, needles: frozenset[bytes]) -> bool:
    return any((text or digits) in needles for text, digits in _WORDS.findall(body))
