"""What the provider says about the account rather than a conversation: for now, what happens to templates and Flows."""

from typing import Any

from crm import bells
from whatsapp import template_notices
from whatsapp.events import Notice
from whatsapp.flows import watching


def merge_notices(cursor: Any, notices: list[Notice]) -> None:
    """Apply account notices. The rest stay with their stored webhook; the hourly synchronisation repairs what was missed."""
    for tenant_id in template_notices.merge(cursor, notices):
        bells.ring_templates(tenant_id)
    for notice in notices:
        if notice.field == "flows":
            watching.merge_notice(notice)
