"""The contacts of a filter as a CSV, page by page: however many there are, a page at a time is in memory."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.db.models import Q
from django.http import StreamingHttpResponse
from django.views.decorators.http import require_GET

from crm.models import Contact, IdentityKind
from crm.views.access import member_required
from crm.views.contacts.listing import ContactFilters
from crm.views.downloads import plain_cell
from tenants import clock
from tenants.context import tenant_transaction
from tenants.models import Tenant
from tenants.requests import MemberRequest

PAGE = 2000
MOST_ATTRIBUTES = 100
COLUMNS = ["name", "name_on_whatsapp", "phone", "other_phones", "username", "user_id", "email", "labels", "marketing",
           "marketing_since", "last_seen", "created"]  # fmt: skip
_NAMES = """
SELECT DISTINCT key FROM crm_contact c,
       jsonb_object_keys(CASE jsonb_typeof(c.attributes) WHEN 'object' THEN c.attributes ELSE '{}' END) AS key
WHERE c.tenant_id = %s ORDER BY key LIMIT %s
"""


@member_required
@require_GET
def export(request: MemberRequest) -> StreamingHttpResponse:
    """Everybody whom the filters of the address let through."""
    if not request.membership.sees_everything:
        raise PermissionDenied
    filters, now, tenant_id = ContactFilters.of(request.GET), clock.now(), request.membership.tenant_id
    zone = ZoneInfo(Tenant.objects.get(pk=tenant_id).timezone)
    parts: Any = lines(tenant_id, lambda found: filters.narrow(found, now=now), zone=zone)
    if isinstance(request, ASGIRequest):
        parts = _in_turn(parts)
    response = StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="contacts-{now:%Y-%m-%d}.csv"'
    return response


def lines(tenant_id: UUID, narrow: Callable[[Any], Any], *, zone: ZoneInfo) -> Iterator[str]:
    """The file in pieces of one page; each is read in a transaction of its own, after the request's is over."""
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        cursor.execute(_NAMES, [tenant_id, MOST_ATTRIBUTES])
        names = [row[0] for row in cursor.fetchall()]
    # The first character lets spreadsheets read the accents.
    yield "\ufeff" + _csv([[*COLUMNS, *(f"attribute:{name}" if name in COLUMNS else name for name in names)]])
    last: tuple[datetime, UUID] | None = None
    while True:
        with tenant_transaction(tenant_id):
            found = narrow(Contact.objects.all())
            if last:
                found = found.filter(Q(seen_at__lt=last[0]) | Q(id__lt=last[1]), seen_at__lte=last[0])
            page = list(found.prefetch_related("identities").order_by("-seen_at", "-id")[:PAGE])
        if page:
            yield _csv([_line(contact, names, zone) for contact in page])
        if len(page) < PAGE:
            return
        last = page[-1].seen_at, page[-1].pk


async def _in_turn(parts: Iterator[str]) -> AsyncIterator[str]:
    """An iterator that waits for the database, where the server may not wait."""
    step = sync_to_async(lambda: next(parts, None))
    while (part := await step()) is not None:
        yield part


def _line(contact: Contact, names: list[str], zone: ZoneInfo) -> list[Any]:
    by_kind: dict[str, list[str]] = {}
    for identity in contact.identities.all():
        by_kind.setdefault(identity.kind, []).append(identity.value)
    phone = f"+{contact.phone}" if contact.phone else ""
    others = [f"+{value}" for value in by_kind.get(IdentityKind.PHONE, []) if value != contact.phone]
    attributes = contact.attributes if isinstance(contact.attributes, dict) else {}
    since = contact.marketing_preference_at if contact.marketing_stopped else contact.marketing_consent_at
    return [
        contact.name, contact.profile_name, phone, ", ".join(others), contact.username,
        ", ".join(by_kind.get(IdentityKind.BSUID, [])), contact.email, ", ".join(contact.labels), contact.marketing,
        _moment(since, zone), _moment(contact.last_seen, zone), _moment(contact.created_at, zone),
        *(attributes.get(name, "") for name in names),
    ]  # fmt: skip


def _moment(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([[plain_cell(cell) for cell in row] for row in rows])
    return text.getvalue()
