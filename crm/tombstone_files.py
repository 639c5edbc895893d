"""Erasures as a file, for the day on which a backup is restored that is older than they are.

The file holds digests and the companies' keys for them, sealed under ENCRYPTION_KEYS: without those it says only how many
people were erased, and when.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from django.db import connection

from crm import erasing, tombstones
from crm.models import Contact, Erasure, ErasureDigest, ErasureDoor, ErasureStep
from crm.words import folded
from tenants.context import system_transaction
from tenants.models import Membership, Tenant
from whatsapp import phones

VERSION = 1
PAGE = 5000
_KEEPS = ("reason", "door", "marketing_stopped", "marketing_source")


class NotErasures(ValueError):
    """The file is none that was written here."""


@dataclass(slots=True)
class Again:
    """What a file brought: tombstones that were missing, and people who were there again."""

    stones: int = 0
    people: int = 0


def write(file: IO[str]) -> int:
    """One line of JSON for each erasure, and first one for each key; returns how many erasures."""
    count = 0
    with system_transaction(), connection.cursor() as cursor:
        print(json.dumps({"ventana": "erasures", "version": VERSION}), file=file)
        cursor.execute("SELECT id, tenant_id, key FROM crm_erasurekey ORDER BY created_at, id")
        for key_id, tenant_id, sealed in cursor.fetchall():
            line = {"key": str(key_id), "tenant": str(tenant_id), "sealed": b64encode(bytes(sealed)).decode()}
            print(json.dumps(line), file=file)
        for erasure in Erasure.objects.order_by("pk").prefetch_related("digests"):
            print(json.dumps(_line(erasure)), file=file)
            count += 1
    return count


def _line(erasure: Erasure) -> dict[str, Any]:
    return {
        "erasure": str(erasure.pk),
        "tenant": str(erasure.tenant_id),
        "contacts": [str(each) for each in erasure.contact_ids],
        "asked_by": str(erasure.asked_by_id) if erasure.asked_by_id else None,
        "asked_at": erasure.asked_at.isoformat(),
        "until": erasure.until.isoformat(),
        "digests": sorted(each.digest for each in erasure.digests.all()),  # type: ignore[attr-defined]
    } | {name: getattr(erasure, name) for name in _KEEPS}


def again(file: IO[str], *, now: datetime) -> Again:
    """Put the tombstones back that are missing, and erase whoever is there again; run before anything else is started.

    Twice changes nothing. Companies that are not there are passed over. Raises NotErasures.
    """
    lines = _read(file)
    told = Again()
    with system_transaction():
        known = set(Tenant.unfenced.values_list("pk", flat=True))
        lines = [line for line in lines if UUID(line["tenant"]) in known]
        for line in lines:
            if "key" in line:
                _restore_key(line)
        stones = [line for line in lines if "erasure" in line]
        told.stones = sum(_restore_stone(line, now) for line in stones)
    for tenant_id in sorted({UUID(line["tenant"]) for line in stones}):
        for contact_id, until in _returned(tenant_id, [line for line in stones if line["tenant"] == str(tenant_id)]):
            with system_transaction():
                reason = Erasure.objects.filter(tenant_id=tenant_id, until=until).values_list("reason", flat=True)[0]
                erasing.ask(
                    contact_id, tenant_id=tenant_id, reason=reason, door=ErasureDoor.RESTORE, by=None, now=now, until=until
                )  # fmt: skip
            told.people += 1
    return told


def _read(file: IO[str]) -> list[dict[str, Any]]:
    try:
        first, *lines = [json.loads(line) for line in file if line.strip()]
        if (first["ventana"], first["version"]) != ("erasures", VERSION):
            raise NotErasures("This file is of another version.")
        for line in lines:
            UUID(line["tenant"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotErasures(f"This is no file of erasures: {type(error).__name__}.") from None
    return lines


def _restore_key(line: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_erasurekey (id, tenant_id, key) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
            [line["key"], line["tenant"], b64decode(line["sealed"])],
        )


def _restore_stone(line: dict[str, Any], now: datetime) -> bool:
    if Erasure.objects.filter(pk=line["erasure"]).exists():
        return False
    tenant_id = UUID(line["tenant"])
    asked_by = (
        Membership.unfenced.filter(pk=line["asked_by"], tenant_id=tenant_id).first() if line["asked_by"] else None
    )
    stone = Erasure.objects.create(
        id=UUID(line["erasure"]),
        tenant_id=tenant_id,
        contact_ids=[UUID(each) for each in line["contacts"]],
        asked_by=asked_by,
        asked_at=datetime.fromisoformat(line["asked_at"]),
        until=datetime.fromisoformat(line["until"]),
        step=ErasureStep.DONE,
        done_at=now,
        **{name: line[name] for name in _KEEPS},
    )
    ErasureDigest.objects.bulk_create(
        ErasureDigest(tenant_id=tenant_id, erasure=stone, digest=digest) for digest in line["digests"]
    )
    return True


def _returned(tenant_id: UUID, stones: list[dict[str, Any]]) -> Iterator[tuple[UUID, datetime]]:
    """(contact, until when) of whoever is there again: by their id, or by an address they had before they were erased."""
    by_digest = {digest: stone for stone in stones for digest in stone["digests"]}
    by_contact = {UUID(each): stone for stone in stones for each in stone["contacts"]}
    found: dict[UUID, datetime] = {}
    for contact_id, created_at, keys in _people(tenant_id):
        matches = [by_digest[key] for key in keys if key in by_digest]
        if contact_id in by_contact:
            matches.append(by_contact[contact_id])
        for stone in matches:
            until = datetime.fromisoformat(stone["until"])
            # Who was made after it has come back by themselves.
            if created_at <= until or contact_id in by_contact:
                found[contact_id] = max(until, found.get(contact_id, until))
    yield from found.items()


def _people(tenant_id: UUID) -> Iterator[tuple[UUID, datetime, list[str]]]:
    """Every contact of the company with the digests of what it is known by."""
    last: UUID | None = None
    while True:
        with system_transaction(), connection.cursor() as cursor:
            secrets = tombstones.secrets_of(cursor, [tenant_id]).get(tenant_id, [])
            people = Contact.objects.filter(tenant_id=tenant_id, erased_at=None).order_by("pk")
            if last:
                people = people.filter(pk__gt=last)
            page = list(people.prefetch_related("identities").only("pk", "phone", "email", "created_at")[:PAGE])
        if not page:
            return
        for contact in page:
            keys = {(each.kind, each.value) for each in contact.identities.all()}
            keys |= {("phone", phones.canonical(contact.phone))} if contact.phone else set()
            keys |= {(tombstones.EMAIL, folded(contact.email))} if contact.email else set()
            digests = [tombstones.digest(secret, kind, value) for kind, value in keys for secret in secrets]
            yield contact.pk, contact.created_at, digests
        last = page[-1].pk
