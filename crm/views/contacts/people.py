"""The list of contacts, and what is done with those that are chosen on it."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from crm import contacts
from crm.models import Contact, ContactImport
from crm.views.access import member_required
from crm.views.contacts import listing
from crm.views.contacts.listing import ContactFilters
from tenants import clock
from tenants.requests import MemberRequest

MOST_CHOSEN = 200


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """A page of contacts, the last seen on top; `q` and filters narrow."""
    return render(request, "crm/contacts/index.html", list_context(request))


def list_context(request: MemberRequest) -> dict[str, Any]:
    """What the page of contacts shows, also with an import beside it."""
    now, filters = clock.now(), ContactFilters.of(request.GET)
    page = listing.page(
        filters,
        membership=request.membership,
        now=now,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    return {
        "filters": filters,
        "listing": page,
        "most": listing.MOST_COUNTED - 1,
        "everybody": listing.count(Contact.objects.all()) if filters.is_narrowed else page.count,
        "labels": contacts.usual_labels(request.membership.tenant_id),
        "countries": listing.countries(),
        "actions": [import_string(name)(request.membership) for name in settings.CONTACT_ACTIONS],
        "imports": ContactImport.objects.defer("content", "faults").order_by("-created_at")[:5]
        if request.membership.sees_everything
        else [],
        "now": now,
        "me": request.membership,
    }


@member_required
@require_POST
def label(request: MemberRequest) -> HttpResponse:
    """Put `label` on the chosen ones."""
    chosen, written = chosen_ids(request), request.POST.get("label", "").strip()
    if not chosen:
        messages.warning(request, _("Choose somebody first."))
    elif not written or len(written) > contacts.LABEL_LENGTH:
        messages.error(request, _("A label has between 1 and %(most)d letters.") % {"most": contacts.LABEL_LENGTH})
    else:
        count = contacts.label_many(chosen, written, tenant_id=request.membership.tenant_id, now=clock.now())
        sentence = ngettext("%(count)d contact got the label.", "%(count)d contacts got the label.", count)
        messages.success(request, sentence % {"count": count})
    return back(request)


def chosen_ids(request: MemberRequest) -> list[UUID]:
    """The contacts chosen on the list, as far as they are the company's."""
    ids = []
    query = request.POST if request.method == "POST" else request.GET
    for text in query.getlist("contact")[:MOST_CHOSEN]:
        try:
            ids.append(UUID(text))
        except ValueError:
            continue  # an address somebody mended by hand; the rest of it still counts
    found = set(Contact.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return [each for each in dict.fromkeys(ids) if each in found]


def back(request: MemberRequest) -> HttpResponse:
    """To where the form says that it came from, within the product."""
    to = request.POST.get("next", "")
    return redirect(to if url_has_allowed_host_and_scheme(to, allowed_hosts=None) else "contacts")
