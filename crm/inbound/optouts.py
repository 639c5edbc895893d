"""People who write STOP, and who take it back: a message that is such a word and nothing else."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from crm.inbound.conversations import Arrival
from crm.models.optouts import RESUME_WORDS, STOP_WORDS
from crm.words import folded

_LONGEST = 60  # as written, with signs around it
_SAID = frozenset({"text", "button"})
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")
_WORDS = "SELECT tenant_id, stop, resume FROM crm_marketingwords WHERE tenant_id = ANY(%s)"
# The newest wish counts, in whatever order they arrive. Who resumes takes back what they stopped themselves, not what one
# of us or an import said for them; a “yes” of somebody who stopped nothing is an ordinary answer, of which only the time
# is kept, so that an older STOP that comes late changes nothing.
_PREFER = """
WITH said AS (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bool[], %s::text[], %s::timestamptz[])
           AS s (contact_id, conversation_id, stops, word, at)
), locked AS (
    SELECT k.id, k.marketing_stopped AS was FROM crm_contact k JOIN said ON said.contact_id = k.id
    ORDER BY k.id FOR NO KEY UPDATE OF k
), changed AS (
    UPDATE crm_contact k
    SET marketing_stopped = said.stops, marketing_preference_at = said.at,
        marketing_source = CASE WHEN said.stops OR locked.was THEN 'word' ELSE k.marketing_source END,
        marketing_consent_at = CASE WHEN locked.was AND NOT said.stops THEN said.at ELSE k.marketing_consent_at END
    FROM said JOIN locked ON locked.id = said.contact_id
    WHERE k.id = said.contact_id AND (k.marketing_preference_at IS NULL OR k.marketing_preference_at < said.at)
      AND (said.stops OR NOT k.marketing_stopped OR k.marketing_source IN ('', 'whatsapp', 'word'))
    RETURNING k.tenant_id, said.conversation_id, said.stops, said.word, said.at, locked.was
)
INSERT INTO crm_activity (id, tenant_id, conversation_id, kind, facts, at)
SELECT gen_random_uuid(), tenant_id, conversation_id, CASE WHEN stops THEN 'opted_out' ELSE 'opted_in' END,
       jsonb_build_object('word', word), at
FROM changed WHERE was <> stops
"""


def merge_words(cursor: Any, arrivals: list[Arrival]) -> None:
    """Stop or resume our marketing to those whose message is one of the company's words."""
    short = [row for row in arrivals if _may_be_a_word(row)]
    if not short:
        return
    words = _words_of(cursor, {row.entry.line.tenant_id for row in short})
    said: list[tuple[UUID, UUID, bool, str, datetime]] = []
    for row in short:
        stops = words[row.entry.line.tenant_id].get(_alone(row.entry.text))
        if stops is not None:
            said.append(
                (row.contact_id, row.conversation_id, stops, row.entry.text.strip()[:_LONGEST], row.entry.sent_at)
            )
    # One wish a person at a time, the oldest first: who stops and resumes in one batch has done both.
    said.sort(key=lambda wish: (wish[4], not wish[2]))
    while said:
        first = {wish[0]: wish for wish in reversed(said)}
        cursor.execute(_PREFER, [list(column) for column in zip(*first.values(), strict=True)])
        said = [wish for wish in said if wish is not first[wish[0]]]


def _may_be_a_word(row: Arrival) -> bool:
    entry = row.entry
    return not entry.is_outbound and entry.type in _SAID and 0 < len(entry.text) <= _LONGEST


def _words_of(cursor: Any, tenants: set[UUID]) -> dict[UUID, dict[str, bool]]:
    """For each company its words as they are compared, with whether they stop."""
    cursor.execute(_WORDS, [list(tenants)])
    own = {tenant_id: (stop, resume) for tenant_id, stop, resume in cursor.fetchall()}
    found = {}
    for tenant_id in tenants:
        stop, resume = own.get(tenant_id, (STOP_WORDS, RESUME_WORDS))
        found[tenant_id] = {_alone(word): False for word in resume} | {_alone(word): True for word in stop}
    return found


def _alone(text: str) -> str:
    """A message as it is compared: folded, its spaces single, without signs around it."""
    return _AROUND.sub("", " ".join(folded(text).split()))
