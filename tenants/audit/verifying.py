"""Reading history and its chain again, page by page: what is not as it was sealed is named, one by one.

Each entry is judged by itself (its MAC, under the MAC before that it says it follows) and by its place (that this is the
MAC of the entry before), so that one row that was touched is one finding and not all that come after. By induction a chain
without a finding is what was sealed, up to its end; that nothing was cut off there only a head that was kept elsewhere
can show.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tenants.audit import chain
from tenants.audit.chain import Head, Row
from tenants.audit.sealing import LONGEST_TRANSACTION
from tenants.audit.tables import FORGOTTEN, Table, by_index, history_tables, read_canonically
from tenants.context import system_transaction

PAGE = 2_000
# Sealing runs every half minute; what has waited as long without an entry will not get one by itself.
PATIENCE = timedelta(minutes=15)
_TRIED_PLACES = 200
_LEAST = -(2**63)

_CHAINS = """
SELECT id FROM tenants_tenant UNION SELECT DISTINCT tenant_id FROM tenants_chainentry ORDER BY 1
"""
_ENTRIES = """
SELECT seq, table_name, event_id, happened_at, sealed_at, width, key_number, digest, previous, mac
FROM tenants_chainentry WHERE tenant_id = %s AND seq > %s ORDER BY seq LIMIT %s
"""
_COUNT = "SELECT count(*) FROM tenants_chainentry WHERE tenant_id = %s AND (seq > %s) IS NOT TRUE"
# A forgotten row counts when it has an entry of its own; whether that is genuine is seen when its turn comes.
_FORGOTTEN = """
SELECT f.table_name, f.event_id
FROM unnest(%s::text[], %s::bigint[]) AS missing (table_name, event_id)
JOIN tenants_forgottenevent f
  ON f.tenant_id = %s AND f.table_name = missing.table_name AND f.event_id = missing.event_id
JOIN tenants_chainentry e ON e.tenant_id = f.tenant_id AND e.table_name = %s AND e.event_id = f.id
"""
_WITHOUT_ENTRY = """
WITH unsealed AS (
    SELECT h.{id} AS id, h.{tenant} AS tenant_id, h.{time} AS happened_at
    FROM {table} h
    WHERE h.{id} > %(after)s AND (%(of)s::uuid IS NULL OR h.{tenant} = %(of)s)
      AND NOT EXISTS (SELECT FROM tenants_chainentry e
                      WHERE e.tenant_id = h.{tenant} AND e.table_name = %(table)s AND e.event_id = h.{id})
    ORDER BY h.{id} LIMIT %(limit)s)
SELECT u.id, u.tenant_id, u.happened_at < statement_timestamp() - %(patience)s, u.happened_at < sealed.until - %(longest)s
FROM unsealed u
CROSS JOIN LATERAL (SELECT max(e.happened_at) AS until FROM tenants_chainentry e
                    WHERE e.tenant_id = u.tenant_id AND e.table_name = %(table)s) AS sealed
ORDER BY u.id
"""
_RETURNED = """
SELECT h.{id}, h.{tenant} FROM tenants_forgottenevent f
JOIN {table} h ON h.{id} = f.event_id AND h.{tenant} = f.tenant_id
WHERE f.table_name = %(table)s AND h.{id} > %(after)s AND (%(of)s::uuid IS NULL OR h.{tenant} = %(of)s)
ORDER BY h.{id} LIMIT %(limit)s
"""


class Kind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    INVENTED = "invented"
    UNSEALED = "unsealed"
    RETURNED = "returned"
    FORGED = "forged"
    REORDERED = "reordered"
    REMOVED = "removed"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    CUT = "cut"
    REPLACED = "replaced"


_SAYS = {
    Kind.CHANGED: "the row is not what was sealed",
    Kind.MISSING: "the row is gone, and no erasure removed it",
    Kind.INVENTED: "the row bears a time that was sealed without it",
    Kind.UNSEALED: "the row has no entry, though it is old enough: invented, or nobody seals",
    Kind.RETURNED: "the row is there although an erasure removed it",
    Kind.FORGED: "the entry is not what was sealed",
    Kind.REORDERED: "the entry was sealed in another place",
    Kind.REMOVED: "entries are gone",
    Kind.BROKEN: "the entry does not follow the one before it",
    Kind.UNREADABLE: "the entry's key cannot be opened",
    Kind.CUT: "the end of the chain is gone",
    Kind.REPLACED: "the entry is not the head that was kept",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was sealed: a row (`table_name`, `event_id`), or a place of the chain (`seq`)."""

    tenant_id: UUID
    kind: Kind
    seq: int | None = None
    table_name: str = ""
    event_id: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        where = [f"entry {self.seq}"] if self.seq is not None else []
        where += [f"{self.table_name} {self.event_id}"] if self.table_name else []
        said = f"{self.kind}: {self.tenant_id} {', '.join(where)}: {_SAYS[self.kind]}"
        return f"{said} ({self.detail})" if self.detail else said


class Entry(NamedTuple):
    seq: int
    table_name: str
    event_id: int
    happened_at: datetime
    sealed_at: datetime
    width: int
    key_number: int
    digest: bytes
    previous: bytes
    mac: bytes

    def mac_at(self, seq: int, *, key: bytes, tenant_id: UUID) -> bytes:
        return chain.mac_of(
            Row(self.table_name, self.event_id, self.happened_at, self.width, bytes(self.digest)),
            key=key,
            tenant_id=tenant_id,
            seq=seq,
            sealed_at=self.sealed_at,
            key_number=self.key_number,
            previous=bytes(self.previous),
        )


def chains() -> list[UUID]:
    """Whose chains there are to verify: every tenant's, those of tenants that are gone too."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_CHAINS)
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


class Verification:
    """The chain of a tenant against its history: iterate for the findings; then `head` is its last entry.

    `known` is a head of this chain that was kept elsewhere. People may work and sealing may run meanwhile.
    """

    def __init__(self, tenant_id: UUID, *, known: Head | None = None) -> None:
        self.tenant_id, self.known = tenant_id, known
        self.head = Head()
        self._read = 0

    def __iter__(self) -> Iterator[Finding]:
        after = _LEAST
        while True:
            with system_transaction(), connection.cursor() as cursor:
                read_canonically(cursor)
                by_index(cursor)
                cursor.execute(_ENTRIES, [self.tenant_id, after, PAGE])
                page = [Entry(*row) for row in cursor.fetchall()]
                self._read += len(page)
                findings = [*self._judge_entries(cursor, page), *self._judge_rows(cursor, page)]
            yield from findings
            if len(page) < PAGE:
                break
            after = page[-1].seq
        if there_are_more := self._count() - self._read:
            yield self._finding(Kind.FORGED, detail=f"{there_are_more} entries have no place of their own")
        if self.known and self.known.seq > self.head.seq:
            yield self._finding(Kind.CUT, seq=self.head.seq, detail=f"it had {self.known.seq} entries")

    def _judge_entries(self, cursor: Any, page: list[Entry]) -> Iterator[Finding]:
        keys = chain.keys(cursor, [self.tenant_id]).get(self.tenant_id, {})
        untrue = []
        for entry in page:
            if entry.seq <= self.head.seq:  # before the first, or twice: the database's own keys are not relied upon
                yield self._finding(Kind.FORGED, entry)
                continue
            if entry.seq > self.head.seq + 1:
                gone = f"{self.head.seq + 1} to {entry.seq - 1}"
                yield self._finding(Kind.REMOVED, seq=entry.seq - 1, detail=gone)
            elif bytes(entry.previous) != self.head.mac:
                yield self._finding(Kind.BROKEN, entry)
            self.head = Head(entry.seq, bytes(entry.mac))
            if self.known and self.known.seq == entry.seq and self.known.mac != self.head.mac:
                yield self._finding(Kind.REPLACED, entry)
            key = keys.get(entry.key_number)
            if key is None:
                yield self._finding(Kind.UNREADABLE, entry, detail=f"key {entry.key_number}")
            elif entry.mac_at(entry.seq, key=key, tenant_id=self.tenant_id) != self.head.mac:
                untrue.append((entry, key))
        places = [entry.seq for entry, _key in untrue[:_TRIED_PLACES]]
        for entry, key in untrue:
            yield self._untrue(entry, key, places)

    def _untrue(self, entry: Entry, key: bytes, places: list[int]) -> Finding:
        """Changed, or genuine and moved: then it is true in one of the other places that are not."""
        mac = bytes(entry.mac)
        place = next((seq for seq in places if entry.mac_at(seq, key=key, tenant_id=self.tenant_id) == mac), None)
        if place is None:
            return self._finding(Kind.FORGED, entry)
        return self._finding(Kind.REORDERED, entry, detail=f"as {place}")

    def _judge_rows(self, cursor: Any, page: list[Entry]) -> Iterator[Finding]:
        digests = self._digests(cursor, page)
        gone = [entry for entry in page if (entry.table_name, entry.event_id) not in digests]
        forgotten = self._forgotten(cursor, gone)
        for entry in page:
            row = entry.table_name, entry.event_id
            if row in digests:
                if digests[row] != bytes(entry.digest):
                    yield self._finding(Kind.CHANGED, entry)
            elif row not in forgotten:
                yield self._finding(Kind.MISSING, entry)

    def _digests(self, cursor: Any, page: list[Entry]) -> dict[tuple[str, int], bytes]:
        """What is in the history now of the page's rows, by the columns that each entry covers; one statement."""
        tables = history_tables(cursor)
        wanted: dict[tuple[str, int], list[int]] = defaultdict(list)
        for entry in page:
            wanted[entry.table_name, entry.width].append(entry.event_id)
        parts: list[str] = []
        parameters: list[Any] = []
        for (name, width), ids in wanted.items():
            if name in tables:
                parts.append(_part(tables[name], width))
                parameters += [name, ids, self.tenant_id]
        if not parts:
            return {}
        cursor.execute(" UNION ALL ".join(parts), parameters)
        return {(name, row_id): bytes(digest) for name, row_id, digest in cursor.fetchall()}

    def _forgotten(self, cursor: Any, gone: list[Entry]) -> set[tuple[str, int]]:
        if not gone:
            return set()
        names, ids = [entry.table_name for entry in gone], [entry.event_id for entry in gone]
        cursor.execute(_FORGOTTEN, [names, ids, self.tenant_id, FORGOTTEN])
        return set(cursor.fetchall())

    def _count(self) -> int:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute(_COUNT, [self.tenant_id, self.head.seq])
            return int(cursor.fetchone()[0])

    def _finding(self, kind: Kind, entry: Entry | None = None, *, seq: int | None = None, detail: str = "") -> Finding:
        if entry is None:
            return Finding(self.tenant_id, kind, seq=seq, detail=detail)
        return Finding(self.tenant_id, kind, entry.seq, entry.table_name, entry.event_id, detail)


def rows_without_entry(tenant_id: UUID | None = None) -> Iterator[Finding]:
    """Rows of history, of one tenant or of all, that nobody sealed, and those that are back after an erasure.

    What was forgotten is sealed in the transaction that removed it, so a row of that without an entry is invented at once.
    """
    with system_transaction(), connection.cursor() as cursor:
        tables = history_tables(cursor)
    for table in tables.values():
        for row_id, of, is_old, is_invented in _pages(_WITHOUT_ENTRY, table, tenant_id):
            if is_invented or table.name == FORGOTTEN:
                yield Finding(of, Kind.INVENTED, table_name=table.name, event_id=row_id)
            elif is_old:
                yield Finding(of, Kind.UNSEALED, table_name=table.name, event_id=row_id)
        for row_id, of in _pages(_RETURNED, table, tenant_id):
            yield Finding(of, Kind.RETURNED, table_name=table.name, event_id=row_id)


def _pages(template: str, table: Table, tenant_id: UUID | None) -> Iterator[tuple[Any, ...]]:
    sql = template.format(table=table.name, id=table.id_column, tenant=table.tenant_column, time=table.time_column)
    asked: dict[str, Any] = {
        "table": table.name, "of": tenant_id, "limit": PAGE, "patience": PATIENCE, "longest": LONGEST_TRANSACTION,
    }  # fmt: skip
    after = _LEAST
    while True:
        with system_transaction(), connection.cursor() as cursor:
            by_index(cursor)
            cursor.execute(sql, asked | {"after": after})
            page = cursor.fetchall()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def _part(table: Table, width: int) -> str:
    return (
        f"SELECT %s::text, h.{table.id_column}, {table.digest(width)} FROM unnest(%s::bigint[]) AS page (id)"
        f" JOIN {table.name} h ON h.{table.id_column} = page.id AND h.{table.tenant_column} = %s"
    )
