"""The chain: for each tenant a row of entries, of which each covers a row of history and the entry before it.

An entry's MAC is HMAC-SHA256 over all that the entry says, the digest of its row, and the MAC before. It is made under a
random key of the tenant, which the database holds sealed under ENCRYPTION_KEYS (`ChainKey`); so whoever has only the
database can neither make an entry nor change, reorder or take out one. Only the end can be cut off unseen: heads that
are kept elsewhere show that.
"""

import hmac
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings

from tenants.audit.models import ChainKey
from tenants.encryption import CannotOpen, unseal

BEGINNING = bytes(32)
_LOCKS = 4202  # the class of our advisory locks; 4201 is that of the roles

_LOCK = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
_TRY_LOCKS = """
SELECT wanted.id FROM unnest(%s::uuid[]) AS wanted (id)
WHERE pg_try_advisory_xact_lock(%s, hashtext(wanted.id::text))
"""
_HEADS = """
SELECT wanted.id, head.seq, head.mac FROM unnest(%s::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT seq, mac FROM tenants_chainentry WHERE tenant_id = wanted.id ORDER BY seq DESC LIMIT 1) AS head
"""
_APPEND = """
INSERT INTO tenants_chainentry
       (tenant_id, seq, table_name, event_id, happened_at, sealed_at, width, key_number, digest, previous, mac)
SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
                     %s::smallint[], %s::smallint[], %s::bytea[], %s::bytea[], %s::bytea[])
"""
_KEYS = "SELECT tenant_id, number, key FROM tenants_chainkey WHERE tenant_id = ANY(%s) ORDER BY tenant_id, number"
_MASTERS = """
SELECT DISTINCT ON (tenant_id) tenant_id, master FROM tenants_chainkey
WHERE tenant_id = ANY(%s) ORDER BY tenant_id, number DESC
"""
_PURPOSE = ChainKey._meta.get_field("key").purpose


@dataclass(frozen=True, slots=True)
class Row:
    """A row of history that is to be sealed: where it is, since when, and the digest of its first `width` columns."""

    table_name: str
    event_id: int
    happened_at: datetime
    width: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain: who knows it knows whether the end was cut off."""

    seq: int = 0
    mac: bytes = BEGINNING


def lock(cursor: Any, tenant_id: UUID) -> None:
    """Have this tenant's chain for oneself until the transaction ends."""
    cursor.execute(_LOCK, [_LOCKS, str(tenant_id)])


def try_locks(cursor: Any, tenant_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the tenants whose chain nobody else is writing, and nobody will until the transaction ends."""
    cursor.execute(_TRY_LOCKS, [list(tenant_ids), _LOCKS])
    return {tenant_id for (tenant_id,) in cursor.fetchall()}


def heads(cursor: Any, tenant_ids: Iterable[UUID]) -> dict[UUID, Head]:
    """The last entries of the tenants that have a chain."""
    cursor.execute(_HEADS, [list(tenant_ids)])
    return {tenant_id: Head(seq, bytes(mac)) for tenant_id, seq, mac in cursor.fetchall()}


def append(cursor: Any, rows: Mapping[UUID, Iterable[Row]]) -> int:
    """Seal the rows of each tenant, in their order, with one statement. The tenants' chains must be locked.

    Returns how many entries were made.
    """
    cursor.execute("SELECT statement_timestamp()")
    (now,) = cursor.fetchone()
    last = heads(cursor, rows)
    newest = _newest_keys(cursor, rows)
    entries = []
    for tenant_id, of_tenant in rows.items():
        head = last.get(tenant_id, Head())
        number, key = newest[tenant_id]
        for row in of_tenant:
            seq = head.seq + 1
            mac = mac_of(
                row, key=key, tenant_id=tenant_id, seq=seq, sealed_at=now, key_number=number, previous=head.mac
            )
            entries.append(
                (
                    tenant_id,
                    seq,
                    row.table_name,
                    row.event_id,
                    row.happened_at,
                    now,
                    row.width,
                    number,
                    row.digest,
                    head.mac,
                    mac,
                )
            )
            head = Head(seq, mac)
    if entries:
        cursor.execute(_APPEND, [list(column) for column in zip(*entries, strict=True)])
    return len(entries)


def mac_of(
    row: Row, *, key: bytes, tenant_id: UUID, seq: int, sealed_at: datetime, key_number: int, previous: bytes
) -> bytes:
    said = [
        "entry of history, 1",
        str(tenant_id),
        seq,
        row.table_name,
        row.event_id,
        row.happened_at.astimezone(UTC).isoformat(),
        sealed_at.astimezone(UTC).isoformat(),
        row.width,
        key_number,
        previous.hex(),
        row.digest.hex(),
    ]
    return hmac.digest(key, json.dumps(said).encode(), sha256)


def keys(cursor: Any, tenant_ids: Iterable[UUID]) -> dict[UUID, dict[int, bytes | None]]:
    """The keys of each tenant by their numbers, the newest last; None for one that cannot be opened."""
    cursor.execute(_KEYS, [list(tenant_ids)])
    found: dict[UUID, dict[int, bytes | None]] = {}
    for tenant_id, number, sealed in cursor.fetchall():
        found.setdefault(tenant_id, {})[number] = _opened(bytes(sealed), tenant_id)
    return found


def _opened(sealed: bytes, tenant_id: UUID) -> bytes | None:
    try:
        return unseal(sealed, purpose=_PURPOSE, tenant_id=tenant_id)
    except CannotOpen:
        return None


def _newest_keys(cursor: Any, tenant_ids: Iterable[UUID]) -> dict[UUID, tuple[int, bytes]]:
    """The key with which each tenant's next entries are made.

    A new one where there is a new master key, and where the last one cannot be opened: sealing goes on, and whoever
    verifies is told of the entries that nobody can read.
    """
    master = next(iter(settings.ENCRYPTION_KEYS))
    cursor.execute(_MASTERS, [list(tenant_ids)])
    masters = dict(cursor.fetchall())
    there = keys(cursor, tenant_ids)
    newest: dict[UUID, tuple[int, bytes]] = {}
    made = []
    for tenant_id in tenant_ids:
        number, key = next(reversed(there.get(tenant_id, {0: None}).items()))
        if key is None or masters[tenant_id] != master:
            number, key = number + 1, os.urandom(32)
            made.append(ChainKey(tenant_id=tenant_id, number=number, master=master, key=key))
        newest[tenant_id] = number, key
    ChainKey.objects.bulk_create(made)
    return newest
