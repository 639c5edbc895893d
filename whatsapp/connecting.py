"""Connecting numbers: the flow builder's file brought in, and which queue answers a number.

The file is the source of alias, ids, tokens and whether a number is active; the queue is ours, and no file touches it.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import pghistory
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.context import system_transaction, tenant_transaction
from tenants.models import Queue, Tenant
from whatsapp import phones
from whatsapp.checking import is_made_up
from whatsapp.connections_file import Connection, read
from whatsapp.health import note
from whatsapp.models import Endpoint, HealthKind, Number, ProviderName, TokenState
from whatsapp.signals import numbers_routed


def route(*, number: Number, queue: Queue | None) -> None:
    """Let `queue` answer the number from now on; without one, triage does. Higher layers hear of it after commit."""
    number.queue = queue
    number.save(update_fields=["queue"])
    announce(tenant_id=number.tenant_id, number_ids=[number.pk])


def announce(*, tenant_id: UUID, number_ids: Iterable[UUID]) -> None:
    """Send `numbers_routed` after commit, once for all of them."""
    ids = list(number_ids)
    if ids:
        transaction.on_commit(lambda: numbers_routed.send(sender=Number, tenant_id=tenant_id, number_ids=ids))


class CannotConnect(ValueError):
    """The number cannot be added to the company; `str()` says why, to the person who connects it."""


def connect(
    *,
    tenant: Tenant,
    phone_number_id: str,
    waba_id: str,
    token: str,
    alias: str,
    display_number: str,
    queue: Queue | None,
    now: datetime,
    endpoint: Endpoint | None = None,
) -> Number:
    """Add a number to the company, in its transaction; whoever waits for it is told after commit. Raises CannotConnect."""
    if is_made_up(phone_number_id) or len(phone_number_id) > 20:
        raise CannotConnect(_("Write the phone number id: Meta's consist of digits, and are not the number itself."))
    if Number.objects.filter(provider=ProviderName.CLOUD, phone_number_id=phone_number_id).exists():
        raise CannotConnect(_("This number is connected already."))
    if is_elsewhere(tenant_id=tenant.pk, provider=ProviderName.CLOUD, phone_number_id=phone_number_id):
        raise CannotConnect(_("Another company has this number; ask the platform's operator."))
    try:
        with transaction.atomic():
            number = Number.objects.create(
                tenant=tenant, phone_number_id=phone_number_id, waba_id=waba_id, token=token, alias=alias[:80],
                display_number=display_number[:32], queue=queue, endpoint=endpoint,
            )  # fmt: skip
    except IntegrityError:
        raise CannotConnect(_("This number is connected already.")) from None  # somebody else was faster
    note(number, HealthKind.CONNECTED, after=phone_number_id, at=now)
    announce(tenant_id=tenant.pk, number_ids=[number.pk])
    return number


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    REPAIRED = "repaired"  # was registered under an id that Meta does not know
    UNCHANGED = "unchanged"
    OLDER = "older"
    REFUSED = "refused"


@dataclass(slots=True)
class Line:
    """What became of one entry. `changes` are the fields that changed, without their values; `warnings` for a person."""

    position: int
    name: str
    outcome: Outcome
    number_id: UUID | None = None
    phone_number_id: str = ""
    display_number: str = ""
    queue: str = ""
    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def has_changed(self) -> bool:
        return self.outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.REPAIRED)

    @property
    def needs_check(self) -> bool:
        """Another token or id: only WhatsApp can say whether it works."""
        return self.has_changed and bool({"token", "phone_number_id"} & set(self.changes))


@dataclass(slots=True)
class Report:
    """What an import did. `without_queue` names every active number of the company that no queue answers."""

    lines: list[Line]
    without_queue: list[str]

    @property
    def changed(self) -> int:
        return sum(line.has_changed for line in self.lines)

    @property
    def counts(self) -> dict[Outcome, int]:
        counted = Counter(line.outcome for line in self.lines)
        return {outcome: counted[outcome] for outcome in Outcome}


def sync(*, tenant: Tenant, content: bytes) -> Report:
    """Import `connections.json`; running it again changes nothing. One transaction an entry, so the good ones stay.

    A number is found by phoneNumberId, else among those registered under made-up ids by the entry's `id` or its phone
    number. Raises UnusableFile when nothing can be read.
    """
    connections, complaints = read(content)
    lines = [Line(c.position, c.name, Outcome.REFUSED, warnings=[c.reason]) for c in complaints]
    seen: dict[UUID, int] = {}
    routed: list[UUID] = []
    try:
        for connection in connections:
            with tenant_transaction(tenant.pk), pghistory.context(source="connections.json"):
                line = _import(tenant, connection, seen)
            lines.append(line)
            if line.number_id:
                seen.setdefault(line.number_id, connection.position)
            if line.outcome is Outcome.CREATED or "phone_number_id" in line.changes:
                routed.append(line.number_id)  # type: ignore[arg-type]
    finally:
        announce(tenant_id=tenant.pk, number_ids=routed)
    with tenant_transaction(tenant.pk):
        waiting = Number.objects.filter(is_active=True, queue=None)
        return Report(sorted(lines, key=lambda line: line.position), [str(number) for number in waiting])


def is_elsewhere(*, tenant_id: UUID, provider: str, phone_number_id: str) -> bool:
    """Whether another company has this number. It may be told that much, and not whose it is."""
    with system_transaction():
        holder = Number.objects.filter(provider=provider, phone_number_id=phone_number_id)
        return holder.exclude(tenant_id=tenant_id).exists()


class CannotImport(ValueError):
    """The entry cannot be joined to a number; `str()` says what stands in the way."""


def _import(tenant: Tenant, connection: Connection, seen: dict[UUID, int]) -> Line:
    """One entry, in the tenant's transaction. Two imports at once take turns on the tenant's row."""
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    line = Line(connection.position, connection.name, Outcome.REFUSED, phone_number_id=connection.phone_number_id)
    try:
        number = _number_of(tenant, connection)
        if number and number.pk in seen:
            raise CannotImport(
                _("Entry %(position)d is the same number and counts instead.") % {"position": seen[number.pk]}
            )
    except CannotImport as refusal:
        line.warnings.append(str(refusal))
        return line
    if number is None:
        number = Number.objects.create(tenant=tenant, **_values(connection) | {"alias": connection.name})
        line.outcome, line.changes = Outcome.CREATED, sorted(_values(connection))
    elif _is_older(connection, number):
        line.outcome = Outcome.OLDER
        line.warnings.append(_("The entry is older than what is stored; nothing was taken from it."))
    else:
        line.changes = _update(number, connection)
        line.outcome = Outcome.UPDATED if line.changes else Outcome.UNCHANGED
        if "phone_number_id" in line.changes:
            line.outcome = Outcome.REPAIRED
    return _describe(line, number)


def _number_of(tenant: Tenant, connection: Connection) -> Number | None:
    """The number that the entry is about; None for a new one. Raises CannotImport."""
    known_id = connection.phone_number_id
    ours = Number.objects.select_related("queue").filter(provider=ProviderName.CLOUD)
    if known_id and (number := ours.filter(phone_number_id=known_id).first()):
        return number
    if is_elsewhere(tenant_id=tenant.pk, provider=ProviderName.CLOUD, phone_number_id=known_id):
        raise CannotImport(_("This phoneNumberId is registered by another company; ask the platform's operator."))
    of_this_phone = [n for n in ours.order_by("pk") if _same_phone(tenant, n.display_number, connection.display_number)]
    candidates = [n for n in ours.filter(phone_number_id=connection.id) if is_made_up(connection.id)] or of_this_phone
    if known_id and not is_made_up(known_id):
        repairable = [n for n in candidates if is_made_up(n.phone_number_id)]
        if candidates and not repairable:
            raise CannotImport(
                _(
                    "This phone number is registered here under another id, %(id)s; change it there if WhatsApp moved it."
                )
                % {"id": candidates[0].phone_number_id}
            )
        candidates = repairable
    elif not known_id and not candidates:
        raise CannotImport(_("phoneNumberId is missing, and no number here has this displayNumber."))
    if len(candidates) > 1:
        raise CannotImport(_("Several numbers here have this phone number; give the entry its phoneNumberId."))
    return candidates[0] if candidates else None


def _is_older(connection: Connection, number: Number) -> bool:
    stored = number.source_updated_at
    return stored is not None and connection.updated_at is not None and connection.updated_at < stored


def _values(connection: Connection) -> dict[str, Any]:
    """Our fields for what the file says; what it leaves out or leaves empty is not in it."""
    said = {
        "alias": connection.alias,
        "phone_number_id": connection.phone_number_id,
        "display_number": connection.display_number,
        "waba_id": connection.waba_id,
        "token": connection.access_token,
        "verify_token": connection.verify_token,
        "source_updated_at": connection.updated_at,
    }
    values = {name: value for name, value in said.items() if value}
    return values if connection.is_active is None else values | {"is_active": connection.is_active}


def _update(number: Number, connection: Connection) -> list[str]:
    """Take over what differs, and name it. A real id is never replaced: that would cut the number off."""
    changes = {name: value for name, value in _values(connection).items() if getattr(number, name) != value}
    if not is_made_up(number.phone_number_id):
        changes.pop("phone_number_id", None)
    if not changes:
        return []
    if "token" in changes:
        changes["token_state"] = TokenState.UNKNOWN
    for name, value in changes.items():
        setattr(number, name, value)
    number.save(update_fields=list(changes))
    return sorted(changes.keys() - {"token_state", "source_updated_at"})


def _describe(line: Line, number: Number) -> Line:
    line.number_id, line.phone_number_id = number.pk, number.phone_number_id
    line.display_number, line.queue = number.display_number, number.queue.name if number.queue else ""
    if is_made_up(number.phone_number_id):
        line.warnings.append(_("Its id was made up by an earlier system: WhatsApp's consist of digits."))
    return line


def _same_phone(tenant: Tenant, one: str, other: str) -> bool:
    return bool(_keys(tenant, one) & _keys(tenant, other))


def _keys(tenant: Tenant, display_number: str) -> set[str]:
    """What a phone number may be recognised by: its digits, and its digits with the country that people leave out."""
    digits = "".join(character for character in display_number if character in "0123456789")
    keys = {phones.canonical(digits)}
    with suppress(phones.NotAPhone):
        keys.add(phones.canonical(phones.normalise(display_number, tenant.default_country)))
    return keys - {""}
