"""What our people know of a person: the one way to change it, so that whatever waits for it hears of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from crm import live
from crm.models import Contact, Conversation
from crm.signals import contacts_changed

MOST_LABELS = 50
LABEL_LENGTH = 60
_USUAL = """
SELECT DISTINCT unnest(labels) AS label
FROM (SELECT labels FROM crm_contact WHERE tenant_id = %s ORDER BY created_at DESC, id LIMIT 2000) newest
ORDER BY label LIMIT 200
"""


def change(contact: Contact, values: dict[str, Any], *, now: datetime) -> None:
    """Save these fields (`name`, `labels`, `attributes`, `timezone` …); call it in a transaction of the tenant."""
    for name, value in values.items():
        setattr(contact, name, value)
    contact.save(update_fields=list(values))
    tell_changed([contact], now=now)


def tell_changed(contacts: Iterable[Contact], *, now: datetime) -> None:
    """Let open pages and whoever waits for a label or an attribute look; inside the transaction that changed them."""
    by_tenant: dict[Any, list[Any]] = {}
    for contact in contacts:
        by_tenant.setdefault(contact.tenant_id, []).append(contact.pk)
    for tenant_id, ids in by_tenant.items():
        places = Conversation.objects.filter(contact__in=ids).values_list("pk", "queue_id", "assignee_id")
        live.publish(tenant_id, [live.Change(pk, (queue,), (assignee,)) for pk, queue, assignee in places])
        contacts_changed.send(sender=None, tenant_id=tenant_id, contact_ids=ids, at=now)


def label(contact: Contact, *, add: str = "", remove: str = "", now: datetime) -> bool:
    """Put a label on or take one off; says whether anything changed. Two people at once keep each other's labels."""
    locked = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    wanted = [each for each in locked.labels if each != remove]
    written = " ".join(add.split())[:LABEL_LENGTH]
    # Capitals do not make another label.
    if written and written.casefold() not in {each.casefold() for each in wanted} and len(wanted) < MOST_LABELS:
        wanted.append(written)
    if wanted == locked.labels:
        return False
    change(locked, {"labels": wanted}, now=now)
    return True


def usual_labels(tenant_id: Any) -> list[str]:
    """What the newest contacts are labelled with, for choosing from."""
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [tenant_id])
        return [row[0] for row in cursor.fetchall()]
