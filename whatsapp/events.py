"""What a provider can tell us, as frozen values: the closed vocabulary between a provider's parser and the merge.

A parser never raises for an unknown type or a missing key: it returns what it understood and an `Unrecognised` for the
rest, so that a new kind of message can never cost another one. Every text in here is safe for PostgreSQL (no NUL, no
lone surrogate). Moments are aware UTC datetimes taken from the provider's own timestamp.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class MalformedBody(ValueError):
    """The body is not JSON, or not a JSON object; the sentence says what was found."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote, or whom we wrote to. Any part may be missing: Meta may send no phone at all (usernames, 2026)."""

    phone: str | None = None  # WhatsApp's wa_id: digits of the international number, no "+"
    bsuid: str | None = None  # business-scoped user id, opaque and case-sensitive
    parent_bsuid: str | None = None
    username: str | None = None
    profile_name: str | None = None


@dataclass(frozen=True, slots=True)
class MediaReference:
    """A file the provider holds for us. `id` expires (Meta: 7 days), `url` within minutes."""

    id: str | None
    mime_type: str | None = None
    sha256: str | None = None  # as sent: base64 from Meta
    filename: str | None = None
    url: str | None = None
    voice: bool = False
    animated: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """An error object as the provider words it. Branch on `whatsapp.errors.classify(provider, code)`, never on text."""

    code: int
    title: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the provider says a message costs us by kind; the amount comes from the rate card."""

    billable: bool | None = None
    model: str | None = None  # "PMP" since 2025-07
    type: str | None = None  # regular | free_customer_service | free_entry_point | …
    category: str | None = None  # marketing | utility | service | authentication | referral_conversion | …


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at one of our numbers (`number_id` = the provider's phone_number_id)."""

    number_id: str


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A customer wrote. `type` is WhatsApp's word, also when we do not know it; `payload` is its object, verbatim.

    `text` is what a list or a search shows: body, caption, button title, place name … `opens_window` is False for what
    may not count as "the customer wrote" (system, unsupported, request_welcome, group messages).
    """

    message_id: str
    sender: Person
    type: str
    sent_at: datetime
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted_id: str | None = None
    forwarded: bool = False
    referral: dict[str, Any] | None = None
    product: dict[str, Any] | None = None  # of the catalogue, that the question is about
    group_id: str | None = None
    faults: tuple[Fault, ...] = ()
    opens_window: bool = True


@dataclass(frozen=True, slots=True)
class MessageEchoed(Event):
    """Our side wrote outside Ventana: on the phone (coexistence) or through another partner."""

    message_id: str
    recipient: Person
    type: str
    sent_at: datetime
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRemembered(Event):
    """A message of the past that a phone handed over; `ours` was written on it. It opens nothing and asks for nothing."""

    message_id: str
    person: Person
    ours: bool
    type: str
    sent_at: datetime
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactNamed(Event):
    """A person stands in the address book of the phone that shares our number, under this name."""

    person: Person
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reacted(Event):
    """An emoji was set on a message, or removed (`emoji` is empty). `ours` when the phone app did it."""

    message_id: str
    person: Person
    target_id: str
    emoji: str
    at: datetime
    ours: bool = False


@dataclass(frozen=True, slots=True)
class MessageEdited(Event):
    message_id: str
    person: Person
    target_id: str
    text: str
    payload: dict[str, Any]
    at: datetime
    ours: bool = False


@dataclass(frozen=True, slots=True)
class MessageRevoked(Event):
    message_id: str
    person: Person
    target_id: str
    at: datetime
    ours: bool = False


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """A call that a person made to us is over; `seconds` is how long it was, None where nobody answered."""

    call_id: str
    person: Person
    answered: bool
    seconds: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class StatusChanged(Event):
    """A message of ours moved. `status` is one of `whatsapp.statuses`' words or a new one, which the merge ignores visibly."""

    message_id: str
    status: str
    at: datetime
    recipient: Person = Person()
    reference: str | None = None  # our own biz_opaque_callback_data, when we sent one
    faults: tuple[Fault, ...] = ()
    pricing: Pricing | None = None


@dataclass(frozen=True, slots=True)
class IdentityChanged(Event):
    """A person got a new phone or user id: relink, never create. `previous` holds the old ids that were named."""

    message_id: str
    kind: str  # user_changed_number | user_changed_user_id | customer_identity_changed
    person: Person
    previous: Person
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PreferenceChanged(Event):
    """The person stopped or resumed our marketing: the only explicit opt-out signal there is."""

    person: Person
    category: str
    value: str  # stop | resume
    at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the account rather than a conversation: templates, quality, restrictions, alerts.

    `number_id` is empty when the notice concerns the whole business account.
    """

    field: str
    account_id: str
    number_id: str
    value: dict[str, Any]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """A part we could not read. It is kept with the stored event and counted, and spoils nothing around it."""

    field: str
    number_id: str
    reason: str
    value: Any = None


Happening = Event | Notice | Unrecognised
"""Anything `parse` may return."""
