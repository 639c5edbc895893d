"""Taking a person out of imports of contacts: their row of the file, what was wrong with it, and how they were before.

The other rows keep their numbers: an import that is under way goes on where it was.
"""

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from crm import contact_files
from crm.models import ContactImport, ContactImportPage
from crm.words import folded
from tenants.models import Tenant
from whatsapp import phones


@dataclass(frozen=True, slots=True)
class Theirs:
    """Which cells are of somebody: their phones however they are spelled, user ids, e-mails."""

    phones: frozenset[str] = field(repr=False)
    words: frozenset[str] = field(repr=False)
    contact_ids: frozenset[str]
    country: str
    _ends: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, addresses: Mapping[str, Collection[str]], *, ids: Collection[UUID], tenant_id: UUID) -> "Theirs":
        """By what `crm.erasing` looks for; in the tenant's or the system's transaction."""
        numbers = frozenset(phones.canonical(each) for each in addresses.get("phones", ()))
        words = {folded(each) for name in ("ids", "emails") for each in addresses.get(name, ())}
        return cls(
            phones=numbers,
            words=frozenset(words),
            contact_ids=frozenset(map(str, ids)),
            country=Tenant.unfenced.get(pk=tenant_id).default_country,
            _ends=frozenset(each[-6:] for each in numbers),
        )

    def is_phone(self, written: str) -> bool:
        """Whether this is one of the phones, with or without the company's country code."""
        digits = "".join(filter(str.isdecimal, written))
        # Reading a number takes long, and nearly none of a hundred thousand is theirs.
        if digits[-6:] not in self._ends:
            return False
        if phones.canonical(digits) in self.phones or phones.canonical(digits.removeprefix("00")) in self.phones:
            return True
        for country in (None, self.country or None):
            try:
                if phones.canonical(phones.normalise(written, country)) in self.phones:
                    return True
            except phones.NotAPhone:
                continue
        return False

    def has(self, cell: str) -> bool:
        return self.is_phone(cell) or folded(cell.strip().lstrip("@'")) in self.words


def erase(brought: ContactImport, theirs: Theirs) -> int:
    """Take them out of one import, in its transaction; returns how many rows were theirs."""
    rows = _erase_rows(brought, theirs)
    pages = ContactImportPage.objects.filter(of=brought).select_for_update(no_key=True).order_by("pk")
    for page in pages:
        _erase_from_page(page, theirs)
    return rows


def _erase_rows(brought: ContactImport, theirs: Theirs) -> int:
    lines = contact_files.lines_of(brought.content)
    numbers = [number for number, cells in enumerate(lines) if number and any(theirs.has(cell) for cell in cells)]
    if numbers:
        for number in numbers:
            lines[number] = [contact_files.GONE] + [""] * (len(lines[number]) - 1)
        written = io.StringIO()
        writer = csv.writer(written, delimiter=contact_files.separator_of(brought.content), lineterminator="\n")
        writer.writerows(lines)
        brought.content = written.getvalue()
    gone = {number + 1 for number in numbers}  # as a spreadsheet counts
    faults = [[row, "erased", "", ""] if row in gone else [row, *rest] for row, *rest in brought.faults]
    if numbers:
        brought.faults = faults
        brought.save(update_fields=["content", "faults"])
    return len(numbers)


def _erase_from_page(page: ContactImportPage, theirs: Theirs) -> None:
    changed = {
        moment: {id: row for id, row in found.items() if id not in theirs.contact_ids}
        for moment, found in (page.changed or {}).items()
    }
    made = [each for each in page.made if each not in theirs.contact_ids]
    if (made, changed) != (page.made, page.changed or {}):
        page.made, page.changed = made, changed
        page.save(update_fields=["made", "changed"])
