"""What becomes of enrollments, tasks and lines of broadcasts when somebody is erased.

What was to be said to them goes; a broadcast's lines stay without who it was, so that its figures add up.
"""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.db import connection

from sequences.freezing import Skip
from sequences.models import Broadcast, BulkEnrollment, Recipient, StepFile

_VALUES: Any = Recipient._meta.get_field("values")

# A UNION where an OR would do: one reads the whole table, of every company, while somebody waits for the page.
# What their message had come to is kept beside the line, as `sequences.broadcasting.summary` counts it.
_LINES = """
WITH theirs AS (
    SELECT r.id, m.status, m.accepted_at IS NOT NULL AS accepted, COALESCE(c.last_inbound_at > m.sent_at, false) AS replied,
           m.cost_amount AS cost, m.id IS NOT NULL AS was_sent
    FROM sequences_recipient r
    LEFT JOIN crm_message m ON m.id = r.message_id LEFT JOIN crm_conversation c ON c.id = r.conversation_id
    WHERE r.id = ANY(ARRAY(
        SELECT id FROM sequences_recipient WHERE conversation_id = ANY(%(talks)s)
        UNION SELECT s.id FROM sequences_recipient s JOIN crm_message said ON said.id = s.message_id
        WHERE said.conversation_id = ANY(%(talks)s)))
    ORDER BY r.id FOR UPDATE OF r
)
UPDATE sequences_recipient r
SET address = '', values = %(nothing)s, detail = '', conversation_id = NULL, message_id = NULL, reason = 'erased',
    fate = CASE r.fate WHEN 'waiting' THEN 'skipped' ELSE r.fate END,
    kept = CASE WHEN was_sent THEN jsonb_build_object('status', status, 'accepted', accepted, 'replied', replied, 'cost', cost) END
FROM theirs WHERE r.id = theirs.id
"""
_RUNS = """
DELETE FROM sequences_steprun WHERE id = ANY(ARRAY(
    SELECT r.id FROM sequences_steprun r JOIN sequences_enrollment e ON e.id = r.enrollment_id
    WHERE e.conversation_id = ANY(%(talks)s)
    UNION SELECT r.id FROM sequences_steprun r JOIN crm_message said ON said.id = r.message_id
    WHERE said.conversation_id = ANY(%(talks)s)))
"""
_TASKS = """
DELETE FROM sequences_manualtask WHERE id = ANY(ARRAY(
    SELECT id FROM sequences_manualtask WHERE conversation_id = ANY(%(talks)s)
    UNION SELECT t.id FROM sequences_manualtask t JOIN sequences_enrollment e ON e.id = t.enrollment_id
    WHERE e.conversation_id = ANY(%(talks)s)))
"""
_ENROLLMENTS = "DELETE FROM sequences_enrollment WHERE conversation_id = ANY(%(talks)s)"


def erase(*, tenant_id: UUID, conversations: Collection[UUID]) -> None:
    """Let go of these conversations; in the system's transaction. Twice changes nothing."""
    values: dict[str, Any] = {"talks": list(conversations), "nothing": bytes(_VALUES.sealed({}, tenant_id=tenant_id))}
    with connection.cursor() as cursor:
        for statement in (_LINES, _RUNS, _TASKS, _ENROLLMENTS):
            cursor.execute(statement, values)


def erase_from_lists(*, tenant_id: UUID, is_theirs: Callable[[str], bool]) -> None:
    """Take them out of lists that have not been worked off: files of broadcasts, phones that begin a sequence.

    And out of lines that never were anybody's conversation: a phone that was on a list twice, or could not be read.
    """
    for broadcast in Broadcast.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id).order_by("pk"):
        rows = [row for row in broadcast.rows if not is_theirs(str(row[1]))]
        if rows != broadcast.rows:
            broadcast.rows = rows
            broadcast.save(update_fields=["rows"])
    addresses = Recipient.objects.filter(tenant_id=tenant_id, conversation=None).exclude(address="")
    theirs = [pk for pk, address in addresses.values_list("pk", "address").iterator() if is_theirs(address)]
    Recipient.objects.filter(pk__in=theirs).update(
        address="", detail="", reason=Skip.ERASED, values=_VALUES.sealed({}, tenant_id=tenant_id)
    )
    for crowd in BulkEnrollment.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id).order_by("pk"):
        # A phone that nobody has is nobody; the places of the others stay.
        phones = ["" if is_theirs(phone) else phone for phone in crowd.phones]
        if phones != crowd.phones:
            crowd.phones = phones
            crowd.save(update_fields=["phones"])


def needed(names: Collection[str]) -> list[str]:
    """Those of these stored files that a step sends."""
    return list(StepFile.objects.filter(stored_as__in=names).values_list("stored_as", flat=True))
