"""How an action answers: the page refreshes what changed by itself (live.js), without JavaScript it goes back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django_htmx.http import trigger_client_event

from crm.models import Conversation
from crm.views.access import wants_fragment
from tenants.requests import MemberRequest

_LEVELS = {"ok": messages.SUCCESS, "warn": messages.WARNING, "fail": messages.ERROR}


def changed(response: HttpResponse, conversation_id: UUID) -> HttpResponse:
    """Tell the page that this conversation is not what it shows any more: it fetches it as it does for a live change."""
    return trigger_client_event(response, "conversations-changed", {"conversations": [str(conversation_id)]})


def told(request: MemberRequest, conversation: Conversation, sentence: Any = "", *, kind: str = "ok") -> HttpResponse:
    """The answer to an action on a conversation, with a sentence for the person who did it if there is one to say."""
    if not wants_fragment(request):
        if sentence:
            messages.add_message(request, _LEVELS[kind], sentence)
        # Whoever handed it to a queue of others may not see it any more.
        visible = Conversation.objects.visible_to(request.membership).filter(pk=conversation.pk).exists()
        return redirect("conversation", conversation.pk) if visible else redirect("inbox")
    # 204 leaves the page as it is; what changed is fetched.
    response = changed(HttpResponse(status=204), conversation.pk)
    if sentence:
        trigger_client_event(response, "toast", {"text": str(sentence), "kind": kind})
    return response
