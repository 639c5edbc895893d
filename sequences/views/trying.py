"""Trying a sequence out: what it would do with somebody, and doing it for once with a minute between the steps."""

from decimal import Decimal
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm import costs
from crm.models import Contact, Conversation
from sequences import enrolling, trying
from sequences.models import Enrollment, Sequence
from sequences.models.enrollments import RUNNING
from sequences.views.access import writer_required
from sequences.words import action_words, delay_words, why_words
from tenants import clock
from tenants.models import Tenant
from tenants.requests import MemberRequest

SHOWN = 8


@writer_required
@require_http_methods(["GET", "POST"])
def show(request: MemberRequest, sequence_id: UUID) -> HttpResponse:
    """`?person=` is the conversation it is tried with, `?q=` looks for one; a POST sends it."""
    sequence = get_object_or_404(Sequence.objects.select_related("version"), pk=sequence_id)
    if sequence.version is None:
        messages.error(request, _("Write its first step, then try it out."))
        return redirect("sequence", sequence.pk)
    person = _person(request, sequence)
    if request.method == "POST" and person:
        return _begin(request, sequence, person)
    tenant, now, words = Tenant.objects.get(pk=request.membership.tenant_id), clock.now(), request.GET.get("q", "")
    foreseen = trying.foresee(sequence.version.content, person, tenant, now) if person else []
    priced = [each.price for each in foreseen]
    total = None if None in priced else sum(filter(None, priced), Decimal(0))
    context = {
        "sequence": sequence,
        "person": person,
        "people": _people(sequence, words),
        "words": words,
        "steps": [
            {
                "number": number,
                "title": each.step.title,
                "wait": delay_words(each.step.delay),
                "at": each.at,
                "action": each.decision.action.value,
                "does": action_words(each.decision.action),
                "why": why_words(each.decision.why),
                "said": each.said,
                "price": costs.in_words(each.price, tenant.billing_currency) if each.price != 0 else "",
            }
            for number, each in enumerate(foreseen, start=1)
        ],
        "total": costs.in_words(total, tenant.billing_currency),
        "running": Enrollment.objects.filter(sequence=sequence, conversation=person, state__in=RUNNING).first(),
        "now": now,
        "me": request.membership,
    }
    return render(request, "sequences/try.html", context)


def _begin(request: MemberRequest, sequence: Sequence, person: Conversation) -> HttpResponse:
    begun = enrolling.enroll(sequence, [person], now=clock.now(), started_by=request.membership, is_trial=True)
    if begun:
        messages.success(request, _("The first step goes out now, the others a minute after one another."))
    else:
        messages.warning(request, _("This person is in the sequence already."))
    running = Enrollment.objects.filter(sequence=sequence, conversation=person).order_by("-created_at", "-id").first()
    return redirect("enrollment", running.pk) if running else redirect("sequence-try", sequence.pk)


def _person(request: MemberRequest, sequence: Sequence) -> Conversation | None:
    asked = request.POST.get("person") or request.GET.get("person", "")
    try:
        wanted = UUID(asked)
    except ValueError:
        return _conversations(sequence).order_by("-last_message_at").first() if not asked else None
    return _conversations(sequence).filter(pk=wanted).first()


def _people(sequence: Sequence, words: str) -> list[Conversation]:
    """Whom it can be tried with: those who match the words, else the newest."""
    found = _conversations(sequence)
    if words.strip():
        ids = Contact.objects.matching(words).order_by("-created_at").values_list("pk", flat=True)[:SHOWN]
        found = found.filter(contact__in=list(ids))
    return list(found.order_by("-last_message_at")[:SHOWN])


def _conversations(sequence: Sequence):  # type: ignore[no-untyped-def]
    found = Conversation.objects.filter(last_message_at__isnull=False).select_related("contact", "number")
    return sequence.narrowed(found)
