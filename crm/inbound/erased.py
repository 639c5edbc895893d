"""What a webhook says of people who were erased: what is old is not heard, and is taken out of the webhook too.

Old is what was sent, or stored by us, before they were erased; a message that they write later makes a new contact. What is
about something else that was said (a reaction, an edit, a receipt) is old for as long as they have not written again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from crm import tombstones
from crm.inbound import people
from crm.inbound.directory import Line
from crm.tombstones import Key, Tombstone
from whatsapp.events import (
    CallEnded,
    ContactNamed,
    Event,
    IdentityChanged,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageRemembered,
    MessageRevoked,
    Person,
    PreferenceChanged,
    Reacted,
    StatusChanged,
)

Heard = tuple[Line, Event, datetime]
"""(our number, what happened, when we stored it)."""

_ACTS = (Reacted, MessageEdited, MessageRevoked, CallEnded, IdentityChanged, PreferenceChanged, StatusChanged)


def sift(cursor: Any, events: Sequence[Heard]) -> tuple[list[Heard], list[Event]]:
    """(what is to be merged, what is not heard because its person was erased). Whoever is erased meanwhile waits.

    Receipts count while somebody is being erased; afterwards the merge of statuses asks for those that nobody waits for.
    """
    tenants = {line.tenant_id for line, _event, _at in events}
    if not tenants:
        return list(events), []
    tombstones.hold(cursor, tenants)
    newest = tombstones.newest(cursor, tenants)
    busy = tombstones.under_way(cursor, newest) if newest else set()
    suspects = [
        (line, event, at)
        for line, event, at in events
        if line.tenant_id in newest and _may_be_old(event, at, newest[line.tenant_id], is_busy=line.tenant_id in busy)
    ]
    found = tombstones.find(cursor, {key for each in suspects for key in _keys(each[0], each[1])}) if suspects else {}
    if not found:
        return list(events), []
    old = {id(event) for line, event, at in suspects if _is_old(_keys(line, event), _moment(event, at), found)}
    # Whoever writes again in this very batch has acts again, too.
    here = people.owners_of(cursor, list(found))
    written = {
        key for line, event, _at in events
        if isinstance(event, MessageReceived) and id(event) not in old for key in _keys(line, event)
    }  # fmt: skip
    nobody = {key for key in found if key not in here and key not in written}
    for line, event, _at in suspects:
        keys = _keys(line, event)
        if isinstance(event, _ACTS) and any(key in nobody for key in keys) and not any(key in here for key in keys):
            old.add(id(event))
    dropped = [event for _line, event, _at in events if id(event) in old]
    _remember_wishes(cursor, [each for each in suspects if id(each[1]) in old])
    return [each for each in events if id(each[1]) not in old], dropped


def receipts_of_nobody(cursor: Any, receipts: Sequence[tuple[Line, StatusChanged]]) -> list[StatusChanged]:
    """Of receipts for messages that we do not know, those that went to somebody who was erased and has not written again."""
    newest = tombstones.newest(cursor, {line.tenant_id for line, _event in receipts}) if receipts else {}
    asked = [(line, event) for line, event in receipts if line.tenant_id in newest]
    found = tombstones.find(cursor, {key for line, event in asked for key in _keys(line, event)})
    if not found:
        return []
    here = people.owners_of(cursor, list(found))
    return [
        event
        for line, event in asked
        if (keys := [key for key in _keys(line, event) if key in found]) and not any(key in here for key in keys)
    ]


def persons_of(event: Event) -> list[Person]:
    """Whom it is about; a person who changed their number is also who had the old one."""
    match event:
        case MessageReceived():
            return [event.sender]
        case MessageEchoed() | StatusChanged():
            return [event.recipient]
        case IdentityChanged():
            return [event.person, event.previous]
        case MessageRemembered() | Reacted() | MessageEdited() | MessageRevoked() | CallEnded():
            return [event.person]
        case PreferenceChanged() | ContactNamed():
            return [event.person]
    return []


def _keys(line: Line, event: Event) -> list[Key]:
    return [key for person in persons_of(event) for key in people.keys_of(line.tenant_id, person)]


def _moment(event: Event, received_at: datetime) -> datetime:
    """When it was said, as far as we can know: never later than we stored it."""
    said = getattr(event, "sent_at", None) or getattr(event, "at", None) or received_at
    return min(said, received_at)


def _may_be_old(event: Event, received_at: datetime, newest: datetime, *, is_busy: bool) -> bool:
    if isinstance(event, StatusChanged):
        return is_busy
    return isinstance(event, _ACTS) or _moment(event, received_at) <= newest


def _is_old(keys: Iterable[Key], moment: datetime, found: dict[Key, Tombstone]) -> bool:
    return any(key in found and moment <= found[key].until for key in keys)


def _remember_wishes(cursor: Any, dropped: Sequence[Heard]) -> None:
    """Who is not known any more can still want no marketing."""
    stops = [
        key
        for line, event, _at in dropped
        if isinstance(event, PreferenceChanged) and event.value == "stop"
        for key in _keys(line, event)
    ]
    tombstones.stop_marketing(cursor, stops)
