"""What a phone that shares our number hands over when it is connected: its past chats, and its address book.

Shapes: Cloud API, "Onboarding WhatsApp Business app users". The past comes in chunks of up to thousands of messages, the
nearest days first; its files come later, with the ids of the messages that they belong to.
"""

from collections.abc import Iterator
from typing import Any

from whatsapp.events import ContactNamed, Event, Fault, MessageRemembered, Person, StatusChanged
from whatsapp.providers.cloud.contents import media, payload, text_shown
from whatsapp.providers.cloud.people import People
from whatsapp.providers.cloud.values import (
    bsuid,
    faults,
    identifier,
    object_of,
    objects_of,
    phone,
    refuse,
    required_id,
    required_moment,
    text_of,
    word,
)
from whatsapp.statuses import Status

# What is asked for with `POST /{phone}/smb_app_data`, by our words.
SYNC_TYPES = {"contacts": "smb_app_state_sync", "history": "history"}
# What `history_context` says of a message of ours, as far as it says that it arrived.
_ARRIVED = {"DELIVERED": Status.DELIVERED, "READ": Status.READ, "PLAYED": Status.PLAYED, "ERROR": Status.FAILED}
# Acts on other messages: what they did is in the messages already.
_ACTS = frozenset({"reaction", "edit", "revoke"})


def items_of(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(the customer's address, message) of all that one chunk holds; files that come later name no thread."""
    for chunk in objects_of(value.get("history")):
        for thread in objects_of(chunk.get("threads")):
            messages = thread.get("messages")
            for item in messages if isinstance(messages, list) else ():
                yield str(thread.get("id") or ""), item
    late = value.get("messages")
    for item in late if isinstance(late, list) else ():
        yield "", item


def faults_of(value: dict[str, Any]) -> tuple[Fault, ...]:
    """Why nothing comes: above all 2593109, the owner did not want to share the past."""
    return tuple(fault for chunk in objects_of(value.get("history")) for fault in faults(chunk.get("errors")))


def remembered(item: dict[str, Any], customer: str, value: dict[str, Any], number_id: str) -> list[Event]:
    """A message of the past and, of ours, what became of it. Raises Unreadable."""
    kind = word(item.get("type"), "type")
    if kind in _ACTS:
        return []
    people, business = (
        People(value.get("contacts")),
        phone(object_of(value.get("metadata")).get("display_phone_number")),
    )
    ours = phone(item.get("from")) not in (None, phone(customer)) if customer else phone(item.get("from")) == business
    person = Person(phone=phone(customer), bsuid=bsuid(item.get("to_user_id" if ours else "from_user_id")))
    if not person.phone and not person.bsuid:
        person = people.echo_recipient(item) if ours else people.sender(item)
    content, at = item.get(kind), required_moment(item.get("timestamp"))
    message_id = required_id(item.get("id"), "message id")
    events: list[Event] = [
        MessageRemembered(
            number_id=number_id,
            message_id=message_id,
            person=person,
            ours=ours,
            type=kind,
            sent_at=at,
            text=text_shown(kind, content),
            payload=payload(kind, content),
            media=media(kind, content),
            quoted_id=identifier(object_of(item.get("context")).get("id")),
        )
    ]
    status = _ARRIVED.get(text_of(object_of(item.get("history_context")).get("status")).upper())
    if ours and status:
        events.append(StatusChanged(number_id=number_id, message_id=message_id, status=status, at=at, recipient=person))
    return events


def named(item: dict[str, Any], number_id: str) -> Event | None:
    """A person of the phone's address book; None for one who was taken out of it. Raises Unreadable."""
    contact = object_of(item.get("contact"))
    if item.get("type") != "contact" or item.get("action") == "remove":
        return None
    name = text_of(contact.get("full_name")) or text_of(contact.get("first_name"))
    digits = phone(contact.get("phone_number")) or refuse("a contact without a phone")
    if not name:
        return None
    at = required_moment(object_of(item.get("metadata")).get("timestamp"))
    return ContactNamed(number_id=number_id, person=Person(phone=digits), name=name, at=at)
