"""What points at a conversation or a contact that becomes part of another: moved along, and moved back.

By the models' own references, so that a new table in this layer is followed without anybody thinking of it; and the
tokens of Flows, with which the layer below keeps a conversation without knowing what it is.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models

from crm.models import Contact, Conversation
from whatsapp.models import FlowToken

PAIRS = "unnest(%s::uuid[], %s::uuid[]) AS pair (old_id, new_id)"
TOKENS = (FlowToken._meta.db_table, "holder")


def followers(model: type[models.Model]) -> list[tuple[str, str]]:
    """(table, column) of everything in this layer that points at the model: what a merge takes along by itself."""
    found: list[tuple[str, str]] = []
    for field in model._meta.get_fields(include_hidden=True):
        related = getattr(field, "related_model", None)
        if field.auto_created and related and related._meta.app_label == "crm" and not _is_history(related):
            found.append((related._meta.db_table, field.field.column))  # type: ignore[union-attr,arg-type]
    return sorted(set(found))


def _is_history(model: type[models.Model]) -> bool:
    return any(field.name == "pgh_id" for field in model._meta.local_fields)


# One client id twice in one conversation is what makes a double click one message: the second loses it.
_SAME_CLIENT_IDS = f"""
SELECT id, client_id FROM (
    SELECT m.id, m.client_id, m.conversation_id = pair.new_id AS stays,
           row_number() OVER (PARTITION BY pair.new_id, m.client_id ORDER BY (m.conversation_id = pair.new_id) DESC, m.id) AS place
    FROM (SELECT old_id, new_id FROM {PAIRS} UNION SELECT new_id, new_id FROM {PAIRS}) AS pair
    JOIN crm_message m ON m.conversation_id = pair.old_id
    WHERE m.client_id IS NOT NULL
) AS counted WHERE place > 1 AND NOT stays
"""
# The older opening, and the suspicion of the conversation that stays, go on; the others end here.
_CLOSE_EPISODES = f"""
UPDATE crm_episode e SET closed_at = GREATEST(%s, e.opened_at)
WHERE e.closed_at IS NULL AND e.id IN (
    SELECT id FROM (
        SELECT o.id, row_number() OVER (PARTITION BY pair.new_id ORDER BY o.opened_at, o.id) AS place
        FROM (SELECT old_id, new_id FROM {PAIRS} UNION SELECT new_id, new_id FROM {PAIRS}) AS pair
        JOIN crm_episode o ON o.conversation_id = pair.old_id AND o.closed_at IS NULL
    ) AS counted WHERE place > 1)
RETURNING id
"""
_CLOSE_ISSUES = f"""
WITH extra AS (
    SELECT id, state, closed_at FROM (
        SELECT o.id, o.state, o.closed_at,
               row_number() OVER (PARTITION BY pair.new_id ORDER BY o.conversation_id = pair.new_id DESC, o.likelihood DESC, o.id) AS place
        FROM (SELECT old_id, new_id FROM {PAIRS} UNION SELECT new_id, new_id FROM {PAIRS}) AS pair
        JOIN crm_deliveryissue o ON o.conversation_id = pair.old_id AND o.state IN ('open', 'confirmed')
    ) AS counted WHERE place > 1
), closed AS (
    UPDATE crm_deliveryissue i SET state = 'dismissed', closed_at = %s FROM extra WHERE i.id = extra.id
)
SELECT id, state FROM extra
"""


# A phone that fills in a form holds its token and then waits for the contact: who merges takes them in the same order.
_LOCK_TOKENS = """
SELECT FROM whatsapp_flowtoken
WHERE holder = ANY(ARRAY(SELECT id FROM crm_conversation WHERE contact_id = ANY(%s))) ORDER BY id FOR UPDATE
"""


def lock_tokens(cursor: Any, contact_ids: list[UUID]) -> None:
    """Let the forms that these contacts are filling in now be finished with; call it before anything else is locked."""
    cursor.execute(_LOCK_TOKENS, [contact_ids])


def move(cursor: Any, joined: dict[UUID, UUID], *, now: datetime) -> dict[str, Any]:
    """Whatever points at an old conversation points at the one it becomes part of. Returns what went, to move it back."""
    if not joined:
        return {"tables": {}}
    pairs = [list(joined), list(joined.values())]
    cursor.execute(_SAME_CLIENT_IDS, pairs * 2)
    client_ids = {str(id): str(client_id) for id, client_id in cursor.fetchall()}
    cursor.execute("UPDATE crm_message SET client_id = NULL WHERE id = ANY(%s)", [[UUID(each) for each in client_ids]])
    cursor.execute(_CLOSE_EPISODES, [now, *pairs * 2])
    episodes = [str(row[0]) for row in cursor.fetchall()]
    cursor.execute(_CLOSE_ISSUES, [*pairs * 2, now])
    issues = {str(id): state for id, state in cursor.fetchall()}
    tables: dict[str, dict[str, list[str]]] = {}
    for table, column in [*followers(Conversation), TOKENS]:
        # Names of our own models' tables and columns alone.
        cursor.execute(
            f"SELECT {column}, array_agg(id ORDER BY id) FROM {table} WHERE {column} = ANY(%s) GROUP BY 1", pairs[:1]
        )
        tables[f"{table}.{column}"] = {str(old): [str(id) for id in ids] for old, ids in cursor.fetchall()}
        cursor.execute(
            f"UPDATE {table} t SET {column} = pair.new_id FROM {PAIRS} WHERE t.{column} = pair.old_id", pairs
        )
    said = tables.get("crm_message.conversation_id", {})
    _move_words(cursor, {id: joined[UUID(old)] for old, ids in said.items() for id in ids})
    return {"tables": tables, "client_ids": client_ids, "episodes": episodes, "issues": issues}


def _move_words(cursor: Any, homes: dict[str, UUID]) -> None:
    cursor.execute(
        "UPDATE crm_messageword w SET conversation_id = home.id FROM unnest(%s::uuid[], %s::uuid[]) AS home (message_id, id)"
        " WHERE w.message_id = home.message_id",
        [[UUID(each) for each in homes], list(homes.values())],
    )


def take_over(cursor: Any, kept: UUID, others: list[UUID]) -> dict[str, dict[str, list[str]]]:
    """Whatever points at the other contacts points at the one that stays: identities, conversations, what there may be more."""
    tables = {}
    for table, column in followers(Contact):
        cursor.execute(
            f"SELECT {column}, array_agg(id ORDER BY id) FROM {table} WHERE {column} = ANY(%s) GROUP BY 1", [others]
        )
        tables[f"{table}.{column}"] = {str(old): [str(id) for id in ids] for old, ids in cursor.fetchall()}
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {column} = ANY(%s)", [kept, others])
    return tables


def move_back(cursor: Any, moved: dict[str, Any], joined: dict[UUID, UUID]) -> None:
    for place, by_old in moved["tables"].items():
        table, column = place.split(".")
        homes = {id: UUID(old) for old, ids in by_old.items() for id in ids}
        cursor.execute(
            f"UPDATE {table} t SET {column} = home.id FROM unnest(%s::uuid[], %s::uuid[]) AS home (row_id, id) WHERE t.id = home.row_id",
            [[UUID(each) for each in homes], list(homes.values())],
        )
        if place == "crm_message.conversation_id":
            _move_words(cursor, homes)
    cursor.execute("DELETE FROM crm_activity WHERE id = ANY(%s)", [[UUID(id) for id in moved["notes"]]])
    if not joined:
        return
    cursor.execute(
        "UPDATE crm_message m SET client_id = had.client_id FROM unnest(%s::uuid[], %s::uuid[]) AS had (id, client_id)"
        " WHERE m.id = had.id",
        [[UUID(each) for each in moved["client_ids"]], [UUID(each) for each in moved["client_ids"].values()]],
    )
    # Unless they were opened again since: a conversation has one opening at a time.
    cursor.execute(
        "UPDATE crm_episode e SET closed_at = NULL WHERE e.id = ANY(%s) AND NOT EXISTS ("
        "SELECT FROM crm_episode o WHERE o.conversation_id = e.conversation_id AND o.closed_at IS NULL)",
        [[UUID(each) for each in moved["episodes"]]],
    )
    cursor.execute(
        "UPDATE crm_deliveryissue i SET state = had.state, closed_at = NULL"
        " FROM unnest(%s::uuid[], %s::text[]) AS had (id, state) WHERE i.id = had.id AND NOT EXISTS ("
        "SELECT FROM crm_deliveryissue o WHERE o.conversation_id = i.conversation_id AND o.state IN ('open', 'confirmed'))",
        [[UUID(each) for each in moved["issues"]], list(moved["issues"].values())],
    )
