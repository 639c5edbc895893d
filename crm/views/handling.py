"""Who answers a conversation and whether it is open, as resources: a closure, a snooze, an assignment, a transfer.

A form cannot send DELETE without JavaScript, so `_method=delete` in a POST means the same.
"""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import routing
from crm.handling_forms import AssignmentForm, SnoozeForm, TransferForm
from crm.models import Conversation
from crm.templatetags.inbox import moment_in_words
from crm.views.access import conversation_or_404, member_required
from crm.views.telling import told
from tenants import clock
from tenants.requests import MemberRequest


@member_required
@require_http_methods(["POST", "DELETE"])
def closure(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Close the conversation; taking the closure away opens it again."""
    conversation = conversation_or_404(request, conversation_id)
    if _takes_away(request):
        routing.reopen(conversation=conversation, actor=request.membership, now=clock.now())
        return told(request, conversation, _("Conversation reopened."))
    routing.close(conversation=conversation, actor=request.membership, now=clock.now())
    return told(request, conversation, _("Conversation closed. It opens again when the customer writes."))


@member_required
@require_http_methods(["POST", "DELETE"])
def snooze(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Put the conversation aside until a moment; taking the snooze away brings it back now."""
    conversation, now = conversation_or_404(request, conversation_id), clock.now()
    if _takes_away(request):
        routing.reopen(conversation=conversation, actor=request.membership, now=now)
        return told(request, conversation, _("It is back among the open ones."))
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        return told(request, conversation, _first_error(form), kind="fail")
    until = form.moment(now)
    try:
        routing.snooze(conversation=conversation, until=until, actor=request.membership, now=now)
    except routing.CannotRoute as refusal:
        return told(request, conversation, refusal.explanation, kind="fail")
    return told(request, conversation, _("Put aside until %(moment)s.") % {"moment": moment_in_words(until, now)})


@member_required
@require_POST
def assignment(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Give the conversation to a colleague, take it oneself, or leave it to nobody."""
    conversation = conversation_or_404(request, conversation_id)
    form = AssignmentForm(request.POST)
    if not form.is_valid():
        return told(request, conversation, _first_error(form), kind="fail")
    assignee = form.cleaned_data["assignee"]
    try:
        routing.assign(conversation=conversation, assignee=assignee, actor=request.membership, now=clock.now())
    except routing.CannotRoute as refusal:
        return told(request, conversation, refusal.explanation, kind="fail")
    return told(request, conversation, _owner_sentence(conversation, request))


@member_required
@require_POST
def transfer(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Hand the conversation to another queue, and there to somebody or to nobody yet."""
    conversation = conversation_or_404(request, conversation_id)
    form = TransferForm(request.POST)
    if not form.is_valid():
        return told(request, conversation, _first_error(form), kind="fail")
    try:
        routing.transfer(conversation=conversation, actor=request.membership, now=clock.now(), **form.cleaned_data)
    except routing.CannotRoute as refusal:
        return told(request, conversation, refusal.explanation, kind="fail")
    return told(request, conversation, _("Handed over to %(queue)s.") % {"queue": conversation.queue})


@member_required
@require_POST
def reading(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Everything in the thread has been seen."""
    conversation = conversation_or_404(request, conversation_id)
    routing.mark_read(conversation=conversation, now=clock.now())
    return told(request, conversation)


def _owner_sentence(conversation: Conversation, request: MemberRequest) -> str:
    if conversation.assignee is None:
        return _("Nobody owns it now.")
    if conversation.assignee_id == request.membership.pk:
        return _("It is yours.")
    return _("%(person)s owns it now.") % {"person": conversation.assignee}


def _takes_away(request: MemberRequest) -> bool:
    return request.method == "DELETE" or request.POST.get("_method") == "delete"


def _first_error(form: AssignmentForm | SnoozeForm | TransferForm) -> str:
    return str(next(iter(form.errors.values()))[0])
