"""Freezing the list of a broadcast: who gets it with which words, why somebody does not, and what it will cost."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from crm import costs, tombstones
from crm.blanks import blanks_for, filled
from crm.inbound import conversations, people
from crm.inbound.directory import Line
from crm.models import Conversation
from sequences.audience import number_of
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from sequences.schedule import BLOCKING
from tenants.models import Queue, Tenant
from whatsapp.events import Person
from whatsapp.models import Number
from whatsapp.pricing import category_of

PAGE = 500


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
    Broadcast.objects.filter(pk=broadcast.pk, state__in=(BroadcastState.DRAFT, BroadcastState.READY)).update(
        state=BroadcastState.PREPARING
    )


def audience_of(broadcast: Broadcast, now: datetime) -> QuerySet[Conversation]:
    """Those who wrote to the number, narrowed by label and by how lately."""
    found = Conversation.objects.filter(number_id=broadcast.number_id, last_inbound_at__isnull=False)
    if label := broadcast.audience.get("label"):
        found = found.filter(contact__labels__contains=[label])
    if days := broadcast.audience.get("days"):
        found = found.filter(last_inbound_at__gte=now - timedelta(days=days))
    return found


def freeze(broadcast: Broadcast, now: datetime) -> None:
    """Write the list with a reason for whoever is left out, and what it will cost. In one transaction, all or nothing."""
    Recipient.objects.filter(broadcast=broadcast).delete()
    tenant = Tenant.objects.get(pk=broadcast.tenant_id)
    if broadcast.rows:
        found = _from_rows(broadcast, tenant, now)
    else:
        ids = audience_of(broadcast, now).order_by("pk").values_list("pk", flat=True)
        found = [_Line(conversation_id=id) for id in ids]
    priced: dict[tuple[str, str], _Priced] = {}
    for start in range(0, len(found), PAGE):
        page = found[start : start + PAGE]
        recipients = _recipients(broadcast, tenant, page, start, now, priced)
        Recipient.objects.bulk_create(recipients)
    broadcast.forecast = [
        {
            "category": broadcast.template_category, "country": country, "count": one.count,
            "amount": str(one.amount), "unknown": one.unknown,
        }
        for (_category, country), one in sorted(priced.items(), key=lambda pair: (pair[1].unknown > 0, -pair[1].count))
    ]  # fmt: skip
    broadcast.currency = tenant.billing_currency
    broadcast.state = BroadcastState.READY
    broadcast.save(update_fields=["forecast", "currency", "state"])


@dataclass(slots=True)
class _Line:
    conversation_id: UUID | None = None
    line: int | None = None
    address: str = ""
    values: dict[str, str] | None = None
    fault: str = ""


@dataclass(slots=True)
class _Priced:
    count: int = 0
    unknown: int = 0
    amount: Decimal = Decimal(0)


def _from_rows(broadcast: Broadcast, tenant: Tenant, now: datetime) -> list[_Line]:
    """The lines of a file, with contacts and conversations for those who have none yet."""
    number = Number.objects.get(pk=broadcast.number_id)
    queue_id = number.queue_id or Queue.objects.get(is_triage=True).pk
    place = Line(number_id=number.pk, tenant_id=tenant.pk, queue_id=queue_id, provider=number.provider)
    lines, seen = [], set[str]()
    for line, written, values in broadcast.rows:
        digits, fault = number_of(written, tenant.default_country)
        if not fault and digits in seen:
            fault = Skip.TWICE
        seen.add(digits)
        lines.append(_Line(line=line, address=digits or written, values=values, fault=fault))
    usable = [line for line in lines if not line.fault]
    with connection.cursor() as cursor:
        usable = _not_erased(cursor, broadcast, usable)
        for start in range(0, len(usable), PAGE):
            page = [(line, Person(phone=line.address)) for line in usable[start : start + PAGE]]
            owners = people.resolve(cursor, [(tenant.pk, person, now) for _line, person in page])
            contacts = {id(line): people.contact_of(owners, tenant.pk, person) for line, person in page}
            there = conversations.ensure(cursor, [(place, contact) for contact in contacts.values() if contact])
            for line, _person in page:
                contact = contacts[id(line)]
                line.conversation_id = there.get((number.pk, contact)) if contact else None
    return lines


def _not_erased(cursor: Any, broadcast: Broadcast, lines: list[_Line]) -> list[_Line]:
    """Who was erased after the file was given is not brought back by it; their line says so, and no phone."""
    tombstones.hold(cursor, [broadcast.tenant_id])
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
    priced: dict[tuple[str, str], _Priced],
) -> list[Recipient]:
    ids = [line.conversation_id for line in page if line.conversation_id]
    found = Conversation.objects.filter(pk__in=ids).select_related("contact", "number").defer("number__token")
    talks = {talk.pk: talk for talk in found}
    taken = set(
        Recipient.objects.filter(broadcast=broadcast, conversation__in=ids).values_list("conversation", flat=True)
    )
    recipients = []
    for place, line in enumerate(page, start):
        talk = talks.get(line.conversation_id) if line.conversation_id else None
        recipient = Recipient(
            tenant_id=tenant.pk, broadcast=broadcast, position=place, line=line.line, address=line.address,
            conversation=talk,
        )  # fmt: skip
        values = _values(broadcast, line, talk) if talk else {}
        recipient.fate, recipient.reason, recipient.detail = _fate(broadcast, line, talk, values, taken)
        if talk and recipient.fate == Fate.WAITING:
            taken.add(talk.pk)
            recipient.values = values
            price = costs.price_of(talk, category_of(broadcast.template_category), now, tenant.billing_currency)
            one = priced.setdefault((broadcast.template_category, price.country), _Priced())
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
