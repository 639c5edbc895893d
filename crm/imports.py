"""Bringing in a file of contacts in the background: checking every row, then pages of one transaction each, and undoing.

A page that is killed is done again: it is written together with how far the import has come.
"""

import json
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pghistory
from django.db import connection
from uuid_utils.compat import uuid7

from crm import contact_files, contacts, rows, tombstones
from crm.contact_files import Entry, File
from crm.inbound import people
from crm.models import Contact, ContactImport, ContactImportPage, ContactWord, ImportState
from crm.models.imports import BUSY
from crm.words import folded
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Tenant
from whatsapp.events import Person

PAGE = 5000
LONGEST_RUN_SECONDS = 20.0
MOST_SHOWN = 200
KEPT_FOR = timedelta(days=30)
_WRITTEN = ("name", "email", "username", "labels", "attributes", "marketing_consent_at", "marketing_source")


def begin(filename: str, content: bytes, *, by: Membership, now: datetime) -> ContactImport:
    """Keep a file to be checked soon. Raises contact_files.NotAList."""
    file = contact_files.read(content)
    mapping = contact_files.guess(file.columns)
    return ContactImport.objects.create(
        tenant_id=by.tenant_id,
        filename=filename[-200:],
        content=contact_files.decoded(content),
        columns=file.columns,
        mapping=mapping,
        uses_consent=contact_files.CONSENT in mapping.values(),
        total=len(file.rows),
        created_by=by,
        created_at=now,
    )


def ask_again(
    asked: ContactImport, *, mapping: dict[str, str] | None = None, fixes: dict[str, Any] | None = None
) -> bool:
    """Check once more with other columns or with an answer to an error; False once it is under way."""
    changes: dict[str, Any] = {"state": ImportState.CHECKING}
    if mapping is not None:
        asked.mapping = {column: mapping.get(column, "") for column in asked.columns}
    if fixes:
        asked.fixes = asked.fixes | fixes
    if not _step(asked, (ImportState.CHECKED,), **changes):
        return False
    asked.save(update_fields=["mapping", "fixes"])
    return True


def start(asked: ContactImport, *, uses_consent: bool, label: str = "") -> bool:
    """Bring in the rows without an error; False unless it is checked and not yet under way."""
    return _step(
        asked, (ImportState.CHECKED,), state=ImportState.RUNNING, place=0, uses_consent=uses_consent, label=label
    )


def take_back(asked: ContactImport, *, now: datetime) -> bool:
    """Undo it in the background; False when it is too late."""
    return asked.can_be_undone(now) and _step(asked, (ImportState.DONE,), state=ImportState.UNDOING)


def _step(asked: ContactImport, states: tuple[ImportState, ...], **changes: Any) -> bool:
    done = ContactImport.objects.filter(pk=asked.pk, state__in=states).update(**changes)
    for name, value in changes.items() if done else ():
        setattr(asked, name, value)
    return bool(done)


def run(now: datetime) -> int:
    """Go on with every import that is under way; returns how many pages were done. Any number may run at once."""
    done, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    with system_transaction():
        waiting = list(
            ContactImport.objects.filter(state__in=BUSY).order_by("created_at").values_list("tenant_id", "pk")
        )
    for tenant_id, pk in waiting:
        reading = Reading()
        while time.monotonic() < until and _work(tenant_id, pk, reading, now):
            done += 1
    return done


class Reading:
    """The file of an import, which never changes: opened and read once, however many of its pages are worked on."""

    def __init__(self) -> None:
        self._file: File | None = None

    def of(self, asked: ContactImport) -> File:
        if self._file is None:
            self._file = contact_files.parse(asked.content)
        return self._file


def _work(tenant_id: UUID, pk: UUID, reading: Reading, now: datetime) -> bool:
    """One piece of one import; False once there is nothing more to do for us."""
    with tenant_transaction(tenant_id):
        # Somebody else may be at it.
        free = ContactImport.objects.select_for_update(no_key=True, skip_locked=True, of=("self",)).filter(
            pk=pk, state__in=BUSY
        )
        asked = free.select_related("created_by").defer("content").first()
        if asked is None:
            return False
        user = str(asked.created_by.user_id) if asked.created_by else None
        with pghistory.context(user=user, url=f"import:{asked.pk}"):
            work = {ImportState.CHECKING: _check, ImportState.RUNNING: _bring_page, ImportState.UNDOING: _undo_page}
            work[ImportState(asked.state)](asked, reading, now)
        return True


def _check(asked: ContactImport, reading: Reading, now: datetime) -> None:
    file, country = reading.of(asked), _country(asked)
    faults: list[list[Any]] = []
    found: list[Entry] = []
    counts = {"new": 0, "updates": 0, "agreed": 0, "not_agreed": 0}
    for number, each in contact_files.entries(file, asked.mapping, country=country, fixes=asked.fixes):
        if not isinstance(each, Entry):
            faults.append([number, each.kind, each.written, each.sentence])
            continue
        found.append(each)
        if len(found) == PAGE:
            _count(counts, found, asked.tenant_id)
            found = []
    _count(counts, found, asked.tenant_id)
    asked.faults, asked.found = faults, counts | {"errors": len(faults)}
    asked.state, asked.place = ImportState.CHECKED, 0
    asked.save(update_fields=["faults", "found", "state", "place"])


def _count(counts: dict[str, int], found: list[Entry], tenant_id: UUID) -> None:
    if not found:
        return
    known = _known(found, tenant_id)
    counts["updates"] += sum(owner is not None for owner in known)
    counts["new"] += sum(owner is None for owner in known)
    counts["agreed"] += sum(each.agreed is True for each in found)
    counts["not_agreed"] += sum(each.agreed is not True for each in found)


def _known(found: list[Entry], tenant_id: UUID) -> list[UUID | None]:
    """For each row the contact that it is already: by WhatsApp's id, by phone, else by e-mail."""
    with connection.cursor() as cursor:
        keys = [people.keys_of(tenant_id, _person(each)) for each in found]
        owners = people.owners_of(cursor, [key for some in keys for key in some])
    emails = {folded(each.email) for each, some in zip(found, keys, strict=True) if not some}
    words = ContactWord.objects.filter(word__in=emails).values_list("word", "contact_id")
    by_email = dict(words.order_by("-contact_id")) if emails else {}
    return [
        next((owners[key] for key in some if key in owners), None) if some else by_email.get(folded(each.email))
        for each, some in zip(found, keys, strict=True)
    ]


def _person(entry: Entry) -> Person:
    return Person(phone=entry.phone or None, bsuid=entry.user_id or None)


# --- One page ---------------------------------------------------------------------------------------------------------

# What a file leaves empty stays; labels add up, attributes of the same name are replaced; nobody who stopped is agreed.
_WRITE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(given)s::jsonb)
           AS g (id uuid, name text, email text, username text, labels text[], attributes jsonb, agreed boolean)
), locked AS (
    SELECT c.id FROM crm_contact c JOIN given USING (id) ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE crm_contact c
SET name = COALESCE(NULLIF(g.name, ''), c.name), email = COALESCE(NULLIF(g.email, ''), c.email),
    username = COALESCE(NULLIF(c.username, ''), g.username),
    labels = (c.labels || ARRAY(
        SELECT each::varchar FROM unnest(g.labels) AS each
        WHERE NOT EXISTS (SELECT FROM unnest(c.labels) AS had WHERE lower(had) = lower(each))))[:%(most)s],
    attributes = CASE WHEN jsonb_typeof(c.attributes) = 'object' THEN c.attributes ELSE '{}' END || g.attributes,
    marketing_consent_at = CASE WHEN g.agreed AND NOT c.marketing_stopped THEN COALESCE(c.marketing_consent_at, %(now)s)
                                ELSE c.marketing_consent_at END,
    marketing_source = CASE WHEN g.agreed AND NOT c.marketing_stopped AND c.marketing_consent_at IS NULL THEN 'import'
                            ELSE c.marketing_source END
FROM given g JOIN locked USING (id) WHERE c.id = g.id
"""


def _bring_page(asked: ContactImport, reading: Reading, now: datetime) -> None:
    file, country = reading.of(asked), _country(asked)
    part = _not_erased(asked, _good(asked, file, country))
    first = asked.place + 2
    made, changed = _bring(asked, [entry for _number, entry in part], now) if part else ([], {})
    ContactImportPage.objects.create(
        tenant_id=asked.tenant_id, of=asked, first_row=first, made=[str(each) for each in made], changed=changed
    )
    asked.place = min(asked.place + PAGE, asked.total)
    if asked.place == asked.total:
        asked.state, asked.ended_at = ImportState.DONE, now
    asked.save(update_fields=["place", "state", "ended_at"])


def _good(asked: ContactImport, file: File, country: str) -> list[tuple[int, Entry]]:
    """The rows of the next page that the check found no error in."""
    bad = {fault[0] for fault in asked.faults}
    numbered = enumerate(file.rows[asked.place : asked.place + PAGE], asked.place + 2)
    read = (
        (number, contact_files.entry_of(cells, file.columns, asked.mapping, country=country, fixes=asked.fixes))
        for number, cells in numbered
        if number not in bad
    )
    return [(number, entry) for number, entry in read if isinstance(entry, Entry)]


def _not_erased(asked: ContactImport, part: list[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """Without those who were erased after the file was given; nobody is erased until the page is done."""
    tenant_id = asked.tenant_id
    with connection.cursor() as cursor:
        tombstones.hold(cursor, [tenant_id])
        if not tombstones.newest(cursor, [tenant_id]):
            return part
        keys = {
            number: [*people.keys_of(tenant_id, _person(each)), (tenant_id, tombstones.EMAIL, folded(each.email))]
            for number, each in part
        }
        found = tombstones.find(cursor, {key for some in keys.values() for key in some})
    return [
        (number, each)
        for number, each in part
        if not any(key in found and found[key].until >= asked.created_at for key in keys[number])
    ]


def _bring(asked: ContactImport, found: list[Entry], now: datetime) -> tuple[list[UUID], dict[str, Any]]:
    """Make or change the contacts of these rows. Returns who was made, and the others as they were and became."""
    tenant_id = asked.tenant_id
    known = _known(found, tenant_id)
    with connection.cursor() as cursor:
        owners = people.resolve(cursor, [(tenant_id, _person(each), now) for each in found])
        homes = [
            people.contact_of(owners, tenant_id, _person(each)) or owner
            for each, owner in zip(found, known, strict=True)
        ]
        fresh = Contact.objects.bulk_create(Contact(id=uuid7(), tenant_id=tenant_id) for home in homes if home is None)
        strangers = iter(fresh)
        ids = [home or next(strangers).pk for home in homes]
        made = [id for id, owner in zip(ids, known, strict=True) if owner is None]
        before = _relevant(rows.read(cursor, Contact, list(set(ids) - set(made))))
        cursor.execute(_WRITE, {"given": _given(asked, found, ids), "now": now, "most": contacts.MOST_LABELS})
        after = _relevant(rows.read(cursor, Contact, [UUID(id) for id in before]))
    contacts.tell_changed_ids(ids, tenant_id=tenant_id, now=now)
    changed = {id: row for id, row in before.items() if after[id] != row}
    return made, {"before": changed, "after": {id: after[id] for id in changed}}


def _given(asked: ContactImport, found: list[Entry], ids: list[UUID]) -> str:
    extra = [asked.label] if asked.label else []
    # Two rows may turn out to be one contact (a user id and a phone that are the same person's): the last one counts.
    return json.dumps(
        list(
            {
                id: {
                    "id": str(id), "name": each.name, "email": each.email, "username": each.username,
                    "labels": [*each.labels, *extra], "attributes": each.attributes,
                    "agreed": bool(asked.uses_consent and each.agreed),
                }
                for id, each in zip(ids, found, strict=True)
            }.values()
        )
    )  # fmt: skip


def _relevant(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {id: {"id": id} | {name: row[name] for name in _WRITTEN} for id, row in found.items()}


# --- Undoing ----------------------------------------------------------------------------------------------------------

# Who has written meanwhile, or was written to, stays.
_UNUSED = """
SELECT c.id FROM crm_contact c
WHERE c.id = ANY(%s) AND NOT EXISTS (SELECT FROM crm_conversation t WHERE t.contact_id = c.id)
ORDER BY c.id FOR UPDATE
"""


def _undo_page(asked: ContactImport, reading: Reading, now: datetime) -> None:
    page = ContactImportPage.objects.filter(of=asked, is_undone=False).order_by("-first_row").first()
    if page is None:
        ContactImport.objects.filter(pk=asked.pk).update(state=ImportState.UNDONE, place=0)
        return
    with connection.cursor() as cursor:
        if page.changed:
            rows.revert(cursor, Contact, before=page.changed["before"], after=page.changed["after"])
        cursor.execute(_UNUSED, [[UUID(each) for each in page.made]])
        unused = [row[0] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM crm_identity WHERE contact_id = ANY(%s)", [unused])
        cursor.execute("DELETE FROM crm_contact WHERE id = ANY(%s)", [unused])
    page.is_undone = True
    page.save(update_fields=["is_undone"])
    ContactImport.objects.filter(pk=asked.pk).update(place=max(page.first_row - 2, 0))


def forget(now: datetime) -> int:
    """Drop files that nobody has worked on for so long, with what was kept to undo them; in a system transaction."""
    old = ContactImport.objects.filter(created_at__lt=now - KEPT_FOR).exclude(state__in=BUSY)
    count, _by_table = old.delete()
    return count


def _country(asked: ContactImport) -> str:
    return Tenant.objects.get(pk=asked.tenant_id).default_country
