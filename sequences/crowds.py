"""Beginning a sequence with many people at once: asked for in a request, done page by page in the background.

Each page is a transaction that also says how far it came, so that one which is killed is done again and changes nothing.
"""

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from crm.models import Conversation, Identity, IdentityKind
from sequences.enrolling import CannotEnroll, enroll
from sequences.models import BulkEnrollment, Sequence
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Tenant
from whatsapp import phones
from whatsapp.phones import NotAPhone

PAGE = 1000
LONGEST_RUN_SECONDS = 20.0


def ask(
    sequence: Sequence, *, now: datetime, by: Membership, label: str = "", days: int | None = None, written: str = ""
) -> BulkEnrollment:
    """Begin soon with everybody of a label who wrote in the last days, or with the phones that are `written`, one a line.

    Raises CannotEnroll where the sequence says nothing yet.
    """
    if sequence.version_id is None:
        raise CannotEnroll
    return BulkEnrollment.objects.create(
        tenant_id=sequence.tenant_id,
        sequence=sequence,
        label=label,
        days=days,
        phones=_digits(written, Tenant.objects.get(pk=sequence.tenant_id).default_country),
        started_by=by,
        created_at=now,
    )


def _digits(written: str, country: str) -> list[str]:
    """The phones of a text, each once; what is no phone is left out."""
    found = []
    for line in written.replace(",", "\n").replace(";", "\n").splitlines():
        try:
            found.append(phones.canonical(phones.normalise(line, country or None)))
        except NotAPhone:
            continue
    return list(dict.fromkeys(found))


def run(now: datetime) -> int:
    """Go on with every crowd that is on its way; returns how many people were looked at."""
    done, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    with system_transaction():
        waiting = list(
            BulkEnrollment.objects.filter(ended_at=None).order_by("created_at").values_list("tenant_id", "pk")
        )
    for tenant_id, pk in waiting:
        while time.monotonic() < until:
            with tenant_transaction(tenant_id):
                looked_at = _page(pk, now)
            done += looked_at or 0
            if looked_at is None:
                break
    return done


def _page(pk: UUID, now: datetime) -> int | None:
    """One page of a crowd; None once there is nothing more to do for us."""
    open_ones = BulkEnrollment.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    crowd = open_ones.select_related("sequence__version", "started_by").filter(pk=pk, ended_at=None).first()
    if crowd is None:
        return None  # somebody else is at it, or it is over
    if crowd.total is None:
        crowd.total = len(crowd.phones) if crowd.phones else _of_filter(crowd, now).count()
    found, looked_at = _next_phones(crowd) if crowd.phones else _next_of_filter(crowd, now)
    if found:
        crowd.begun += enroll(crowd.sequence, found, now=now, started_by=crowd.started_by)
    crowd.looked_at += looked_at
    if looked_at < PAGE:
        crowd.ended_at = now
    crowd.save(update_fields=["total", "looked_at", "begun", "place", "ended_at"])
    return looked_at if crowd.ended_at is None else None


def _next_of_filter(crowd: BulkEnrollment, now: datetime) -> tuple[list[Conversation], int]:
    found = _of_filter(crowd, now).order_by("pk")
    if crowd.place:
        found = found.filter(pk__gt=crowd.place)
    page = list(found.select_related("contact")[:PAGE])
    if page:
        crowd.place = str(page[-1].pk)
    return page, len(page)


def _of_filter(crowd: BulkEnrollment, now: datetime) -> QuerySet[Conversation]:
    found = crowd.sequence.narrowed(Conversation.objects.filter(last_inbound_at__isnull=False))
    if crowd.label:
        found = found.filter(contact__labels__contains=[crowd.label])
    if crowd.days:
        found = found.filter(last_inbound_at__gte=crowd.created_at - timedelta(days=crowd.days))
    return found


def _next_phones(crowd: BulkEnrollment) -> tuple[list[Conversation], int]:
    start = int(crowd.place or 0)
    page = crowd.phones[start : start + PAGE]
    crowd.place = str(start + len(page))
    owners = Identity.objects.filter(kind=IdentityKind.PHONE, value__in=page).values("contact")
    found = Conversation.objects.filter(contact__in=owners).select_related("contact")
    return list(crowd.sequence.narrowed(found)), len(page)
