"""Erasing a contact: what would go and what would stay, asking for it, and how far the erasures are."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from crm import erasing
from crm.models import Contact, Erasure, ErasureDoor, ErasureReason
from crm.views.access import administrator_required
from tenants import clock
from tenants.requests import MemberRequest

MOST_SHOWN = 100


class ErasureForm(forms.Form):
    reason = forms.ChoiceField(label=gettext_lazy("Why"), choices=ErasureReason.choices)
    sure = forms.BooleanField(error_messages={"required": gettext_lazy("Say that you know it cannot be undone.")})


@administrator_required
@require_http_methods(["GET", "POST"])
def erase(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """GET says what goes and what stays; POST erases."""
    contact = get_object_or_404(Contact.objects.all(), pk=contact_id)
    form = ErasureForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        context = {
            "contact": contact,
            "form": form,
            "forecast": erasing.forecast(contact),
            "most": erasing.MOST_COUNTED,
        }
        return render(request, "crm/contacts/erase.html", context, status=422 if form.errors else 200)
    try:
        erasing.ask(
            contact.pk,
            tenant_id=request.membership.tenant_id,
            reason=ErasureReason(form.cleaned_data["reason"]),
            door=ErasureDoor.PAGE,
            by=request.membership,
            now=clock.now(),
        )
    except erasing.CannotErase as refusal:
        messages.error(request, refusal.explanation)
        return redirect("contacts")
    messages.success(request, _("The contact is gone from every page. The rest is erased in the next minutes."))
    return redirect("erasures")


@administrator_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """The newest erasures: when, why, who asked, how far it is. Whom, nobody knows any more."""
    found = Erasure.objects.select_related("asked_by__user").defer("addresses").order_by("-asked_at", "-pk")
    return render(request, "crm/contacts/erasures.html", {"erasures": found[:MOST_SHOWN], "now": clock.now()})
