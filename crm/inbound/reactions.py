"""Emojis on messages: one from the customer, one from our side; the newest counts, whenever it arrives."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from crm.inbound.directory import Line
from crm.models import Reaction
from whatsapp.events import Reacted

_MERGE = """
INSERT INTO crm_reaction AS r (id, tenant_id, number_id, target_message_id, ours, emoji, provider_message_id, at)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bool[], %s::bytea[], %s::text[], %s::timestamptz[])
ON CONFLICT (number_id, target_message_id, ours) DO UPDATE
SET emoji = EXCLUDED.emoji, provider_message_id = EXCLUDED.provider_message_id, at = EXCLUDED.at
WHERE (EXCLUDED.at, EXCLUDED.provider_message_id) > (r.at, r.provider_message_id)
"""
_WHERE = """
SELECT m.tenant_id, m.conversation_id
FROM unnest(%s::uuid[], %s::text[]) AS t (number_id, provider_message_id)
JOIN crm_message m USING (number_id, provider_message_id)
"""


def merge_reactions(cursor: Any, events: list[tuple[Line, Reacted]], changed: dict[UUID, set[UUID]]) -> None:
    """Keep the newest reaction of each side on each message; the message itself may still be on its way."""
    newest: dict[tuple[UUID, str, bool], tuple[Line, Reacted]] = {}
    for line, event in events:
        key = line.number_id, event.target_id[:200], event.ours
        if key not in newest or (event.at, event.message_id) > (newest[key][1].at, newest[key][1].message_id):
            newest[key] = line, event
    if not newest:
        return
    emoji = Reaction._meta.get_field("emoji")
    keys = sorted(newest)
    cursor.execute(
        _MERGE,
        [
            [uuid7() for _ in keys],
            [newest[key][0].tenant_id for key in keys],
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [bytes(emoji.sealed(newest[key][1].emoji, tenant_id=newest[key][0].tenant_id)) for key in keys],  # type: ignore[union-attr]
            [newest[key][1].message_id[:200] for key in keys],
            [newest[key][1].at for key in keys],
        ],
    )
    cursor.execute(_WHERE, [[key[0] for key in keys], [key[1] for key in keys]])
    for tenant_id, conversation_id in cursor.fetchall():
        changed.setdefault(tenant_id, set()).add(conversation_id)
