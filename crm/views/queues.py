"""A queue beside the page of numbers and queues: when it is open, who answers, and how it shares out what waits."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm import bells
from crm.queue_forms import QueueForm
from crm.views import number_rows
from crm.views.access import administrator_required, supervisor_required
from tenants import clock
from tenants.models import Queue
from tenants.requests import MemberRequest
from tenants.seating import seat


@supervisor_required
@require_http_methods(["GET", "POST"])
def show(request: MemberRequest, queue_id: UUID) -> HttpResponse:
    """One queue open beside the others; who administers changes it."""
    queue = get_object_or_404(Queue, pk=queue_id, is_triage=False)
    if request.method == "POST" and not request.membership.administers:
        raise PermissionDenied
    return _written(request, queue)


@administrator_required
@require_http_methods(["GET", "POST"])
def new(request: MemberRequest) -> HttpResponse:
    return _written(request, Queue(tenant=request.membership.tenant))


def _written(request: MemberRequest, queue: Queue) -> HttpResponse:
    form = QueueForm(request.POST or None, instance=queue, tenant=request.membership.tenant)
    if request.method == "GET":
        return _page(request, queue, form)
    if not form.is_valid():
        return _page(request, queue, form, status=422)
    saved = form.save(commit=False)
    saved.hours = form.opening().stored
    saved.save()
    seat(saved, form.seats())
    bells.ring_distribute()
    messages.success(request, _("Saved."))
    return redirect("queue", saved.pk)


def _page(request: MemberRequest, queue: Queue, form: QueueForm, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = number_rows.page(request, now=clock.now())
    row = next((each for each in context["queue_rows"] if each.queue.pk == queue.pk), None)
    context |= {"queue_form": form, "queue_row": row}
    return render(request, "crm/numbers/index.html", context, status=status)
