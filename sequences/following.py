"""What becomes of enrollments, tasks and lines of broadcasts when contacts are made one, and when that is taken back.

One sequence runs once in a conversation, and nobody is twice on a list: of two, that of the conversation that stays goes
on; the other ends, or is left out.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from sequences.schedule import Why

_PAIRS = "unnest(%(old)s::uuid[], %(new)s::uuid[]) AS pair (old_id, new_id)"
_BOTH = f"(SELECT old_id, new_id FROM {_PAIRS} UNION SELECT new_id, new_id FROM {_PAIRS}) AS pair"
_END_SECOND = f"""
WITH extra AS (
    SELECT id, state, due_at, reason FROM (
        SELECT e.*, row_number() OVER (
            PARTITION BY pair.new_id, e.sequence_id ORDER BY e.conversation_id = pair.new_id DESC, e.created_at, e.id) AS place
        FROM {_BOTH} JOIN sequences_enrollment e ON e.conversation_id = pair.old_id
        WHERE e.state IN ('active', 'task', 'paused')
    ) AS counted WHERE place > 1
), ended AS (
    UPDATE sequences_enrollment e SET state = 'stopped', due_at = NULL, ended_at = %(now)s, reason = %(why)s
    FROM extra WHERE e.id = extra.id
)
SELECT id::text, state, due_at::text, reason FROM extra
"""
_SKIP_TASKS = """
UPDATE sequences_manualtask SET state = 'skipped', ended_at = %(now)s
WHERE enrollment_id = ANY(%(ended)s) AND state = 'open' RETURNING id::text
"""
_DROP_SECOND = f"""
WITH extra AS (
    SELECT id, fate, reason, conversation_id FROM (
        SELECT r.*, row_number() OVER (
            PARTITION BY pair.new_id, r.broadcast_id ORDER BY r.fate = 'waiting', r.conversation_id = pair.new_id DESC, r.id) AS place
        FROM {_BOTH} JOIN sequences_recipient r ON r.conversation_id = pair.old_id
        WHERE r.fate IN ('waiting', 'sent')
    ) AS counted WHERE place > 1
), dropped AS (
    UPDATE sequences_recipient r
    SET fate = CASE r.fate WHEN 'waiting' THEN 'skipped' ELSE r.fate END,
        reason = CASE r.fate WHEN 'waiting' THEN 'twice' ELSE r.reason END,
        conversation_id = CASE r.fate WHEN 'waiting' THEN r.conversation_id END
    FROM extra WHERE r.id = extra.id
)
SELECT id::text, fate, reason, conversation_id::text FROM extra
"""
_TABLES = ("sequences_enrollment", "sequences_manualtask", "sequences_recipient")


def merge(*, conversations: dict[UUID, UUID], at: datetime) -> dict[str, Any] | None:
    """Point what points at an old conversation at the one that stays; returns what `unmerge` needs."""
    if not conversations:
        return None
    values: dict[str, Any] = {
        "old": list(conversations),
        "new": list(conversations.values()),
        "now": at,
        "why": Why.MERGED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_END_SECOND, values)
        ended = {id: [state, due_at, reason] for id, state, due_at, reason in cursor.fetchall()}
        cursor.execute(_SKIP_TASKS, {"now": at, "ended": [UUID(each) for each in ended]})
        skipped = [row[0] for row in cursor.fetchall()]
        cursor.execute(_DROP_SECOND, values)
        dropped = {id: [fate, reason, home] for id, fate, reason, home in cursor.fetchall()}
        moved: dict[str, dict[str, list[str]]] = {}
        for table in _TABLES:
            cursor.execute(
                f"SELECT conversation_id::text, array_agg(id::text) FROM {table} WHERE conversation_id = ANY(%(old)s) GROUP BY 1",
                values,
            )
            moved[table] = dict(cursor.fetchall())
            cursor.execute(
                f"UPDATE {table} t SET conversation_id = pair.new_id FROM {_PAIRS} WHERE t.conversation_id = pair.old_id",
                values,
            )
    return {"moved": moved, "ended": ended, "skipped": skipped, "dropped": dropped}


def unmerge(answer: dict[str, Any], *, at: datetime) -> None:
    """Take back what `merge` did, as far as nobody has done something else with it since."""
    with connection.cursor() as cursor:
        for table, by_old in answer["moved"].items():
            homes = {id: old for old, ids in by_old.items() for id in ids}
            cursor.execute(
                f"UPDATE {table} t SET conversation_id = home.id FROM unnest(%s::uuid[], %s::uuid[]) AS home (row_id, id)"
                " WHERE t.id = home.row_id",
                [list(homes), list(homes.values())],
            )
        for id, (fate, reason, home) in answer["dropped"].items():
            cursor.execute(
                "UPDATE sequences_recipient SET fate = %s, reason = %s, conversation_id = %s WHERE id = %s",
                [fate, reason, home, id],
            )
        for id, (state, due_at, reason) in answer["ended"].items():
            cursor.execute(
                "UPDATE sequences_enrollment SET state = %s, due_at = %s, reason = %s, ended_at = NULL"
                " WHERE id = %s AND state = 'stopped' AND reason = %s",
                [state, due_at, reason, id, Why.MERGED.value],
            )
        cursor.execute(
            "UPDATE sequences_manualtask SET state = 'open', ended_at = NULL"
            " WHERE id = ANY(%s::uuid[]) AND state = 'skipped' AND ended_by_id IS NULL",
            [answer["skipped"]],
        )
