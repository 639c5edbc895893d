"""Quick replies: prepared words and choices, found by a short name while one writes; supervisors and up write them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm.blanks import blanks_for, filled
from crm.forms import QuickReplyForm, said_with
from crm.models import QuickReply, ReplyKind
from crm.outbound import CannotSend, check_shape
from crm.views.access import conversation_or_404, member_required
from tenants import clock
from tenants.models import Queue
from tenants.requests import MemberRequest
from whatsapp.models import Flow

MOST_OFFERED = 200


@member_required
@require_http_methods(["GET", "POST"])
def index(request: MemberRequest) -> HttpResponse:
    """All that this member may use, and the form for a new one."""
    if request.method == "POST":
        return _saved(request, QuickReply(tenant_id=request.membership.tenant_id))
    return _shown(request, QuickReplyForm() if request.membership.sees_everything else None)


@member_required
@require_http_methods(["GET", "POST"])
def edit(request: MemberRequest, reply_id: UUID) -> HttpResponse:
    """One of them in the form."""
    _require_writer(request)
    reply = get_object_or_404(QuickReply, pk=reply_id)
    if request.method == "POST":
        return _saved(request, reply)
    return _shown(request, QuickReplyForm(instance=reply), reply)


@member_required
@require_POST
def remove(request: MemberRequest, reply_id: UUID) -> HttpResponse:
    """Throw it away; what was sent with it stays."""
    _require_writer(request)
    reply = get_object_or_404(QuickReply, pk=reply_id)
    messages.success(request, _("%(reply)s is gone.") % {"reply": reply})
    reply.delete()
    return redirect("replies")


@member_required
@require_GET
def offered(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """What can be said here by a short name, filled in for this person."""
    conversation = conversation_or_404(request, conversation_id)
    blanks = blanks_for(conversation.contact)
    found = QuickReply.objects.usable_in(conversation.queue_id).usable_from(conversation.number)[:MOST_OFFERED]
    replies = [{"reply": reply, "text": filled(reply.text, blanks)} for reply in found]
    return render(request, "crm/inbox/_replies.html", {"replies": replies, "conversation": conversation})


@member_required
@require_POST
def preview(request: MemberRequest) -> HttpResponse:
    """How it will look on the customer's phone, or what WhatsApp would say against it.

    Takes the fields of a quick reply, those of the composer, and those of its form for a product.
    """
    given = {name: str(value)[:5000] for name, value in request.POST.items()}
    text = (given.get("text") or given.get("words") or "").strip()
    content = said_with(
        _kind(given),
        text,
        options=given.get("options", "")[:2500],
        flow_label=given.get("flow_label", ""),
        product=given.get("product", ""),
    )
    context: dict[str, Any] = {"content": content, "text": text, "now": clock.now()}
    try:
        check_shape(content)
    except CannotSend as refusal:
        context["fault"] = refusal.explanation
    return render(request, "crm/replies/_preview.html", context)


def _kind(given: dict[str, str]) -> str:
    if given.get("kind") or given.get("asks"):
        return given.get("kind") or given["asks"]
    if "words" in given:
        return ReplyKind.PRODUCT
    return ReplyKind.FLOW if given.get("flow") else ReplyKind.CHOICES


def _saved(request: MemberRequest, reply: QuickReply) -> HttpResponse:
    _require_writer(request)
    form = QuickReplyForm(request.POST, instance=reply)
    if not form.is_valid():
        return _shown(request, form, reply, status=422)
    form.save()
    messages.success(request, _("%(reply)s is ready to use.") % {"reply": reply})
    return redirect("replies")


def _shown(
    request: MemberRequest, form: QuickReplyForm | None, reply: QuickReply | None = None, *, status: int = 200
) -> HttpResponse:
    context = {
        "replies": QuickReply.objects.usable_by(request.membership).select_related("queue", "flow"),
        "queues": Queue.objects.all(),
        "kinds": ReplyKind.choices,
        "flows": Flow.objects.sendable().order_by("name").only("pk", "name"),
        "form": form,
        "me": request.membership,
        "reply": reply if reply and not reply._state.adding else None,
        "now": clock.now(),
    }
    return render(request, "crm/replies/index.html", context, status=status)


def _require_writer(request: MemberRequest) -> None:
    if not request.membership.sees_everything:
        raise PermissionDenied
