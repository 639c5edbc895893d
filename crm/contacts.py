"""What our people know of a person: the one way to change it, so that whatever waits for it hears of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from crm import live, tombstones
from crm.inbound import people
from crm.models import Contact, Conversation, Identity, IdentityKind, MarketingSource
from crm.signals import contacts_changed
from tenants.models import Queue
from whatsapp import phones
from whatsapp.events import Person
from whatsapp.models import Number

MOST_LABELS = 50
LABEL_LENGTH = 60
_USUAL = """
SELECT DISTINCT unnest(labels) AS label
FROM (SELECT labels FROM crm_contact WHERE tenant_id = %s ORDER BY created_at DESC, id LIMIT 2000) newest
ORDER BY label LIMIT 200
"""
# Capitals do not make another label; locked in the order of all who lock contacts.
_LABEL_MANY = """
WITH locked AS (
    SELECT id FROM crm_contact
    WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND cardinality(labels) < %(most)s
      AND NOT EXISTS (SELECT FROM unnest(labels) AS each WHERE lower(each) = lower(%(label)s))
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE crm_contact c SET labels = c.labels || %(label)s::varchar FROM locked WHERE c.id = locked.id RETURNING c.id
"""


class CannotChange(Exception):
    """What is asked for a contact cannot be; `explanation` is for the person who asked."""

    def __init__(self, explanation: Any, *, contact: Contact | None = None) -> None:
        super().__init__(str(explanation))
        self.explanation, self.contact = explanation, contact


def change(contact: Contact, values: dict[str, Any], *, now: datetime) -> None:
    """Save these fields (`name`, `labels`, `attributes`, `timezone` …); call it in a transaction of the tenant."""
    for name, value in values.items():
        setattr(contact, name, value)
    contact.save(update_fields=list(values))
    tell_changed([contact], now=now)


def tell_changed(contacts: Iterable[Contact], *, now: datetime) -> None:
    """Let open pages and whoever waits for a label or an attribute look; inside the transaction that changed them."""
    by_tenant: dict[Any, list[Any]] = {}
    for contact in contacts:
        by_tenant.setdefault(contact.tenant_id, []).append(contact.pk)
    for tenant_id, ids in by_tenant.items():
        tell_changed_ids(ids, tenant_id=tenant_id, now=now)


def tell_changed_ids(ids: list[UUID], *, tenant_id: UUID, now: datetime) -> None:
    """The same for contacts known by their ids alone."""
    places = Conversation.objects.filter(contact__in=ids).values_list("pk", "queue_id", "assignee_id")
    live.publish(tenant_id, [live.Change(pk, (queue,), (assignee,)) for pk, queue, assignee in places])
    contacts_changed.send(sender=None, tenant_id=tenant_id, contact_ids=ids, at=now)


def label(contact: Contact, *, add: str = "", remove: str = "", now: datetime) -> bool:
    """Put a label on or take one off; says whether anything changed. Two people at once keep each other's labels."""
    locked = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    wanted = [each for each in locked.labels if each != remove]
    written = " ".join(add.split())[:LABEL_LENGTH]
    # Capitals do not make another label.
    if written and written.casefold() not in {each.casefold() for each in wanted} and len(wanted) < MOST_LABELS:
        wanted.append(written)
    if wanted == locked.labels:
        return False
    change(locked, {"labels": wanted}, now=now)
    return True


def label_many(ids: list[UUID], label: str, *, tenant_id: UUID, now: datetime) -> int:
    """Put a label on many at once; returns how many did not have it."""
    written = " ".join(label.split())[:LABEL_LENGTH]
    if not written:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_LABEL_MANY, {"tenant": tenant_id, "ids": ids, "label": written, "most": MOST_LABELS})
        changed = [row[0] for row in cursor.fetchall()]
    if changed:
        tell_changed_ids(changed, tenant_id=tenant_id, now=now)
    return len(changed)


def usual_labels(tenant_id: Any) -> list[str]:
    """What the newest contacts are labelled with, for choosing from."""
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [tenant_id])
        return [row[0] for row in cursor.fetchall()]


def wish_marketing(contact: Contact, *, wanted: bool, now: datetime) -> None:
    """Keep what a person told one of us: that they agree to our marketing, or want it no more."""
    values: dict[str, Any] = {
        "marketing_stopped": not wanted,
        "marketing_source": MarketingSource.PERSON,
        "marketing_preference_at": now,
    }
    change(contact, values | ({"marketing_consent_at": now} if wanted else {}), now=now)


# --- Who they are: addresses ------------------------------------------------------------------------------------------


def by_person(person: Person, *, tenant_id: UUID, now: datetime) -> tuple[Contact, bool]:
    """The contact of these ids, found as the inbound merge finds it, or a new one. The second value is whether it is new."""
    keys = people.keys_of(tenant_id, person)
    known = any(Identity.objects.filter(kind=kind, value=value).exists() for _tenant, kind, value in keys)
    with connection.cursor() as cursor:
        owners = people.resolve(cursor, [(tenant_id, person, now)])
    contact = Contact.objects.prefetch_related("identities").get(pk=people.contact_of(owners, tenant_id, person))
    return contact, not known


def create(
    *, tenant_id: UUID, name: str = "", phone: str = "", email: str = "", labels: list[str] | None = None, now: datetime
) -> Contact:
    """A contact by hand; `phone` as digits. Raises CannotChange with the contact that has the phone already."""
    if phone:
        contact, is_new = by_person(Person(phone=phone), tenant_id=tenant_id, now=now)
        if not is_new:
            raise CannotChange(_("There is a contact with this phone already."), contact=contact)
    else:
        contact = Contact.objects.create(tenant_id=tenant_id)
    change(contact, {"name": name, "email": email, "labels": labels or []}, now=now)
    return contact


def add_phone(contact: Contact, phone: str, *, now: datetime) -> Identity:
    """Give a person one more number (digits). Raises CannotChange when it is somebody's."""
    key = phones.canonical(phone)
    found = Identity.objects.select_related("contact").filter(kind=IdentityKind.PHONE, value=key).first()
    if found and found.contact_id != contact.pk:
        raise CannotChange(
            _("This phone is %(name)s’s. Merge the two.") % {"name": found.contact}, contact=found.contact
        )
    if found:
        raise CannotChange(_("They have this phone already."))
    identity = Identity.objects.create(
        tenant_id=contact.tenant_id, contact=contact, kind=IdentityKind.PHONE, value=key, address=phone
    )
    change(contact, {"phone": contact.phone or phone}, now=now)
    with connection.cursor() as cursor:
        tombstones.give_back_wishes(cursor, {contact.pk: [(contact.tenant_id, IdentityKind.PHONE.value, key)]})
    return identity


def write_to(contact: Contact, identity: Identity, *, now: datetime) -> None:
    """Make one of a person's phones the one that we write to."""
    change(contact, {"phone": identity.address or identity.value}, now=now)


def remove_phone(contact: Contact, identity: Identity, *, now: datetime) -> None:
    """Take a number from a person. Raises CannotChange for their only address, which would make them unknown."""
    others = contact.identities.exclude(pk=identity.pk)
    if not others.exists() and contact.conversations.exists():
        raise CannotChange(_("This is the only way to reach them. Add another number first."))
    identity.delete()
    if phones.canonical(contact.phone) == identity.value:
        left = others.filter(kind=IdentityKind.PHONE).order_by("created_at", "pk").first()
        change(contact, {"phone": (left.address or left.value) if left else ""}, now=now)
    else:
        tell_changed([contact], now=now)


def conversation_with(contact: Contact, number: Number) -> Conversation:
    """Their conversation with one of our numbers, begun if there is none. Nothing is sent."""
    queue_id = number.queue_id or Queue.objects.get(is_triage=True).pk
    conversation, _new = Conversation.objects.get_or_create(
        number=number, contact=contact, defaults={"tenant_id": contact.tenant_id, "queue_id": queue_id}
    )
    return conversation


# --- A contact card ---------------------------------------------------------------------------------------------------


def save_card(cards: Any, *, tenant_id: UUID, country: str = "", now: datetime) -> list[Contact]:
    """The contacts of the `contacts` of a WhatsApp message, each found by its phones or made.

    What our people wrote themselves stays: a card gives a name and an e-mail only to who has none. A card without a
    phone that can be read makes a contact only when it has a name and an e-mail. Raises nothing.
    """
    saved = []
    for card in cards if isinstance(cards, list) else []:
        if isinstance(card, dict) and (contact := _save_one(card, tenant_id=tenant_id, country=country, now=now)):
            saved.append(contact)
    return list({contact.pk: contact for contact in saved}.values())


def _save_one(card: dict[str, Any], *, tenant_id: UUID, country: str, now: datetime) -> Contact | None:
    given = card.get("name") if isinstance(card.get("name"), dict) else {}
    name = str(given.get("formatted_name") or given.get("first_name") or "").strip()[:200]  # type: ignore[union-attr]
    email = next((str(each["email"]).strip() for each in _objects(card.get("emails")) if each.get("email")), "")[:254]
    written = [str(each.get("wa_id") or each.get("phone") or "") for each in _objects(card.get("phones"))]
    digits = list(dict.fromkeys(filter(None, (_read(phone, country) for phone in written))))
    contact = _owner_of(digits)
    if contact is None and not digits and not (name and email):
        return None
    if contact is None:
        contact = create(tenant_id=tenant_id, phone=digits[0] if digits else "", now=now)
    for phone in digits:
        if not Identity.objects.filter(kind=IdentityKind.PHONE, value=phones.canonical(phone)).exists():
            add_phone(contact, phone, now=now)
    missing = {"name": name if not contact.name else "", "email": email if not contact.email else ""}
    values = {field: value for field, value in missing.items() if value}
    if values:
        change(contact, values, now=now)
    return contact


def _owner_of(digits: list[str]) -> Contact | None:
    keys = [phones.canonical(phone) for phone in digits]
    found = Identity.objects.filter(kind=IdentityKind.PHONE, value__in=keys).select_related("contact")
    by_key = {identity.value: identity.contact for identity in found}
    return next((by_key[key] for key in keys if key in by_key), None)


def _read(written: str, country: str) -> str:
    """Digits of a phone on a card: international as WhatsApp gives it, else one of the company's country; empty: none."""
    for default in (None, country or None):
        try:
            digits = phones.normalise(written, default)
        except phones.NotAPhone:
            continue
        if phones.country(digits) or default:
            return digits
    return ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
