"""What the provider says about the account rather than a conversation: numbers, templates and Flows, each told to its own."""

from datetime import datetime
from typing import Any

from crm import bells
from whatsapp import handing_over, health, template_notices
from whatsapp.events import Notice
from whatsapp.flows import watching


def merge_notices(cursor: Any, notices: list[tuple[Notice, datetime]]) -> None:
    """Apply account notices. The rest stay with their stored webhook; the hourly synchronisation repairs what was missed."""
    health.merge_notices(notices)
    handing_over.merge(notices)
    told = [notice for notice, _received_at in notices]
    for tenant_id in template_notices.merge(cursor, told):
        bells.ring_templates(tenant_id)
    for notice in told:
        if notice.field == "flows":
            watching.merge_notice(notice)
