"""People who changed their number or user id, and what they want of our marketing."""

from typing import Any

from crm.inbound.directory import Line
from crm.inbound.people import Change, keys_of, owners_of
from crm.models import IdentityKind
from whatsapp.events import IdentityChanged, PreferenceChanged

_OWNER = "SELECT contact_id FROM crm_identity WHERE tenant_id = %s AND kind = %s AND value = %s"
# Each change leaves its own line in the thread, in the same transaction.
_MERGED = """
SELECT m.number_id, m.provider_message_id
FROM unnest(%s::uuid[], %s::text[]) AS said (number_id, provider_message_id)
JOIN crm_message m USING (number_id, provider_message_id)
"""
_NEW_PHONE = "UPDATE crm_contact SET phone = %s WHERE id = %s AND phone = %s"
_PREFER = """
UPDATE crm_contact
SET marketing_stopped = %(stops)s, marketing_preference_at = %(at)s, marketing_source = 'whatsapp',
    marketing_consent_at = CASE WHEN %(stops)s THEN marketing_consent_at ELSE %(at)s END
WHERE id = %(contact)s AND (marketing_preference_at IS NULL OR marketing_preference_at < %(at)s)
"""


def changes_of(cursor: Any, events: list[tuple[Line, IdentityChanged]]) -> list[Change]:
    """What `people.resolve` is to know of who became somebody else, in the order in which it happened.

    Resolved together with what was said, so that a message from the new id in the same batch finds its contact, and that
    all locks are taken in one order. Merged once only: who moved there and back would move again with every replay.
    """
    if not events:
        return []
    places = [(line.number_id, event.message_id[:200]) for line, event in events]
    cursor.execute(_MERGED, [[number_id for number_id, _ in places], [wamid for _, wamid in places]])
    merged = set(cursor.fetchall())
    fresh = [pair for pair, place in zip(events, places, strict=True) if place not in merged]
    return [
        Change(line.tenant_id, event.previous, event.person, event.at)
        for line, event in sorted(fresh, key=lambda pair: (pair[1].at, pair[1].message_id))
    ]


def renumber(cursor: Any, changes: list[Change]) -> None:
    """Give the contacts their new phones, those that are theirs now; one after the other: one may have moved twice."""
    moves = [
        (change, key)
        for change in changes
        if change.previous.phone
        for key in keys_of(change.tenant_id, change.person)
        if key[1] == IdentityKind.PHONE
    ]
    owners = owners_of(cursor, [key for _change, key in moves])
    for change, key in moves:
        if change.contact_id and owners.get(key) == change.contact_id:
            cursor.execute(_NEW_PHONE, [change.person.phone, change.contact_id, change.previous.phone])


def people_of(cursor: Any, events: list[tuple[Line, PreferenceChanged]]) -> set[Any]:
    """Whose preferences `merge_preferences` will change."""
    keys = [key for line, event in events for key in keys_of(line.tenant_id, event.person)]
    return set(owners_of(cursor, keys).values())


def merge_preferences(cursor: Any, events: list[tuple[Line, PreferenceChanged]]) -> None:
    """Stop or resume our marketing to a person; the newest wish counts."""
    for line, event in sorted(events, key=lambda pair: pair[1].at):
        keys = keys_of(line.tenant_id, event.person)
        contact_id = next((owner for key in keys if (owner := _owner(cursor, key))), None)
        if contact_id is not None and event.value in ("stop", "resume"):
            cursor.execute(_PREFER, {"stops": event.value == "stop", "at": event.at, "contact": contact_id})


def _owner(cursor: Any, key: tuple[Any, str, str]) -> Any:
    cursor.execute(_OWNER, key)
    row = cursor.fetchone()
    return row[0] if row else None
