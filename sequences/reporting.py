"""What the dashboard shows of sequences; named in the settings, so that crm need not know it."""

from typing import Any

from django.db import connection

from crm.reports.figures import Scope

# Those that began in the time, how far they came, and what the messages of their steps cost.
_FUNNEL = """
WITH begun AS (
    SELECT e.id, e.sequence_id, e.state, e.reason FROM sequences_enrollment e
    JOIN crm_conversation c ON c.id = e.conversation_id
    WHERE e.tenant_id = %(tenant)s AND NOT e.is_trial AND e.created_at >= %(start)s AND e.created_at < %(end)s
      AND (%(number)s::uuid IS NULL OR c.number_id = %(number)s) AND (%(queue)s::uuid IS NULL OR c.queue_id = %(queue)s)
), said AS (
    SELECT b.sequence_id, count(m.id) AS messages,
           count(m.id) FILTER (WHERE m.status IN ('delivered', 'read', 'played')) AS delivered,
           COALESCE(sum(m.cost_amount) FILTER (WHERE m.status <> 'failed'), 0) AS cost
    FROM begun b JOIN sequences_steprun r ON r.enrollment_id = b.id JOIN crm_message m ON m.id = r.message_id
    WHERE r.action <> 'task'
    GROUP BY 1
)
SELECT s.id, s.name, count(*) AS begun, COALESCE(max(said.messages), 0) AS messages,
       COALESCE(max(said.delivered), 0) AS delivered,
       count(*) FILTER (WHERE b.reason = 'replied') AS replied,
       count(*) FILTER (WHERE b.state = 'task') AS tasks,
       count(*) FILTER (WHERE b.state = 'done') AS done, count(*) FILTER (WHERE b.reason = 'goal') AS reached,
       count(*) FILTER (WHERE b.state = 'stopped') AS stopped, COALESCE(max(said.cost), 0) AS cost
FROM begun b JOIN sequences_sequence s ON s.id = b.sequence_id LEFT JOIN said ON said.sequence_id = s.id
GROUP BY s.id, s.name ORDER BY begun DESC, s.name LIMIT 12
"""


def section(scope: Scope) -> dict[str, Any]:
    """Template and context: what became of those who began a sequence in the time."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FUNNEL,
            {
                "tenant": scope.tenant.pk,
                "start": scope.start,
                "end": scope.end,
                "number": scope.number,
                "queue": scope.queue,
            },
        )
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {"template": "sequences/_dashboard.html", "rows": rows}
