"""Knowing an erased person again without keeping who they were: keyed digests of their addresses.

The key is the company's own, random and sealed: whoever has the database without the master keys cannot try phones out.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError
from psycopg.errors import LockNotAvailable
from uuid_utils.compat import uuid7

from crm.models import ErasureDigest, ErasureKey
from tenants.encryption import unseal

Key = tuple[UUID, str, str]
"""(tenant, kind, canonical value), as `crm.inbound.people` has them; an e-mail is of the kind EMAIL, folded."""

EMAIL = "email"
_SEALED: Any = ErasureKey._meta.get_field("key")

# Who merges what was said holds the company's lock with others, who erases holds it alone: what is being merged is finished
# first and then erased, and what is merged later knows of the erasure.
_HOLD = "SELECT pg_advisory_xact_lock_shared(hashtextextended('erasure:' || id, 0)) FROM unnest(%s::text[]) AS id"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('erasure:' || %s, 0))"
# Behind whoever waits for it alone wait all that merge, with what they have of other companies: it may not be for long.
_PATIENCE = "SELECT set_config('lock_timeout', %s, true)"
PATIENCE_SECONDS = 3
_NEWEST = """
SELECT of.tenant_id, known.newest FROM unnest(%s::uuid[]) AS of (tenant_id),
       LATERAL (SELECT max(e.until) AS newest FROM crm_erasure e WHERE e.tenant_id = of.tenant_id) AS known
WHERE known.newest IS NOT NULL
"""
_UNDER_WAY = "SELECT DISTINCT tenant_id FROM crm_erasure WHERE done_at IS NULL AND tenant_id = ANY(%s)"
_KEYS = "SELECT tenant_id, key FROM crm_erasurekey WHERE tenant_id = ANY(%s) ORDER BY tenant_id, created_at, id"
_FIND = """
SELECT d.tenant_id, d.digest, max(e.until), bool_or(e.marketing_stopped),
       COALESCE((array_agg(e.marketing_source ORDER BY e.until DESC) FILTER (WHERE e.marketing_stopped))[1], '')
FROM unnest(%s::uuid[], %s::text[]) AS wanted (tenant_id, digest)
JOIN crm_erasuredigest d USING (tenant_id, digest) JOIN crm_erasure e ON e.id = d.erasure_id
GROUP BY 1, 2
"""
_STOP = """
UPDATE crm_erasure e SET marketing_stopped = true, marketing_source = 'whatsapp'
WHERE NOT e.marketing_stopped AND e.id IN (
    SELECT d.erasure_id FROM unnest(%s::uuid[], %s::text[]) AS wanted (tenant_id, digest)
    JOIN crm_erasuredigest d USING (tenant_id, digest))
"""
# Asked of those alone who were just made; whoever has said something since keeps it.
_GIVE_BACK = """
UPDATE crm_contact c SET marketing_stopped = true, marketing_preference_at = n.at, marketing_source = n.source
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) AS n (id, at, source)
WHERE c.id = n.id AND c.marketing_preference_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is kept of whoever had an address: until when nothing is heard of them, and whether they stopped our marketing."""

    until: datetime
    marketing_stopped: bool
    marketing_source: str


class Busy(Exception):
    """Something long is being brought in for the company (a page of contacts or of a list): later."""


def hold(cursor: Any, tenant_ids: Iterable[UUID]) -> None:
    """Let nobody of these companies be erased until the transaction ends; call it before looking for tombstones."""
    cursor.execute(_HOLD, [sorted(str(each) for each in set(tenant_ids))])


def lock(cursor: Any, tenant_id: UUID) -> None:
    """Wait until nothing is being merged for the company, and let nothing be until the transaction ends.

    Raises Busy after a few seconds; the transaction, or the savepoint, is to be rolled back then.
    """
    cursor.execute(_PATIENCE, [f"{PATIENCE_SECONDS}s"])
    try:
        cursor.execute(_LOCK, [str(tenant_id)])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Busy from None
        raise
    cursor.execute(_PATIENCE, ["0"])


def newest(cursor: Any, tenant_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """Until when something of each company may be of an erased person; companies that have erased nobody are left out."""
    cursor.execute(_NEWEST, [sorted(set(tenant_ids))])
    return dict(cursor.fetchall())


def under_way(cursor: Any, tenant_ids: Iterable[UUID]) -> set[UUID]:
    """The companies in which somebody is being erased now."""
    cursor.execute(_UNDER_WAY, [sorted(set(tenant_ids))])
    return {row[0] for row in cursor.fetchall()}


def find(cursor: Any, keys: Iterable[Key]) -> dict[Key, Tombstone]:
    """The addresses among these whose person was erased."""
    wanted = _digests(cursor, keys)
    if not wanted:
        return {}
    cursor.execute(_FIND, [[tenant_id for tenant_id, _digest in wanted], [digest for _tenant, digest in wanted]])
    return {wanted[tenant_id, digest]: Tombstone(*facts) for tenant_id, digest, *facts in cursor.fetchall()}


def stop_marketing(cursor: Any, keys: Iterable[Key]) -> None:
    """Somebody who was erased wants no marketing: whoever has the address next gets none."""
    wanted = list(_digests(cursor, keys))
    if wanted:
        cursor.execute(_STOP, [[tenant_id for tenant_id, _digest in wanted], [digest for _tenant, digest in wanted]])


def give_back_wishes(cursor: Any, made: dict[UUID, Iterable[Key]]) -> None:
    """To contacts that were just made, by id: that the person of one of their addresses had stopped our marketing."""
    keys = {key: contact_id for contact_id, some in made.items() for key in some}
    if not keys or not newest(cursor, {key[0] for key in keys}):
        return
    stopped = {
        keys[key]: (found.until, found.marketing_source)
        for key, found in find(cursor, keys).items()
        if found.marketing_stopped
    }
    if stopped:
        ids = sorted(stopped)
        cursor.execute(_GIVE_BACK, [ids, [stopped[id][0] for id in ids], [stopped[id][1] for id in ids]])


def digest(secret: bytes, kind: str, value: str) -> str:
    return hmac.digest(secret, f"{kind}\0{value}".encode(), "sha256")[:16].hex()


def secrets_of(cursor: Any, tenant_ids: Iterable[UUID]) -> dict[UUID, list[bytes]]:
    """The companies' keys, the oldest first."""
    cursor.execute(_KEYS, [sorted(set(tenant_ids))])
    found: dict[UUID, list[bytes]] = {}
    for tenant_id, sealed in cursor.fetchall():
        found.setdefault(tenant_id, []).append(unseal(bytes(sealed), purpose=_SEALED.purpose, tenant_id=tenant_id))
    return found


def raise_stone(cursor: Any, *, tenant_id: UUID, erasure_id: UUID, addresses: Iterable[tuple[str, str]]) -> None:
    """Write down the digests of these (kind, value); a company's first erasure makes its key."""
    known = secrets_of(cursor, [tenant_id]).get(tenant_id)
    if known is None:
        known = [secrets.token_bytes(32)]
        ErasureKey.objects.create(tenant_id=tenant_id, key=known[0])
    ErasureDigest.objects.bulk_create(
        ErasureDigest(id=uuid7(), tenant_id=tenant_id, erasure_id=erasure_id, digest=each)
        for each in sorted({digest(known[0], kind, value) for kind, value in addresses})
    )


def _digests(cursor: Any, keys: Iterable[Key]) -> dict[tuple[UUID, str], Key]:
    """(tenant, digest) → key, under every key of the company; nothing for companies that have erased nobody."""
    keys = list(keys)
    known = secrets_of(cursor, {key[0] for key in keys}) if keys else {}
    return {
        (tenant_id, digest(secret, kind, value)): (tenant_id, kind, value)
        for tenant_id, kind, value in keys
        for secret in known.get(tenant_id, ())
    }
