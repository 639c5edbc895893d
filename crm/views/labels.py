"""The labels of a contact, put on and taken off beside the conversation."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import contacts
from crm.views.access import conversation_or_404, member_required
from crm.views.telling import told
from tenants import clock
from tenants.requests import MemberRequest


@member_required
@require_POST
def label(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """`add` a label or `remove` one."""
    conversation = conversation_or_404(request, conversation_id)
    add, remove = request.POST.get("add", "").strip(), request.POST.get("remove", "")
    if len(add) > contacts.LABEL_LENGTH:
        sentence = _("A label has at most %(most)d letters.") % {"most": contacts.LABEL_LENGTH}
        return told(request, conversation, sentence, kind="fail")
    contacts.label(conversation.contact, add=add, remove=remove, now=clock.now())
    return told(request, conversation)


@member_required
@require_GET
def usual(request: MemberRequest) -> HttpResponse:
    """The labels in use, as options to choose from."""
    return render(request, "crm/inbox/_labels.html", {"labels": contacts.usual_labels(request.membership.tenant_id)})
