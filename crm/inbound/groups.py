"""What was written in a group of which one of our numbers is a member: not answered from here, and not passed over in silence."""

from collections import Counter
from collections.abc import Iterable

from django.utils.translation import gettext_noop

from crm.inbound.directory import Line
from tenants.alerts import raise_alert
from tenants.models import Severity
from whatsapp.events import Event, MessageReceived

GROUPS = gettext_noop("group-messages")


def tell(events: Iterable[tuple[Line, Event]]) -> None:
    """One alert a number, for whoever wonders where these messages are."""
    written = Counter(line for line, event in events if isinstance(event, MessageReceived) and event.group_id)
    for line, count in sorted(written.items(), key=lambda pair: str(pair[0].number_id)):
        raise_alert(
            tenant_id=line.tenant_id, kind=GROUPS, subject=str(line.number_id), severity=Severity.INFO,
            facts={"messages": count},
        )  # fmt: skip
