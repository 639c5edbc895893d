"""Numbers and queues: how each number is, who answers it, and what one of them still needs."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from crm import number_forms
from crm.explanations import sentence
from crm.handover_words import lines_of, time_words
from crm.views import number_rows
from crm.views.access import administrator_required, supervisor_required, wants_fragment
from tenants import clock
from tenants.alerts import resolve_alert
from tenants.requests import MemberRequest
from whatsapp import handing_over
from whatsapp.checking import PAUSED, WITHOUT_QUEUE
from whatsapp.connecting import route
from whatsapp.mending import begin_loop
from whatsapp.models import Number
from whatsapp.preconditions import Kind, State
from whatsapp.readiness import preconditions_of


@supervisor_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    return page(request)


@supervisor_required
@require_GET
def show(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """The same page with one number open beside it: what it needs, its settings, how it has been."""
    return page(request, number=number_or_404(number_id))


@administrator_required
@require_POST
def queue(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """Let a queue answer the number from now on; what waited in triage follows."""
    number = number_or_404(number_id)
    form = number_forms.QueueForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("This queue is gone. Choose another one."))
        return redirect("numbers")
    route(number=number, queue=form.cleaned_data["queue"])
    if number.queue:
        resolve_alert(tenant_id=number.tenant_id, kind=WITHOUT_QUEUE, subject=str(number.pk))
    if wants_fragment(request):
        rows = render(request, "crm/numbers/_main.html", number_rows.page(request, now=clock.now()))
        return trigger_client_event(rows, "number-changed")
    return redirect("number", number.pk) if request.POST.get("next") == "number" else redirect("numbers")


@administrator_required
@require_POST
def settings(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """What we call it, whether it is in use, and its test mode. `do=resume` lets a paused one send again."""
    number = number_or_404(number_id)
    if request.POST.get("do") == "resume":
        number.paused_reason = ""
        number.save(update_fields=["paused_reason"])
        resolve_alert(tenant_id=number.tenant_id, kind=PAUSED, subject=str(number.pk))
        messages.success(request, _("%(number)s sends again.") % {"number": number})
        return redirect("number", number.pk)
    form = number_forms.NumberForm(request.POST, instance=number, tenant=request.membership.tenant)
    if not form.is_valid():
        return page(request, number=number, form=form, status=422)
    changed = form.save(commit=False)
    changed.test_phones = form.cleaned_data["phones"]
    changed.save(update_fields=["alias", "catalog_id", "is_active", "is_test", "test_phones"])
    messages.success(request, _("Saved."))
    return redirect("number", number.pk)


@administrator_required
@require_POST
def test(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """Begin to wait for a real webhook; the list of checks sees by itself when one arrives."""
    number = number_or_404(number_id)
    begin_loop(number)
    number.refresh_from_db(fields=["loop_started_at"])
    return checklist(request, number)


@supervisor_required
@require_GET
def checks(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """The list of checks as our rows are now; the page asks again while it waits for a webhook."""
    return checklist(request, number_or_404(number_id))


def checklist(request: MemberRequest, number: Number, *, status: int = 200, **more: Any) -> HttpResponse:
    """The list for htmx, after a change with all that stands beside it; else the way back to the page it stands on."""
    if not wants_fragment(request):
        return redirect("number", number.pk) if status == 200 else page(request, number=number, status=status, **more)
    beside = number_rows.page(request, now=clock.now()) if request.method == "POST" else {}
    return render(request, "crm/numbers/_checks.html", beside | checks_of(request, number) | more, status=status)


def number_or_404(number_id: UUID) -> Number:
    return get_object_or_404(Number.objects.select_related("queue", "endpoint"), pk=number_id)


def page(
    request: MemberRequest, *, number: Number | None = None, form: Any = None, status: int = 200, **more: Any
) -> HttpResponse:
    """The whole page, with `number` beside it if there is one."""
    context = number_rows.page(request, now=clock.now()) | more
    if number:
        tenant = request.membership.tenant
        context |= checks_of(request, number) | more
        context["form"] = form or number_forms.NumberForm(instance=number, tenant=tenant)
        context["token_form"] = more.get("token_form") or number_forms.TokenForm(initial={"waba_id": number.waba_id})
        context["history"] = number_rows.history(number)
        if handing_over.can_be_asked(number):
            context |= handovers_of(request, number)
    return render(request, "crm/numbers/index.html", context, status=status)


def handovers_of(request: MemberRequest, number: Number) -> dict[str, Any]:
    """What the list of what its phone hands over shows."""
    now, since = clock.now(), handing_over.connected_at(number)
    lines = lines_of(number, since=since, now=now)
    return {
        "number": number,
        "handovers": lines,
        "handover_time": time_words(since=since, now=now) if any(line.can_be_asked for line in lines) else "",
        "handover_waits": any(line.waits for line in lines),
        "me": request.membership,
    }


def checks_of(request: MemberRequest, number: Number) -> dict[str, Any]:
    """What the list of checks shows."""
    now = clock.now()
    found = preconditions_of(number, now=now, is_silent=number_rows.is_silent(number, now=now))
    loop = next(each for each in found if each.kind is Kind.LOOP)
    return {
        "number": number,
        "checks": [(each, number_rows.TITLES[each.kind]) for each in found],
        "ready": sum(each.is_ok for each in found),
        "asks": not number.findings and request.method == "GET" and not wants_fragment(request),
        "waits": loop.state is State.WAITING and number.loop_started_at is not None,
        "choosable": number_rows.choosable(),
        "pause_words": sentence(number.paused_reason),
        "now": now,
        "me": request.membership,
    }
