"""Messages, echoes and statuses of the `messages` field and its relatives, one item at a time.

A reader takes one cleaned item and gives one event, or raises Unreadable for that item alone. Shapes: Cloud API,
"messages webhook reference"; an unknown type is a message like any other, kept with whatever it carries.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from whatsapp.events import (
    CallEnded,
    Event,
    IdentityChanged,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    Person,
    PreferenceChanged,
    Pricing,
    Reacted,
    StatusChanged,
)
from whatsapp.providers.cloud.contents import media, payload, text_shown
from whatsapp.providers.cloud.people import People
from whatsapp.providers.cloud.values import (
    bsuid,
    faults,
    identifier,
    name_of,
    object_of,
    objects_of,
    phone,
    refuse,
    required_id,
    required_moment,
    text_of,
    word,
)

IDENTITY_CHANGES = frozenset({"user_changed_number", "user_changed_user_id", "customer_identity_changed"})
# They come without the person having written anything: about the account, or what WhatsApp would not hand over.
_NOT_WRITTEN = frozenset({"system", "unsupported", "unknown", "request_welcome"})
_NOBODY = Person()


def received(item: dict[str, Any], people: People, number_id: str) -> Event:
    """One element of `messages[]`."""
    kind = word(item.get("type"), "type")
    if kind == "system" and text_of(object_of(item.get("system")).get("type")) in IDENTITY_CHANGES:
        return _identity_change(item, people, number_id)
    sender = people.sender(item)
    if kind in _ACTS:
        return _ACTS[kind](item, sender, number_id, False)
    content = item.get(kind)
    if kind == "contacts" and not sender.phone:
        sender = replace(sender, phone=_phone_handed_over(content))
    context = item.get("context")
    if not isinstance(context, dict):
        context = {}
    group_id = identifier(item.get("group_id"))
    referral = item.get("referral")
    return MessageReceived(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        sender=sender,
        type=kind,
        sent_at=required_moment(item.get("timestamp")),
        text=text_shown(kind, content),
        payload=payload(kind, content),
        media=media(kind, content),
        quoted_id=identifier(context.get("id")),
        forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        referral=referral if isinstance(referral, dict) else None,
        product=object_of(context.get("referred_product")) or None,
        group_id=group_id,
        faults=faults(item.get("errors")),
        opens_window=group_id is None and kind not in _NOT_WRITTEN,
    )


def _phone_handed_over(content: Any) -> str | None:
    """The sender's own phone, where the card is their answer to our asking for it (`origin`); else somebody else's."""
    for each in objects_of(content):
        if each.get("origin") == "contact_request":
            for one in objects_of(each.get("phones")):
                if number := phone(one.get("wa_id")) or phone(one.get("phone")):
                    return number
    return None


def echoed(item: dict[str, Any], people: People, number_id: str) -> Event:
    """One element of `message_echoes[]`: we wrote, on the phone or through another partner."""
    kind = word(item.get("type"), "type")
    recipient = people.echo_recipient(item)
    if kind in _ACTS:
        return _ACTS[kind](item, recipient, number_id, True)
    content = item.get(kind)
    return MessageEchoed(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        recipient=recipient,
        type=kind,
        sent_at=required_moment(item.get("timestamp")),
        text=text_shown(kind, content),
        payload=payload(kind, content),
        media=media(kind, content),
        quoted_id=identifier(object_of(item.get("context")).get("id")),
    )


def status(item: dict[str, Any], people: People, number_id: str) -> Event:
    """One element of `statuses[]`. In a group the recipient is the participant, not the group."""
    pricing = item.get("pricing")
    return StatusChanged(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        status=word(item.get("status"), "status"),
        at=required_moment(item.get("timestamp")),
        recipient=people.status_recipient(item),
        reference=identifier(item.get("biz_opaque_callback_data")),
        faults=faults(item.get("errors")),
        pricing=_pricing(pricing) if isinstance(pricing, dict) else None,
    )


def call(item: dict[str, Any], people: People, number_id: str) -> Event:
    """A call that a person makes to us, as a message without text: it opens the window just the same (6.1)."""
    return MessageReceived(
        number_id=number_id,
        message_id=required_id(item.get("id"), "call id"),
        sender=people.sender(item),
        type="call",
        sent_at=required_moment(item.get("timestamp")),
        payload=item,
    )


def call_ended(item: dict[str, Any], people: People, number_id: str) -> Event:
    """The end of such a call: `COMPLETED` with its length, or `FAILED` where nobody took it."""
    seconds = item.get("duration")
    answered = item.get("status") == "COMPLETED"
    return CallEnded(
        number_id=number_id,
        call_id=required_id(item.get("id"), "call id"),
        person=people.sender(item),
        answered=answered,
        seconds=seconds if answered and isinstance(seconds, int) and 0 <= seconds < 10**6 else None,
        at=required_moment(item.get("end_time") or item.get("timestamp")),
    )


def preference(item: dict[str, Any], people: People, number_id: str) -> Event:
    """One element of `user_preferences[]`."""
    return PreferenceChanged(
        number_id=number_id,
        person=people.preference_owner(item),
        category=word(item.get("category"), "category"),
        value=word(item.get("value"), "value"),
        at=required_moment(item.get("timestamp")),
    )


def _reaction(item: dict[str, Any], person: Person, number_id: str, ours: bool) -> Event:
    reaction = object_of(item.get("reaction"))
    return Reacted(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        person=person,
        target_id=required_id(reaction.get("message_id"), "message reacted to"),
        emoji=text_of(reaction.get("emoji")),  # A removed one has none, or an empty one.
        at=required_moment(item.get("timestamp")),
        ours=ours,
    )


def _edit(item: dict[str, Any], person: Person, number_id: str, ours: bool) -> Event:
    edit = object_of(item.get("edit"))
    message = object_of(edit.get("message"))
    kind = word(message.get("type"), "type of the edited message")
    return MessageEdited(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        person=person,
        target_id=required_id(edit.get("original_message_id"), "message edited"),
        text=text_shown(kind, message.get(kind)),
        payload=payload(kind, message.get(kind)),
        at=required_moment(item.get("timestamp")),
        ours=ours,
    )


def _revocation(item: dict[str, Any], person: Person, number_id: str, ours: bool) -> Event:
    return MessageRevoked(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        person=person,
        target_id=required_id(object_of(item.get("revoke")).get("original_message_id"), "message revoked"),
        at=required_moment(item.get("timestamp")),
        ours=ours,
    )


_ACTS: dict[str, Callable[[dict[str, Any], Person, str, bool], Event]] = {
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revocation,
}


def _identity_change(item: dict[str, Any], people: People, number_id: str) -> Event:
    """`from`, when it comes, is the old phone; `system` names the new ids, and the old user id."""
    system = object_of(item.get("system"))
    kind, old_phone = system["type"], phone(item.get("from"))
    person = Person(
        phone=phone(system.get("wa_id")) or (None if kind == "user_changed_number" else old_phone),
        bsuid=bsuid(system.get("user_id")),
        parent_bsuid=bsuid(system.get("parent_user_id")),
    )
    previous = Person(
        phone=old_phone,
        bsuid=bsuid(system.get("previous_user_id")) or bsuid(item.get("from_user_id")),
        parent_bsuid=bsuid(system.get("previous_parent_user_id")),
    )
    if person == _NOBODY and previous == _NOBODY:
        refuse("an identity change that names nobody")
    return IdentityChanged(
        number_id=number_id,
        message_id=required_id(item.get("id"), "message id"),
        kind=kind,
        person=person,
        previous=previous,
        text=text_of(system.get("body")),
        at=required_moment(item.get("timestamp")),
    )


def _pricing(pricing: dict[str, Any]) -> Pricing:
    billable = pricing.get("billable")
    return Pricing(
        billable=billable if isinstance(billable, bool) else None,
        model=name_of(pricing.get("pricing_model")),
        type=name_of(pricing.get("type")),
        category=name_of(pricing.get("category")),
    )
