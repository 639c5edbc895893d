"""Who is in a sequence: beginning, the story of one with its reasons, and what a person may do with it."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from crm.models import Conversation
from crm.views.access import as_uuid, conversation_or_404, member_required
from crm.views.contacts.people import back, chosen_ids
from crm.views.telling import told
from sequences import crowds, enrolling
from sequences.forms import CrowdForm
from sequences.models import BulkEnrollment, Enrollment, EnrollmentState, ManualTask, Sequence, StepRun
from sequences.views.access import writer_required
from sequences.views.writing import outline
from sequences.words import action_words, facts_words, why_words
from tenants import clock
from tenants.requests import MemberRequest

PAGE = 50


@member_required
@require_GET
def enrollments(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """The people of one sequence, the newest first; `?state=` narrows."""
    sequence = get_object_or_404(Sequence.objects.select_related("version"), pk=sequence_id)
    found = _visible(request).filter(sequence=sequence).order_by("-created_at", "-id")
    state = request.GET.get("state", "")
    if state in EnrollmentState.values:
        found = found.filter(state=state)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    for each in page:
        each.why = why_words(each.reason)  # type: ignore[attr-defined]
    context = {
        "sequence": sequence,
        "crowd": BulkEnrollment.objects.filter(sequence=sequence).order_by("-created_at").first(),
        "page": page,
        "state": state,
        "states": EnrollmentState.choices,
        "now": clock.now(),
        "me": request.membership,
    }
    return render(request, "sequences/enrollments.html", context)


@member_required
@require_GET
def show(request: MemberRequest, enrollment_id: UUID) -> HttpResponse:
    """What was decided at each step and from which facts, what is open, and what comes."""
    enrollment = get_object_or_404(_visible(request), pk=enrollment_id)
    runs: dict[int, list[StepRun]] = {}
    for run in StepRun.objects.filter(enrollment=enrollment).select_related("message"):
        run.said = action_words(run.action)  # type: ignore[attr-defined]
        run.reason = why_words(run.why)  # type: ignore[attr-defined]
        run.lines = facts_words(run.facts)  # type: ignore[attr-defined]
        runs.setdefault(run.position, []).append(run)
    tasks = {
        task.position: task
        for task in ManualTask.objects.filter(enrollment=enrollment).select_related("ended_by__user")
    }
    steps = outline(enrollment.version)
    for step in steps:
        step |= {"runs": runs.get(step["number"] - 1, []), "task": tasks.get(step["number"] - 1)}
    is_running = enrollment.state in (EnrollmentState.ACTIVE, EnrollmentState.TASK, EnrollmentState.PAUSED)
    context = {
        "enrollment": enrollment,
        "why": why_words(enrollment.reason),
        "steps": steps,
        "next": enrollment.position + 1 if is_running else None,
        "is_running": is_running,
        "now": clock.now(),
        "me": request.membership,
    }
    return render(request, "sequences/enrollment.html", context)


@member_required
@require_POST
def begin(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Begin a sequence with one conversation, from its side panel."""
    conversation = conversation_or_404(request, conversation_id)
    sequence = get_object_or_404(
        Sequence.objects.select_related("version"), pk=request.POST.get("sequence"), is_active=True
    )
    begun = enrolling.enroll(sequence, [conversation], now=clock.now(), started_by=request.membership)
    if not begun:
        return told(
            request,
            conversation,
            _("It is in this sequence already, or the sequence is for another number."),
            kind="warn",
        )
    return told(request, conversation, _("“%(sequence)s” has begun.") % {"sequence": sequence})


@writer_required
@require_POST
def begin_many(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """Begin with the people of a label, or with those whose phones are listed; who is in it already stays."""
    sequence = get_object_or_404(Sequence.objects.select_related("version"), pk=sequence_id)
    form = CrowdForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, str(next(iter(form.errors.values()))[0]))
        return redirect("sequence-enrollments", sequence.pk)
    try:
        crowds.ask(sequence, now=clock.now(), by=request.membership, **form.cleaned_data)
    except enrolling.CannotEnroll:
        messages.error(request, _("Write its first step, then begin it with somebody."))
        return redirect("sequence", sequence.pk)
    return redirect("sequence-enrollments", sequence.pk)


@writer_required
@require_POST
def begin_chosen(request: MemberRequest) -> HttpResponse:
    """Begin a sequence with the people chosen on the page of contacts, in their conversations with its numbers."""
    active = Sequence.objects.select_related("version").filter(is_active=True)
    sequence = active.filter(pk=as_uuid(request.POST.get("sequence", ""))).first()
    chosen = chosen_ids(request)
    if sequence is None or not chosen:
        messages.warning(request, _("Choose somebody first.") if sequence else _("Choose a sequence that is in use."))
        return back(request)
    talks = sequence.narrowed(Conversation.objects.filter(contact__in=chosen)).select_related("contact")
    try:
        begun = enrolling.enroll(sequence, list(talks), now=clock.now(), started_by=request.membership)
    except enrolling.CannotEnroll:
        begun = 0
    sentence = ngettext("%(count)d person began.", "%(count)d people began.", begun)
    messages.add_message(request, messages.SUCCESS if begun else messages.WARNING, sentence % {"count": begun})
    return back(request)


@writer_required
@require_POST
def move(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """Whoever is in an older version goes on with the one in force."""
    sequence = get_object_or_404(Sequence.objects.select_related("version"), pk=sequence_id)
    try:
        moved = enrolling.move(sequence, now=clock.now())
    except enrolling.CannotEnroll:
        moved = 0
    sentence = ngettext("%(count)d person was moved.", "%(count)d people were moved.", moved)
    messages.success(request, sentence % {"count": moved})
    return redirect("sequence", sequence.pk)


@member_required
@require_POST
def act(request: MemberRequest, enrollment_id: UUID) -> HttpResponse:
    """Pause, go on, leave out the next step, or stop; a click on a page that is out of date changes nothing."""
    enrollment = get_object_or_404(_visible(request), pk=enrollment_id)
    now, order = clock.now(), request.POST.get("do", "")
    done = {
        "pause": lambda: enrolling.pause(enrollment),
        "resume": lambda: enrolling.resume(enrollment, now=now),
        "skip": lambda: enrolling.skip(enrollment, now=now),
        "stop": lambda: enrolling.stop(enrollment, now=now),
    }.get(order, lambda: False)()
    if not done:
        messages.warning(request, _("It had changed meanwhile; look again."))
    return redirect("enrollment", enrollment.pk)


def _visible(request: MemberRequest) -> QuerySet[Enrollment]:
    visible = Conversation.objects.visible_to(request.membership).values("pk")
    related = ("sequence", "version", "conversation__contact", "conversation__number", "started_by__user")
    return Enrollment.objects.filter(conversation__in=visible).select_related(*related)
