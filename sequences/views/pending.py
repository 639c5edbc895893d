"""The worklist: what the system could or would not send by itself, for a person to do."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import costs
from crm.blanks import filled
from crm.outbound import CannotSend
from crm.views.access import member_required
from crm.views.composer import can_send
from crm.views.issues import described, suspected
from sequences import handwork
from sequences.models import ManualTask, TaskState
from sequences.saying import blanks_of
from sequences.schedule import Why
from sequences.words import why_words
from tenants import clock
from tenants.models import Membership, Queue
from tenants.requests import MemberRequest
from whatsapp.models import Template as StoredTemplate
from whatsapp.models import TemplateStatus
from whatsapp.pricing import category_of

MOST, MOST_ISSUES = 200, 6
HELD = (Why.BUDGET, Why.NOT_DELIVERED, Why.MANUAL_STEP)
"""Reasons that a person may decide otherwise about; the others cannot be sent by anybody."""
RECENT = timedelta(days=2)


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """The open tasks of the member, by age and priority; `?queue=` narrows, `?open=` shows one in full."""
    now = clock.now()
    found = handwork.open_tasks(request.membership)
    queue = request.GET.get("queue", "")
    if queue in {str(each) for each in Queue.objects.values_list("pk", flat=True)}:
        found = found.filter(conversation__queue=UUID(queue))
    tasks = list(found[:MOST])
    opened = next((task for task in tasks if str(task.pk) == request.GET.get("open")), tasks[0] if tasks else None)
    for task in tasks:
        task.reason = why_words(task.why)  # type: ignore[attr-defined]
        task.window = task.conversation.window(now)  # type: ignore[attr-defined]
    if opened:
        _price(opened, request.membership, now)
    context = {
        "sections": [
            (_("Today and yesterday"), [task for task in tasks if task.created_at >= now - RECENT]),
            (_("Before"), [task for task in tasks if task.created_at < now - RECENT]),
        ],
        "count": len(tasks),
        "opened": opened,
        "templates": _templates(opened, now) if opened else [],
        "reasons": _reasons(found),
        "issues": described(suspected(request.membership)[:MOST_ISSUES]),
        "issue_count": suspected(request.membership).count(),
        "queues": Queue.objects.all(),
        "queue": queue,
        "now": now,
        "me": request.membership,
    }
    return render(request, "sequences/pending.html", context)


def _price(task: ManualTask, membership: Membership, now: datetime) -> None:
    """`planned` and `price`, where this member may send what was held back although it was."""
    content = handwork.planned(task, now) if membership.sees_everything and task.why in HELD else None
    task.planned = content  # type: ignore[attr-defined]
    if content is not None:
        price = handwork.price_of(task, content, now)
        task.price = costs.in_words(price.amount, price.currency) if price.is_priced else ""  # type: ignore[attr-defined]


def _templates(task: ManualTask, now: datetime) -> list[StoredTemplate]:
    """What may be sent of it now, with its price: its own template first, then those that need nothing but words."""
    approved = StoredTemplate.objects.filter(waba_id=task.conversation.number.waba_id, status=TemplateStatus.APPROVED)
    own = (task.template_name, task.template_language)
    fit = [each for each in approved if can_send(each)]
    currency = costs.currency_of(task.tenant_id)
    for each in fit:
        price = costs.price_of(task.conversation, category_of(each.category), now, currency)
        each.price = costs.in_words(price.amount, price.currency)  # type: ignore[attr-defined]
    return sorted(fit, key=lambda each: ((each.name, each.language) != own, each.category != "UTILITY", each.name))


def _reasons(found: Any) -> list[tuple[str, int]]:
    counted = found.order_by().values("why").annotate(count=Count("pk")).order_by("-count")
    return [(why_words(each["why"]), each["count"]) for each in counted]


@member_required
@require_POST
def act(request: MemberRequest, task_id: UUID) -> HttpResponse:
    """Done, left out, or sent as a template."""
    task = get_object_or_404(handwork.open_tasks(request.membership), pk=task_id)
    now, order = clock.now(), request.POST.get("do", "")
    if order == "template":
        return _send(request, task)
    if order == "force":
        return _force(request, task)
    state = TaskState.DONE if order == "done" else TaskState.SKIPPED
    if not handwork.finish(task, state=state, now=now, by=request.membership):
        messages.warning(request, _("Somebody was faster; it is done."))
    return redirect("pending")


def _force(request: MemberRequest, task: ManualTask) -> HttpResponse:
    if not request.membership.sees_everything:
        raise PermissionDenied
    if not request.POST.get("understood"):
        messages.error(request, _("Tick that you know what it costs; then it is sent."))
        return redirect(f"{reverse('pending')}?open={task.pk}")
    try:
        handwork.force(task, now=clock.now(), by=request.membership)
    except CannotSend as refusal:
        messages.error(request, str(refusal.explanation))
    else:
        messages.success(request, _("Sent to %(name)s.") % {"name": task.conversation.contact})
    return redirect("pending")


def _send(request: MemberRequest, task: ManualTask) -> HttpResponse:
    name, _bar, language = request.POST.get("template", "").partition("|")
    stored = StoredTemplate.objects.filter(
        waba_id=task.conversation.number.waba_id, name=name, language=language, status=TemplateStatus.APPROVED
    ).first()
    if stored is None:
        messages.error(request, _("This template is no longer approved. Choose another one."))
        return redirect("pending")
    values = _values(task, stored)
    try:
        handwork.send_template(
            task, name=name, language=language, values=values, now=clock.now(), by=request.membership
        )
    except CannotSend as refusal:
        messages.error(request, str(refusal.explanation))
    else:
        messages.success(request, _("Sent to %(name)s.") % {"name": task.conversation.contact})
    return redirect("pending")


def _values(task: ManualTask, stored: StoredTemplate) -> dict[str, str]:
    """As the step fills them; a template the step does not name gets the first name everywhere."""
    steps = task.enrollment.version.content.steps
    planned = {
        (variant.template.name, variant.template.language): variant.template.variables
        for variant in steps[task.position].variants
        if variant.template
    }.get((stored.name, stored.language), {})
    blanks = blanks_of(task.enrollment)
    return {name: filled(planned.get(name, "{first_name}"), blanks) or "-" for name in stored.variables}
