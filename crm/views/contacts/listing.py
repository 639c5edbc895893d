"""The list of contacts: what its address asks for, and one page of it. Anything unreadable in the address is ignored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.http import QueryDict

from crm.models import Contact, Conversation
from crm.models.contacts import ContactQuerySet
from tenants.models import Membership
from whatsapp import phones

PAGE = 50
MOST_COUNTED = 1000
ACTIVE = timedelta(days=30)
# The longest a window is open after somebody wrote: that of an ad.
_LONGEST_WINDOW = timedelta(hours=72)
_AFTER_DIGITS = ":"  # what begins with digits sorts before it


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _name(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    return text


@dataclass(frozen=True, slots=True)
class Order:
    """By which column, and which way; equal ones by id the same way. `read` takes the column's value from a cursor."""

    column: str
    descending: bool
    read: Callable[[str], Any]

    @property
    def columns(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.column}", f"{sign}id"

    @property
    def turned(self) -> "Order":
        return Order(self.column, not self.descending, self.read)

    def beyond(self, value: Any, last: UUID) -> Q:
        """What comes after this one. Written so that the index gives the range and the rest only breaks ties."""
        step = "lt" if self.descending else "gt"
        ties = Q(**{f"{self.column}__{step}": value}) | Q(**{f"id__{step}": last})
        return Q(ties, **{f"{self.column}__{step}e": value})

    def cursor(self, contact: Contact) -> str:
        value = getattr(contact, self.column)
        return f"{value.isoformat() if isinstance(value, datetime) else value}~{contact.pk}"

    def place(self, cursor: str) -> tuple[Any, UUID] | None:
        value, _tilde, last = cursor.rpartition("~")
        try:
            return self.read(value), UUID(last)
        except ValueError:
            return None


ORDERS = {
    "": Order("seen_at", True, _moment),
    "name": Order("sort_name", False, _name),
    "-name": Order("sort_name", True, _name),
}


@dataclass(frozen=True, slots=True)
class ContactFilters:
    """A narrowed list of contacts; `query` gives back the address that leads to it."""

    words: str = ""
    active: bool = False
    country: str = ""  # a calling code, "51"
    label: str = ""
    window: str = ""  # open, closed
    marketing: str = ""  # agreed, stopped, unknown
    sort: str = ""  # one of ORDERS

    @classmethod
    def of(cls, query: QueryDict) -> "ContactFilters":
        country, window, marketing, sort = (query.get(name, "") for name in ("country", "window", "marketing", "sort"))
        return cls(
            words=query.get("q", "").strip()[:100].replace("\x00", ""),
            active=query.get("active") == "1",
            country=country if country.isascii() and country.isdigit() and len(country) <= 3 else "",
            label=query.get("label", "").strip()[:60].replace("\x00", ""),
            window=window if window in ("open", "closed") else "",
            marketing=marketing if marketing in ("agreed", "stopped", "unknown") else "",
            sort=sort if sort in ORDERS else "",
        )

    @property
    def query(self) -> str:
        """The part of the address after “?”."""
        return self._query(self.sort)

    @property
    def by_name(self) -> str:
        """The same list by name: from A to Z, or from Z to A once it is."""
        return self._query("-name" if self.sort == "name" else "name")

    @property
    def by_seen(self) -> str:
        """The same list, the last seen on top."""
        return self._query("")

    def _query(self, sort: str) -> str:
        values = {
            "q": self.words, "active": "1" if self.active else "", "country": self.country, "label": self.label,
            "window": self.window, "marketing": self.marketing, "sort": sort,
        }  # fmt: skip
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return bool(self._query(""))

    @property
    def order(self) -> Order:
        return ORDERS[self.sort]

    def narrow(self, contacts: ContactQuerySet, *, now: datetime) -> ContactQuerySet:
        """Of these contacts those whom the filters and words let through."""
        found: Any = contacts.matching(self.words)
        if self.label:
            found = found.labelled(self.label)
        if self.active:
            found = found.seen_since(now - ACTIVE)
        if self.country:
            # As a range, which row security lets an index answer.
            found = found.filter(phone__gte=self.country, phone__lt=self.country + _AFTER_DIGITS)
        if self.window:
            # Asked of each contact in turn: as an EXISTS it would be joined, by reading every conversation there is.
            talks = Conversation.objects.filter(contact=OuterRef("pk"), window_expires_at__isnull=False)
            last = talks.order_by("-window_expires_at").values("window_expires_at")[:1]
            found = found.alias(opened=Subquery(last))
        if self.window == "open":
            found = found.filter(opened__gt=now, seen_at__gte=now - _LONGEST_WINDOW)
        elif self.window == "closed":
            found = found.filter(Q(opened__lte=now) | Q(opened=None))
        if self.marketing == "stopped":
            found = found.filter(marketing_stopped=True)
        elif self.marketing == "agreed":
            found = found.filter(marketing_stopped=False, marketing_consent_at__isnull=False)
        elif self.marketing == "unknown":
            found = found.filter(marketing_stopped=False, marketing_consent_at=None)
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """A contact with what the list shows of it. `conversation` is their newest one that the member sees."""

    contact: Contact
    conversation: Conversation | None
    place: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One page in the order of the filters. `next` and `previous` are cursors, empty at the ends; `count` stops at MOST_COUNTED."""

    rows: list[Row]
    next: str
    previous: str
    count: int


def page(
    filters: ContactFilters, *, membership: Membership, now: datetime, after: str = "", before: str = ""
) -> Listing:
    """The page below the cursor `after`, or above `before`; the first one without."""
    found, order = filters.narrow(Contact.objects.all(), now=now), filters.order
    below, above = order.place(after), order.place(before)
    cursor, upwards = below or above, bool(above and not below)
    way = order.turned if upwards else order
    part = found.filter(way.beyond(*cursor)) if cursor else found
    contacts = list(part.order_by(*way.columns)[: PAGE + 1])
    has_more = len(contacts) > PAGE
    contacts = contacts[:PAGE]
    if upwards:
        contacts.reverse()
    has_next, has_previous = (True, has_more) if upwards else (has_more, bool(cursor))
    return Listing(
        rows=_rows(contacts, membership=membership),
        next=order.cursor(contacts[-1]) if contacts and has_next else "",
        previous=order.cursor(contacts[0]) if contacts and has_previous else "",
        count=count(found),
    )


def count(found: ContactQuerySet) -> int:
    """How many there are, to MOST_COUNTED; in the order of an index, or it would read other companies' rows to get there."""
    return found.order_by("-seen_at", "-id").values("pk")[:MOST_COUNTED].count()


def _rows(contacts: list[Contact], *, membership: Membership) -> list[Row]:
    ids = [contact.pk for contact in contacts]
    visible = Conversation.objects.visible_to(membership).filter(contact__in=ids)
    newest = visible.order_by("contact_id", "-last_message_at", "-id").distinct("contact_id")
    talks = {talk.contact_id: talk for talk in newest}
    return [Row(contact, talks.get(contact.pk), place_of(contact)) for contact in contacts]


_CITY = frozenset({"city", "ciudad", "cidade", "localidad", "district", "distrito"})


def place_of(contact: Contact) -> str:
    """“Lima, PE”: the attribute that is a city, and the country of the phone."""
    attributes = contact.attributes if isinstance(contact.attributes, dict) else {}
    city = next((str(value) for name, value in attributes.items() if name.strip().casefold() in _CITY and value), "")
    return ", ".join(filter(None, (city[:60], phones.country(contact.phone) or "")))


def countries() -> list[tuple[str, str]]:
    """(calling code, “PE +51”) of the newest contacts' phones, the most frequent first."""
    found: dict[str, tuple[str, int]] = {}
    newest = Contact.objects.exclude(phone="").order_by("-created_at", "id").values_list("phone", flat=True)
    for digits in newest[:500]:
        code, country = phones.calling_code(digits), phones.country(digits)
        if code and country:
            found[code] = (found.get(code, (country, 0))[0], found.get(code, (country, 0))[1] + 1)
    ordered = sorted(found.items(), key=lambda pair: (-pair[1][1], pair[0]))
    return [(code, f"{country} +{code}") for code, (country, _count) in ordered]
