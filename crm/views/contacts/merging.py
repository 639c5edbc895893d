"""Making one contact of several: what would come of it, doing it, and taking it back."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm import merges
from crm.models import Contact, ContactMerge, Conversation, Identity, IdentityKind, Message
from crm.views.access import member_required
from crm.views.contacts.people import chosen_ids
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp import phones

MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the contacts with what is compared. `messages` stops at MOST_COUNTED."""

    contact: Contact
    phones: list[str]
    talks: int
    messages: int


@member_required
@require_http_methods(["GET", "POST"])
def merge(request: MemberRequest) -> HttpResponse:
    """GET compares the chosen ones and shows what would come of it; POST makes the one marked `keep` of them all."""
    if not request.membership.sees_everything:
        raise PermissionDenied
    ids = chosen_ids(request)
    query = request.POST if request.method == "POST" else request.GET
    kept = next((each for each in ids if str(each) == query.get("keep")), None)
    ids = [kept, *(each for each in ids if each != kept)] if kept else ids
    if not 2 <= len(ids) <= merges.MOST:
        messages.warning(request, _("Choose between 2 and %(most)d contacts.") % {"most": merges.MOST})
        return redirect("contacts")
    if request.method == "GET":
        return render(request, "crm/contacts/merge.html", _comparison(ids, query))
    wanted = {name: request.POST[name][:254] for name in ("name", "email", "phone") if name in request.POST}
    own = _own_values(ids)
    wanted = {name: value for name, value in wanted.items() if value in own[name]}
    try:
        merges.merge(ids, tenant_id=request.membership.tenant_id, by=request.membership, now=clock.now(), **wanted)
    except merges.CannotMerge as refusal:
        messages.error(request, refusal.explanation)
        return redirect("contacts")
    messages.success(request, _("They are one contact now. You can undo it for 7 days."))
    return redirect("contact", ids[0])


@member_required
@require_POST
def unmerge(request: MemberRequest, merge_id: UUID) -> HttpResponse:
    """Take a merge back."""
    if not request.membership.sees_everything:
        raise PermissionDenied
    merged = get_object_or_404(ContactMerge.objects.defer("rows"), pk=merge_id)
    try:
        merges.undo(merged, by=request.membership, now=clock.now())
    except merges.CannotMerge as refusal:
        messages.error(request, refusal.explanation)
    else:
        count = len(merged.merged_ids)
        sentence = ngettext("The contact is back.", "%(count)d contacts are back.", count)
        messages.success(request, sentence % {"count": count})
    return redirect("contact", merged.contact_id)


def _comparison(ids: list[UUID], query: Any) -> dict[str, Any]:
    found = {contact.pk: contact for contact in Contact.objects.filter(pk__in=ids)}
    ordered = [found[each] for each in ids]
    candidates = [_candidate(contact) for contact in ordered]
    numbers = list(Conversation.objects.filter(contact__in=ids).values_list("number", flat=True))
    return {
        "candidates": candidates,
        "result": merges.result(ordered),
        "phones": [phone for each in candidates for phone in each.phones],
        "written": sum(each.messages for each in candidates),
        "talks": len(set(numbers)),
        "joined": len(numbers) - len(set(numbers)),
        "most": MOST_COUNTED,
    }


def _candidate(contact: Contact) -> Candidate:
    known = Identity.objects.filter(contact=contact, kind=IdentityKind.PHONE).order_by("created_at", "pk")
    talks = list(Conversation.objects.filter(contact=contact).values_list("pk", flat=True))
    return Candidate(
        contact=contact,
        phones=[phones.display(value) for value in known.values_list("value", flat=True)],
        talks=len(talks),
        messages=Message.objects.filter(conversation__in=talks).order_by().values("pk")[:MOST_COUNTED].count(),
    )


def _own_values(ids: list[UUID]) -> dict[str, set[str]]:
    """What may be chosen: a form does not bring in what none of them has."""
    found = list(Contact.objects.filter(pk__in=ids))
    return {name: {getattr(contact, name) for contact in found} for name in ("name", "email", "phone")}
