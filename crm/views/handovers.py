"""What the phone that shares a number hands over: asked for by an administrator, and how far it has come."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm import bells
from crm.handover_words import refusal_words
from crm.views.access import supervisor_required, wants_fragment
from crm.views.numbers import handovers_of, number_or_404, page
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp import handing_over
from whatsapp.models import HandoverKind, Number


@supervisor_required
@require_http_methods(["GET", "POST"])
def handovers(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """How far it has come; a POST asks for `kind`, once for a connection."""
    if request.method == "POST" and not request.membership.administers:
        raise PermissionDenied
    number = number_or_404(number_id)
    if not handing_over.can_be_asked(number):
        raise Http404
    if request.method == "GET":
        return _shown(request, number)
    if (kind := request.POST.get("kind")) not in HandoverKind.values:
        return _shown(request, number, said=_("Choose what to ask for."))
    try:
        handing_over.ask(number=number, kind=HandoverKind(kind), now=clock.now())
    except handing_over.CannotAsk as refusal:
        return _shown(request, number, said=refusal_words(refusal, now=clock.now()))
    bells.ring_handover(number.tenant_id, number.pk)
    return _shown(request, number)


def _shown(request: MemberRequest, number: Number, *, said: str = "") -> HttpResponse:
    """The list for htmx, else the page it stands on; with what was wrong if something was."""
    status = 422 if said else 200
    if wants_fragment(request):
        context = handovers_of(request, number) | {"said": said}
        return render(request, "crm/numbers/_handovers.html", context, status=status)
    return page(request, number=number, status=status, said=said) if said else redirect("number", number.pk)
