"""People who changed their number or user id, and what they want of our marketing."""

from typing import Any

from uuid_utils.compat import uuid7

from crm.inbound.directory import Line
from crm.inbound.people import join, keys_of, owners_of
from crm.models import IdentityKind
from whatsapp.events import IdentityChanged, PreferenceChanged

_OWNER = "SELECT contact_id FROM crm_identity WHERE tenant_id = %s AND kind = %s AND value = %s"
_LINK = """
INSERT INTO crm_identity (id, tenant_id, contact_id, kind, value, address)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, kind, value) DO NOTHING
"""
# Each change leaves its own line in the thread, in the same transaction.
_MERGED = "SELECT EXISTS (SELECT FROM crm_message WHERE number_id = %s AND provider_message_id = %s)"
_NEW_PHONE = "UPDATE crm_contact SET phone = %s WHERE id = %s AND phone = %s"
_PREFER = """
UPDATE crm_contact
SET marketing_stopped = %(stops)s, marketing_preference_at = %(at)s, marketing_source = 'whatsapp',
    marketing_consent_at = CASE WHEN %(stops)s THEN marketing_consent_at ELSE %(at)s END
WHERE id = %(contact)s AND (marketing_preference_at IS NULL OR marketing_preference_at < %(at)s)
"""


Renumbering = tuple[Any, str, str]
"""A contact, its new phone, and the one it had."""


def merge_identities(cursor: Any, events: list[tuple[Line, IdentityChanged]]) -> list[Renumbering]:
    """Link the new ids to the contact that had the old ones; never make a second contact of the same person.

    Of somebody whose first messages come later, or in this very batch, old and new ids are one contact from now on.
    Rare (a person changes their number), so one by one. Runs before messages are placed, so that one from the new id
    in the same batch finds its contact. Merged once only: who moved there and back would move again with every replay.
    Returns what `renumber` is to write once these contacts are held.
    """
    moved: list[Renumbering] = []
    for line, event in sorted(events, key=lambda pair: (pair[1].at, pair[1].message_id)):
        if _is_merged(cursor, line, event):
            continue
        old = keys_of(line.tenant_id, event.previous)
        new = keys_of(line.tenant_id, event.person)
        contact_id = next((owner for key in old if (owner := _owner(cursor, key))), None)
        if contact_id is None:
            contact_id = join(cursor, line.tenant_id, previous=event.previous, person=event.person, at=event.at)
        if contact_id is None:
            continue
        for key, address in new.items():
            cursor.execute(_LINK, [uuid7(), line.tenant_id, contact_id, key[1], key[2], address])
            if key[1] == IdentityKind.PHONE and event.previous.phone and _owner(cursor, key) == contact_id:
                moved.append((contact_id, event.person.phone or "", event.previous.phone))
    return moved


def renumber(cursor: Any, moved: list[Renumbering]) -> None:
    """Give the contacts their new phones, one after the other: one may have moved twice."""
    for contact_id, phone, before in moved:
        cursor.execute(_NEW_PHONE, [phone, contact_id, before])


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


def _is_merged(cursor: Any, line: Line, event: IdentityChanged) -> bool:
    cursor.execute(_MERGED, [line.number_id, event.message_id[:200]])
    return cursor.fetchone()[0]


def _owner(cursor: Any, key: tuple[Any, str, str]) -> Any:
    cursor.execute(_OWNER, key)
    row = cursor.fetchone()
    return row[0] if row else None
