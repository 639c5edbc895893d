"""Writing sequences: the list of them, the editor, putting to use, and taking one elsewhere as JSON."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import costs
from crm.reports.naming import country_name
from crm.views.access import member_required
from crm.views.composer import can_send
from sequences import estimating, forms
from sequences.definition import Definition, Incomplete
from sequences.models import Enrollment, EnrollmentState, Sequence, SequenceVersion
from sequences.models.enrollments import RUNNING
from sequences.views.access import writer_required
from sequences.words import FAULTS, delay_words, weekday_name
from tenants import clock
from tenants.models import Tenant
from tenants.requests import MemberRequest
from whatsapp.models import Flow, TemplateStatus
from whatsapp.models import Template as StoredTemplate

LARGEST_IMPORT = 512 * 1024


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """Every sequence with how many are in it."""
    running = Q(enrollments__state__in=[EnrollmentState.ACTIVE, EnrollmentState.TASK])
    counted = {
        "running": Count("enrollments", filter=running),
        "paused": Count("enrollments", filter=Q(enrollments__state=EnrollmentState.PAUSED)),
        "replied": Count("enrollments", filter=Q(enrollments__reason="replied")),
        "ended": Count("enrollments", filter=Q(enrollments__state=EnrollmentState.DONE)),
    }
    sequences = Sequence.objects.select_related("version").prefetch_related("numbers").annotate(**counted)
    sequences = sequences.order_by("-is_active", "name")
    return render(request, "sequences/index.html", {"sequences": sequences, "me": request.membership})


@writer_required
@require_http_methods(["GET", "POST"])
def new(request: MemberRequest) -> HttpResponse:
    return _edit(request, None)


@writer_required
@require_http_methods(["GET", "POST"])
def edit(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    return _edit(request, _sequence(sequence_id))


def _edit(request: MemberRequest, sequence: Sequence | None) -> HttpResponse:
    """The editor. `do` arranges steps without saving; otherwise what is complete becomes the next version."""
    if request.method == "GET":
        definition = sequence.version.definition if sequence and sequence.version else forms.empty()
        return _editor(request, sequence, forms.SequenceForm(instance=sequence), definition)
    form, definition = forms.SequenceForm(request.POST, instance=sequence), forms.read(request.POST)
    numbers = form.cleaned_data["numbers"] if form.is_valid() else ()
    refused = forms.with_files(definition, request.FILES, tenant_id=request.membership.tenant_id, numbers=numbers)
    if order := request.POST.get("do", ""):
        return _editor(request, sequence, form, forms.arranged(definition, order), faults=refused)
    faults: list[tuple[int, str]] = []
    try:
        content = Definition.read(definition)
    except Incomplete as incomplete:
        faults = incomplete.faults
    faults += refused
    if not form.is_valid() or faults:
        return _editor(request, sequence, form, definition, faults=faults, status=422)
    if Sequence.objects.filter(name=form.cleaned_data["name"]).exclude(pk=sequence.pk if sequence else None).exists():
        form.add_error("name", _("Another sequence has this name."))
        return _editor(request, sequence, form, definition, status=422)
    sequence = form.save(commit=False)
    sequence.tenant_id = request.membership.tenant_id
    sequence.save()
    sequence.limit_to(numbers)
    publish(sequence, content, author=request.membership)
    messages.success(request, _("Saved. Whoever is in it already goes on with what they began."))
    return redirect("sequence", sequence.pk)


def publish(sequence: Sequence, content: Definition, *, author: Any) -> None:
    """Make it the version in force, unless it says the same as the one that is."""
    if sequence.version and sequence.version.content == content:
        return
    last = SequenceVersion.objects.filter(sequence=sequence).aggregate(last=Max("number"))["last"] or 0
    sequence.version = SequenceVersion.objects.create(
        tenant_id=sequence.tenant_id, sequence=sequence, number=last + 1, definition=content.as_json(), author=author
    )
    sequence.save(update_fields=["version"])


def _editor(
    request: MemberRequest,
    sequence: Sequence | None,
    form: forms.SequenceForm,
    definition: dict[str, Any],
    *,
    faults: list[tuple[int, str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    faults, approved = faults or [], StoredTemplate.objects.filter(status=TemplateStatus.APPROVED)
    steps = forms.shown_steps(definition, faults)
    estimate = estimating.of_steps(steps, Tenant.objects.get(pk=request.membership.tenant_id), clock.now())
    version = sequence.version_id if sequence else None
    chosen = {str(getattr(each, "pk", each)) for each in form["numbers"].value() or ()}
    numbers = [(each, str(each.pk) in chosen) for each in form.fields["numbers"].queryset]  # type: ignore[attr-defined]
    in_older = Enrollment.objects.filter(sequence=sequence, state__in=RUNNING).exclude(version=version)
    context = {
        "sequence": sequence,
        "older": in_older.count() if version else 0,
        "form": form,
        "definition": definition,
        "steps": steps,
        "estimate": estimate,
        "estimate_country": country_name(estimate.country),
        "least": costs.in_words(estimate.least, estimate.currency),
        "most": costs.in_words(estimate.most, estimate.currency),
        "faults": [FAULTS[fault] for place, fault in faults if place == 0],
        "is_incomplete": bool(faults or form.errors),
        "has_catalogue": any(number.catalog_id for number, _chosen in numbers),
        "flows": Flow.objects.sendable().order_by("name"),
        "templates": [each for each in approved.order_by("name", "language") if can_send(each)],
        "numbers": numbers if len(numbers) > 1 or chosen else (),
        "weekdays": [(day, weekday_name(day), day in definition.get("weekdays", range(7))) for day in range(7)],
        "me": request.membership,
    }
    return render(request, "sequences/editor.html", context, status=status)


@writer_required
@require_POST
def activity(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """Put a sequence to use, or out of it: what runs goes on, nothing new begins."""
    sequence = _sequence(sequence_id)
    if sequence.version is None:
        messages.error(request, _("Write its first step, then put it to use."))
        return redirect("sequence", sequence.pk)
    sequence.is_active = request.POST.get("active") == "1"
    sequence.activated_at = clock.now() if sequence.is_active else sequence.activated_at
    sequence.save(update_fields=["is_active", "activated_at"])
    return redirect("sequences") if request.POST.get("next") == "sequences" else redirect("sequence", sequence.pk)


@writer_required
@require_GET
def export(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """The sequence as a JSON file, for another company or for safekeeping."""
    sequence = _sequence(sequence_id)
    content = {
        "name": sequence.name,
        "trigger": sequence.trigger,
        "trigger_value": sequence.trigger_value,
        "definition": sequence.version.definition if sequence.version else forms.empty(),
    }
    response = HttpResponse(json.dumps(content, ensure_ascii=False, indent=2), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{slugify(sequence.name) or "sequence"}.json"'
    return response


@writer_required
@require_POST
def bring(request: MemberRequest) -> HttpResponse:
    """Open an exported file in the editor; nothing is saved until the person does."""
    file = request.FILES.get("file")
    try:
        if file is None or (file.size or 0) > LARGEST_IMPORT:
            raise ValueError
        content = json.loads(file.read())
        if not isinstance(content, dict) or not isinstance(content.get("definition"), dict):
            raise TypeError
        Definition.read(content["definition"])
    except (ValueError, TypeError, RecursionError):
        messages.error(request, _("This file is no exported sequence. Export one here and try with that file."))
        return redirect("sequences")
    initial = {
        "name": str(content.get("name") or "")[:80],
        "trigger": content.get("trigger"),
        "trigger_value": content.get("trigger_value"),
    }
    forms.name_files(content["definition"])
    return _editor(request, None, forms.SequenceForm(initial=initial), forms.empty() | content["definition"])


def _sequence(sequence_id: UUID) -> Sequence:
    return get_object_or_404(Sequence.objects.select_related("version"), pk=sequence_id)


def outline(version: SequenceVersion) -> list[dict[str, Any]]:
    """Each step in short: number, title, when, and what it says."""
    return [
        {
            "number": number,
            "title": step.title,
            "when": delay_words(step.delay),
            "text": step.variants[0].in_short if step.variants else "",
            "template": step.variants[0].template if step.variants else None,
            "is_manual": step.is_manual,
        }
        for number, step in enumerate(version.content.steps, start=1)
    ]
