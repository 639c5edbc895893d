"""Who wrote, or to whom: what an item says of itself, completed from the `contacts[]` beside it.

Either may lack the phone (usernames, 2026), the user id, or everything; `contacts[]` itself may be missing. An item's own
ids always win: two people must never become one because their ids came in the same delivery.
"""

from typing import Any

from whatsapp.events import Person
from whatsapp.phones import canonical
from whatsapp.providers.cloud.values import (
    Unreadable,
    bsuid,
    cleaned,
    looks_like_bsuid,
    name_of,
    object_of,
    objects_of,
    phone,
    refuse,
)

_NOBODY = Person()


class People:
    """The `contacts[]` of one value."""

    __slots__ = ("_by_bsuid", "_by_phone", "_only")

    def __init__(self, contacts: Any) -> None:
        self._by_phone: dict[str, Person] = {}
        self._by_bsuid: dict[str, Person] = {}
        people = [_person(contact) for contact in objects_of(contacts)]
        for person in people:
            if person.phone:
                self._by_phone[person.phone] = person
            if person.bsuid:
                self._by_bsuid[person.bsuid] = person
        self._only = people[0] if len(people) == 1 else None

    def sender(self, item: dict[str, Any]) -> Person:
        """Who wrote a message or made a call. Raises Unreadable when nothing says so."""
        origin, user_id = item.get("from"), item.get("from_user_id")
        if not user_id and looks_like_bsuid(origin):
            user_id = origin
        person = self._complete(phone(origin), bsuid(user_id), bsuid(item.get("from_parent_user_id")))
        if person == _NOBODY:
            person = self._only or person
        return person if person.phone or person.bsuid else refuse("no sender")

    def echo_recipient(self, item: dict[str, Any]) -> Person:
        """To whom a message went that was typed on the phone. Raises Unreadable when nothing says so."""
        target, user_id = item.get("to"), item.get("to_user_id")
        if not user_id and looks_like_bsuid(target):
            user_id = target
        person = self._complete(phone(target), bsuid(user_id), bsuid(item.get("to_parent_user_id")))
        return person if person.phone or person.bsuid else refuse("no recipient")

    def status_recipient(self, item: dict[str, Any]) -> Person:
        """Whom a status is about; nobody, when it does not say. In a group that is the participant."""
        key = "recipient_participant_id" if item.get("recipient_type") == "group" else "recipient_id"
        return self._complete(
            phone(item.get(key)), bsuid(item.get("recipient_user_id")), bsuid(item.get("recipient_parent_user_id"))
        )

    def preference_owner(self, item: dict[str, Any]) -> Person:
        person = self._complete(phone(item.get("wa_id")), bsuid(item.get("user_id")), None)
        return person if person.phone or person.bsuid else refuse("a preference of nobody")

    def _complete(self, number: str | None, user_id: str | None, parent_id: str | None) -> Person:
        known = self._by_bsuid.get(user_id) if user_id else None
        if known is None and number:
            known = self._by_phone.get(number) or self._same_number(number)
        if known is None or (user_id and known.bsuid and known.bsuid != user_id):
            return Person(phone=number, bsuid=user_id, parent_bsuid=parent_id)
        if known.phone and number and canonical(known.phone) != canonical(number):
            return Person(phone=number, bsuid=user_id, parent_bsuid=parent_id)
        complete = (number or known.phone, user_id or known.bsuid, parent_id or known.parent_bsuid)
        if complete == (known.phone, known.bsuid, known.parent_bsuid):
            return known
        return Person(*complete, username=known.username, profile_name=known.profile_name)

    def _same_number(self, number: str) -> Person | None:
        """The only contact, when it is the same number in another national spelling."""
        only = self._only
        return only if only and only.phone and canonical(only.phone) == canonical(number) else None


def _person(contact: dict[str, Any]) -> Person:
    try:
        contact = cleaned(contact)
    except Unreadable:
        return _NOBODY
    profile = object_of(contact.get("profile"))
    return Person(
        phone=phone(contact.get("wa_id")),
        bsuid=bsuid(contact.get("user_id")),
        parent_bsuid=bsuid(contact.get("parent_user_id")),
        username=name_of(profile.get("username")),
        profile_name=name_of(profile.get("name")),
    )
