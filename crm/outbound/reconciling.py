"""What became of the sends we are not sure of. Runs every few seconds, from any number of places at once."""

from typing import Any

from django.conf import settings
from django.db import connection

from crm import live
from crm.inbound import statuses
from tenants.context import system_transaction
from tenants.crash_points import crash_point

# A sender that died leaves its lease behind. It may have written the request: nobody knows.
_EXPIRE_LEASES = """
UPDATE crm_message SET status = 'unknown', unknown_at = statement_timestamp(), error_detail = 'the sender stopped'
WHERE id IN (
    SELECT id FROM crm_message WHERE status = 'sending' AND lease_expires_at < statement_timestamp()
    ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
)
RETURNING id
"""
# Once, after the grace, only what costs at most one more answer (a person's reply, a utility template), and only when
# a webhook of the same number was stored after the grace: had our intake been down, the status would be missing for that
# reason. So it would while webhooks of before that moment wait to be merged (workers that are back after an outage).
_RESEND = """
UPDATE crm_message SET status = 'queued', resent = true, next_attempt_at = statement_timestamp(), lease_expires_at = NULL, unknown_at = NULL
WHERE id IN (
    SELECT m.id FROM crm_message m JOIN whatsapp_number n ON n.id = m.number_id
    WHERE m.status = 'unknown' AND NOT m.resent
      AND m.source IN ('agent', 'api', 'assistant') AND m.template_category <> 'marketing'
      AND m.unknown_at < statement_timestamp() - make_interval(secs => %(grace)s)
      AND n.last_webhook_at > m.unknown_at + make_interval(secs => %(grace)s)
      AND n.is_active AND n.paused_reason = ''
      AND m.unknown_at + make_interval(secs => %(grace)s) < COALESCE(
          (SELECT min(next_attempt_at) FROM whatsapp_webhookevent WHERE state = 'new'), 'infinity')
    ORDER BY m.id LIMIT 1000 FOR UPDATE OF m SKIP LOCKED
)
RETURNING id
"""
_AUDIENCES = """
SELECT DISTINCT c.tenant_id, c.id, c.queue_id, c.assignee_id
FROM crm_message m JOIN crm_conversation c ON c.id = m.conversation_id WHERE m.id = ANY(%s)
"""


def reconcile() -> dict[str, int]:
    """Move dead leases to unknown, resend what may be resent, match statuses that came too early; counts of each."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_EXPIRE_LEASES)
        expired = [row[0] for row in cursor.fetchall()]
        cursor.execute(_RESEND, {"grace": settings.SEND_GRACE_SECONDS})
        resent = [row[0] for row in cursor.fetchall()]
        matched = statuses.match_all_parked(cursor)
        _tell(cursor, expired + resent)
        crash_point("reconcile.before-commit")
    return {"expired": len(expired), "resent": len(resent), "matched": matched}


def _tell(cursor: Any, message_ids: list[Any]) -> None:
    if not message_ids:
        return
    cursor.execute(_AUDIENCES, [message_ids])
    for tenant_id, conversation_id, queue_id, assignee_id in cursor.fetchall():
        live.publish(tenant_id, [live.Change(conversation_id, (queue_id,), (assignee_id,))])
