"""One conversation: its thread, the composer under it and the panel beside it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django_htmx.http import reswap

from crm.views import log
from crm.views.access import conversation_or_404, member_required, wants_fragment
from crm.views.page import list_context, thread_context
from tenants import clock
from tenants.requests import MemberRequest


@member_required
@require_GET
def show(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """The inbox with this conversation open; with htmx the conversation alone. `?before=` shows an older page."""
    conversation = conversation_or_404(request, conversation_id)
    now = clock.now()
    context = thread_context(request, conversation, now=now)
    if wants_fragment(request):
        response = render(request, "crm/inbox/_conversation.html", context)
        # The row it was asked with may have given way to a newer one meanwhile, and with it what htmx would go by.
        return reswap(response, "outerHTML")
    return render(request, "crm/inbox/inbox.html", list_context(request, now=now) | context)


@member_required
@require_GET
def older(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """The messages above a cursor, in the place of the link that asked for them."""
    conversation = conversation_or_404(request, conversation_id)
    page = log.before(conversation, request.GET.get("before", ""))
    context = {"conversation": conversation, "log": page, "now": clock.now(), "me": request.membership}
    return render(request, "crm/inbox/_log.html", context)
