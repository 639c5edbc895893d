"""Freezing the list of a broadcast: who gets it with which words, why somebody does not, and what it will cost.

Throwing one away is its opposite, and done in the same way.

In pages of one transaction each, so that nobody waits long for a person of a long list. A page is written together with
how far the list has come: one that is killed is done again, and nothing is sent before the last.
"""

import logging
import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from crm import costs, tombstones
from crm.blanks import blanks_for, filled
from crm.inbound import conversations, people
from crm.inbound.directory import Line
from crm.models import Contact, Conversation
from sequences.audience import number_of
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from sequences.models.broadcasts import CHANGEABLE
from sequences.schedule import BLOCKING
from tenants.context import system_transaction, tenant_transaction
from tenants.crash_points import crash_point
from tenants.models import Queue, Tenant
from whatsapp.events import Person
from whatsapp.pricing import category_of

log = logging.getLogger(__name__)

PAGE = 1000
LONGEST_RUN_SECONDS = 5.0
_AT_WORK = (BroadcastState.PREPARING, BroadcastState.DISCARDED)


class Skip(StrEnum):
    """Why a line of the list gets nothing."""

    NOT_A_PHONE = "not_a_phone"
    TWICE = "twice"
    EMPTY = "empty_variable"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    ERASED = "erased"


def prepare(broadcast: Broadcast) -> None:
    """Freeze the list soon, in the background; until then it can be changed."""
    Broadcast.objects.filter(pk=broadcast.pk, state__in=CHANGEABLE).update(
        state=BroadcastState.PREPARING, frozen_at=None, frozen_to=None
    )


def discard(broadcast: Broadcast) -> bool:
    """Throw away what has not begun: nobody sees it any more, and it is deleted soon. False if it had begun."""
    not_begun = Broadcast.objects.filter(pk=broadcast.pk, state__in=CHANGEABLE)
    return bool(not_begun.update(state=BroadcastState.DISCARDED))


def run(now: datetime) -> int:
    """Go on with every list that is being frozen or thrown away; returns how many pages. Any number may run at once."""
    done, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    with system_transaction():
        waiting = Broadcast.objects.filter(state__in=_AT_WORK).order_by("created_at", "pk")
        found = list(waiting.values_list("tenant_id", "pk"))
    for tenant_id, pk in found:
        file = _File()
        while time.monotonic() < until and _guarded_page(tenant_id, pk, file, now):
            done += 1
    return done


def freeze(broadcast: Broadcast, now: datetime) -> None:
    """Write a short list at once, in the transaction of the caller."""
    broadcast.state, broadcast.frozen_at, broadcast.frozen_to = BroadcastState.PREPARING, None, None
    file = _File()
    while broadcast.state == BroadcastState.PREPARING:
        _write_page(broadcast, file, now)


def audience_of(broadcast: Broadcast, now: datetime) -> QuerySet[Conversation]:
    """Those who wrote to the number, narrowed by label and by how lately."""
    found = Conversation.objects.filter(number_id=broadcast.number_id, last_inbound_at__isnull=False)
    if label := broadcast.audience.get("label"):
        found = found.filter(contact__labels__contains=[label])
    if days := broadcast.audience.get("days"):
        found = found.filter(last_inbound_at__gte=now - timedelta(days=days))
    return found


class _File:
    """The rows of a broadcast, opened once for many pages. Whoever is erased meanwhile is known by their tombstone."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] | None = None

    def of(self, broadcast: Broadcast) -> list[list[Any]]:
        if self._rows is None:
            self._rows = broadcast.rows
        return self._rows


@dataclass(slots=True)
class _Line:
    talk: Conversation | None = None
    line: int | None = None
    address: str = ""
    values: dict[str, str] | None = None
    fault: str = ""


@dataclass(slots=True)
class _Priced:
    count: int = 0
    unknown: int = 0
    amount: Decimal = Decimal(0)


def _guarded_page(tenant_id: UUID, pk: UUID, file: _File, now: datetime) -> bool:
    """One that cannot be frozen stops no other; it is tried again at the next beat, and what is wrong is in the log."""
    try:
        return _page(tenant_id, pk, file, now)
    except Exception:
        log.exception("list of a broadcast not gone on with", extra={"broadcast": str(pk)})
        return False


def _page(tenant_id: UUID, pk: UUID, file: _File, now: datetime) -> bool:
    """One page in a transaction of its own; False once there is nothing more to do for us."""
    with tenant_transaction(tenant_id):
        # Somebody else may be at it.
        free = Broadcast.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        waiting = free.filter(pk=pk, state__in=_AT_WORK)
        broadcast = waiting.select_related("number").defer("rows", "number__token").first()
        if broadcast is None:
            return False
        if broadcast.state == BroadcastState.DISCARDED:
            return _take_away(broadcast)
        _write_page(broadcast, file, now)
        crash_point("freezing.before-commit")
    crash_point("freezing.after-commit")
    return broadcast.state == BroadcastState.PREPARING


def _take_away(broadcast: Broadcast) -> bool:
    """A page of its list; False once that was empty, and it is gone as well."""
    if _let_go(broadcast):
        return True
    broadcast.delete()
    return False


def _write_page(broadcast: Broadcast, file: _File, now: datetime) -> None:
    """Write the next lines and how far it came. Locks contacts, then conversations, as the inbound merge does."""
    if broadcast.frozen_at is None and _let_go(broadcast):
        return
    at = broadcast.frozen_at = broadcast.frozen_at or now
    with connection.cursor() as cursor:
        tombstones.hold(cursor, [broadcast.tenant_id])
    tenant = Tenant.objects.get(pk=broadcast.tenant_id)
    # A file of which everybody was erased is nobody's, and not everybody's.
    is_file = "file" in broadcast.audience or bool(file.of(broadcast))
    to = broadcast.frozen_to or {"lines": 0, "place": None, "priced": {}}
    if "of" not in to:
        to["of"] = _length(broadcast, file, at, is_file=is_file)
    lines, is_last = (_of_file if is_file else _of_audience)(broadcast, tenant, file, to, at)
    priced = {country: _Priced(some[0], some[1], Decimal(some[2])) for country, some in to["priced"].items()}
    recipients = _recipients(broadcast, tenant, lines, to["lines"], at, priced)
    Recipient.objects.bulk_create(recipients)
    to["lines"] += len(recipients)
    to["priced"] = {country: [one.count, one.unknown, str(one.amount)] for country, one in priced.items()}
    broadcast.frozen_to = to
    if is_last:
        _finish(broadcast, tenant, priced)
    broadcast.save(update_fields=["frozen_at", "frozen_to", "forecast", "currency", "state"])


def _finish(broadcast: Broadcast, tenant: Tenant, priced: dict[str, _Priced]) -> None:
    broadcast.forecast = [
        {
            "category": broadcast.template_category, "country": country, "count": one.count,
            "amount": str(one.amount), "unknown": one.unknown,
        }
        for country, one in sorted(priced.items(), key=lambda pair: (pair[1].unknown > 0, -pair[1].count, pair[0]))
    ]  # fmt: skip
    broadcast.currency = tenant.billing_currency
    broadcast.state, broadcast.frozen_to = BroadcastState.READY, None


# By place, and locked by id, as whoever erases takes them.
_LET_GO = """
WITH old AS (
    SELECT id FROM sequences_recipient WHERE id = ANY(ARRAY(
        SELECT id FROM sequences_recipient WHERE broadcast_id = %s ORDER BY position LIMIT %s))
    ORDER BY id FOR UPDATE
)
DELETE FROM sequences_recipient r USING old WHERE r.id = old.id
"""


def _let_go(broadcast: Broadcast) -> bool:
    """Take away a page of the list that was frozen before; False once nothing is left of it."""
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO, [broadcast.pk, PAGE])
        return cursor.rowcount > 0


def _length(broadcast: Broadcast, file: _File, at: datetime, *, is_file: bool) -> int:
    """How long the list will be, for whoever watches; people may still come to it or leave it."""
    return len(file.of(broadcast)) if is_file else audience_of(broadcast, at).count()


def _of_audience(
    broadcast: Broadcast, tenant: Tenant, file: _File, to: dict[str, Any], at: datetime
) -> tuple[list[_Line], bool]:
    """Those who come next by id; at the end, whoever came in behind us: contacts are made one, labels are given."""
    found = audience_of(broadcast, at).order_by("pk").values_list("pk", flat=True)
    ids = list(found.filter(pk__gt=to["place"])[:PAGE] if to["place"] else found[:PAGE])
    is_end = not ids
    if is_end:
        listed = Recipient.objects.filter(broadcast=broadcast, conversation=OuterRef("pk"))
        ids = list(found.filter(~Exists(listed))[:PAGE])
    else:
        to["place"] = str(ids[-1])
    with connection.cursor() as cursor:
        talks = _held(cursor, ids)
    lines = [_Line(talk=talks[id]) for id in ids if id in talks]
    return lines, is_end and not lines


def _of_file(
    broadcast: Broadcast, tenant: Tenant, file: _File, to: dict[str, Any], at: datetime
) -> tuple[list[_Line], bool]:
    """The next lines, with contacts and conversations for those who have none yet.

    By their number in the file, not by how many there were: who is erased leaves the file.
    """
    rows = file.of(broadcast)
    start = bisect_right(rows, to["place"] or 0, key=lambda row: row[0])
    page = rows[start : start + PAGE]
    lines = []
    for line, written, values in page:
        digits, fault = number_of(written, tenant.default_country)
        lines.append(_Line(line=line, address=digits or written, values=values, fault=fault))
        to["place"] = line
    with connection.cursor() as cursor:
        usable = _not_erased(cursor, broadcast, [line for line in lines if not line.fault])
        _find_talks(cursor, broadcast, tenant, usable, at)
    return lines, start + PAGE >= len(rows)


def _find_talks(cursor: Any, broadcast: Broadcast, tenant: Tenant, lines: list[_Line], at: datetime) -> None:
    number = broadcast.number
    queue_id = number.queue_id or Queue.objects.get(is_triage=True).pk
    place = Line(number_id=number.pk, tenant_id=tenant.pk, queue_id=queue_id, provider=number.provider)
    people_of = [(line, Person(phone=line.address)) for line in lines]
    owners = people.resolve(cursor, [(tenant.pk, person, at) for _line, person in people_of])
    contacts = [people.contact_of(owners, tenant.pk, person) for _line, person in people_of]
    there = conversations.ensure(cursor, [(place, contact) for contact in contacts if contact])
    talks = _held(cursor, there.values())
    for line, contact in zip(lines, contacts, strict=True):
        line.talk = talks.get(there[number.pk, contact]) if contact else None


# Who makes contacts one waits until they are on the list, and takes the line along; webhooks do not wait for this lock.
_HOLD = "SELECT FROM crm_conversation WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"


def _held(cursor: Any, ids: Iterable[UUID]) -> dict[UUID, Conversation]:
    """Let these conversations stay until the transaction ends; those that are there, of people who have not been erased.

    Each table is read by itself: of a company that is new the statistics know nobody, and a join compares all with all.
    """
    ids = sorted(ids)
    cursor.execute(_HOLD, [ids])
    talks = Conversation.objects.in_bulk(ids)
    contacts = Contact.objects.in_bulk({talk.contact_id for talk in talks.values()})
    for talk in talks.values():
        if talk.contact_id in contacts:
            talk.contact = contacts[talk.contact_id]
    return {id: talk for id, talk in talks.items() if talk.contact_id in contacts}


def _not_erased(cursor: Any, broadcast: Broadcast, lines: list[_Line]) -> list[_Line]:
    """Who was erased after the file was given is not brought back by it; their line says so, and no phone."""
    if not tombstones.newest(cursor, [broadcast.tenant_id]):
        return lines
    keys = {id(line): people.keys_of(broadcast.tenant_id, Person(phone=line.address)) for line in lines}
    found = tombstones.find(cursor, {key for some in keys.values() for key in some})
    for line in lines:
        if any(key in found and found[key].until >= broadcast.created_at for key in keys[id(line)]):
            line.address, line.values, line.fault = "", None, Skip.ERASED
    return [line for line in lines if not line.fault]


def _recipients(
    broadcast: Broadcast,
    tenant: Tenant,
    page: list[_Line],
    start: int,
    now: datetime,
    priced: dict[str, _Priced],
) -> list[Recipient]:
    there = Recipient.objects.filter(broadcast=broadcast, conversation__in=[line.talk.pk for line in page if line.talk])
    taken = set(there.values_list("conversation", flat=True))
    recipients = []
    for place, line in enumerate(page, start):
        talk = line.talk
        if talk:
            talk.number = broadcast.number
        recipient = Recipient(
            tenant_id=tenant.pk, broadcast=broadcast, position=place, line=line.line, address=line.address,
            conversation=talk,
        )  # fmt: skip
        values = _values(broadcast, line, talk) if talk else {}
        recipient.fate, recipient.reason, recipient.detail = _fate(broadcast, line, talk, values, taken)
        if talk:
            taken.add(talk.pk)
        if talk and recipient.fate == Fate.WAITING:
            recipient.values = values
            price = costs.price_of(talk, category_of(broadcast.template_category), now, tenant.billing_currency)
            one = priced.setdefault(price.country, _Priced())
            one.count += 1
            one.unknown += price.is_unknown
            one.amount += price.amount or 0
        recipients.append(recipient)
    return recipients


def _fate(
    broadcast: Broadcast, line: _Line, talk: Conversation | None, values: dict[str, str], taken: set[UUID]
) -> tuple[Fate, str, str]:
    """What a line will be, and why it is left out."""
    if line.fault or talk is None:
        return Fate.REFUSED, line.fault or Skip.NOT_A_PHONE, ""
    if talk.pk in taken:
        return Fate.REFUSED, Skip.TWICE, ""
    empty = [name for name, text in values.items() if not text]
    if empty:
        return Fate.REFUSED, Skip.EMPTY, ", ".join(empty)[:120]
    if talk.contact.marketing_stopped and broadcast.template_category == "marketing":
        return Fate.SKIPPED, Skip.OPTED_OUT, ""
    if talk.suspicion in BLOCKING:
        return Fate.SKIPPED, Skip.BLOCKED, ""
    return Fate.WAITING, "", ""


def _values(broadcast: Broadcast, line: _Line, talk: Conversation) -> dict[str, str]:
    blanks = blanks_for(talk.contact) | {name: text for name, text in (line.values or {}).items() if text}
    return {name: " ".join(filled(said, blanks).split()) for name, said in broadcast.variables.items()}
