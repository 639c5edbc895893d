"""Handing over the conversations of the contacts that were chosen on the list: how many they are, then doing it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from crm import routing
from crm.handling_forms import HandOverForm
from crm.models import Conversation, ConversationStatus
from crm.models.conversations import ConversationQuerySet
from crm.routing import HandedOver
from crm.views.access import member_required
from crm.views.contacts.people import back, chosen_ids
from tenants import clock
from tenants.models import Membership
from tenants.requests import MemberRequest


@member_required
@require_http_methods(["GET", "POST"])
def hand_over(request: MemberRequest) -> HttpResponse:
    """GET says how many it would be and asks where to; POST hands over those that the member sees and that are not closed."""
    chosen = chosen_ids(request)
    if not chosen:
        messages.warning(request, _("Choose somebody first."))
        return redirect("contacts")
    if request.method == "GET":
        return _page(request, chosen, HandOverForm())
    form = HandOverForm(request.POST)
    if not form.is_valid():
        return _page(request, chosen, form, status=422)
    try:
        done = routing.hand_over(
            conversations=_open(request, chosen), actor=request.membership, now=clock.now(), **form.cleaned_data
        )
    except routing.CannotRoute as refusal:
        form.add_error(None, refusal.explanation)
        return _page(request, chosen, form, status=422)
    _say(request, done, to=form.cleaned_data["assignee"])
    return back(request)


def _open(request: MemberRequest, chosen: list[UUID]) -> ConversationQuerySet:
    visible = Conversation.objects.visible_to(request.membership)
    return visible.filter(contact__in=chosen).exclude(status=ConversationStatus.CLOSED)


def _page(request: MemberRequest, chosen: list[UUID], form: HandOverForm, *, status: int = 200) -> HttpResponse:
    owners = list(_open(request, chosen).values_list("contact", flat=True))
    return render(
        request,
        "crm/contacts/hand_over.html",
        {
            "form": form,
            "chosen": chosen,
            "count": len(owners),
            "without": len(chosen) - len(set(owners)),
            "next": (request.POST if request.method == "POST" else request.GET).get("next", ""),
        },
        status=status,
    )


def _say(request: MemberRequest, done: HandedOver, *, to: Membership | None) -> None:
    moved = ngettext("%(count)d conversation handed over.", "%(count)d conversations handed over.", done.moved)
    sentences = [moved % {"count": done.moved}]
    if done.unchanged:
        there = ngettext("%(count)d was there already.", "%(count)d were there already.", done.unchanged)
        sentences.append(there % {"count": done.unchanged})
    if done.refused:
        stays = ngettext(
            "%(count)d stays where it is: %(person)s is not in its queue.",
            "%(count)d stay where they are: %(person)s is not in their queues.",
            done.refused,
        )
        sentences.append(stays % {"count": done.refused, "person": to})
    (messages.warning if done.refused else messages.success)(request, " ".join(sentences))
