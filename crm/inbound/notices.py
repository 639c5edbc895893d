"""What the provider says about the account rather than a conversation: templates here, numbers in `whatsapp.health`."""

from datetime import datetime
from typing import Any

from whatsapp import health
from whatsapp.events import Notice

# Meta writes the language `en-US` here and `en_US` for sending. Words of its event that are statuses as they stand:
_STATUSES = frozenset({"APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "ARCHIVED", "DELETED"})
_AS_STATUS = {"REINSTATED": "APPROVED", "UNARCHIVED": "APPROVED", "FLAGGED": "", "LOCKED": "DISABLED"}
_TEMPLATE = """
UPDATE whatsapp_template SET status = %s
WHERE waba_id = %s AND name = %s AND language = %s AND status <> %s
"""


def merge_notices(cursor: Any, notices: list[tuple[Notice, datetime]]) -> None:
    """Apply account notices. The rest stay with their stored webhook; the hourly synchronisation repairs what was missed."""
    health.merge_notices(notices)
    for notice, _received_at in notices:
        if notice.field == "message_template_status_update":
            _merge_template(cursor, notice)


def _merge_template(cursor: Any, notice: Notice) -> None:
    event = str(notice.value.get("event", "")).upper()
    status = event if event in _STATUSES else _AS_STATUS.get(event, "")
    name = str(notice.value.get("message_template_name", ""))
    language = str(notice.value.get("message_template_language", "")).replace("-", "_")
    if status and name:
        cursor.execute(_TEMPLATE, [status, notice.account_id, name, language, status])
