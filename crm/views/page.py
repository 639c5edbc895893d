"""What the parts of the inbox show: the list pane, the thread with its composer, and the panel beside it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

from crm.handling_forms import colleagues
from crm.models import Conversation, ConversationStatus, Episode
from crm.views import composer, listing, log
from crm.views.context import Rail
from crm.views.counting import counters
from crm.views.filters import Filters
from tenants.models import Queue
from tenants.requests import MemberRequest
from whatsapp.models import Number

_OTHERS = 10
_EPISODES = 6


def list_context(request: MemberRequest, *, now: datetime) -> dict[str, Any]:
    """What the list pane shows."""
    filters, cursor = Filters.of(request.GET), request.GET.get("after", "")
    queues, numbers, people = list(Queue.objects.all()), list(Number.objects.all()), list(colleagues())
    page = listing.page(
        filters, membership=request.membership, now=now, cursor=cursor, numbers=numbers, queues=queues, people=people
    )
    heads = [section.key for section, _rows in page.sections]
    frame = frame_context(request, filters, heads=heads, now=now)
    if not filters.is_narrowed:
        frame["rail"] = Rail(request, waiting=frame["counters"].answer)
    return frame | {
        "listing": page,
        "queues": queues,
        "numbers": numbers,
        "colleagues": people,
        "open_id": None,
    }


def frame_context(
    request: MemberRequest, filters: Filters, *, heads: Collection[str] | None, now: datetime
) -> dict[str, Any]:
    """What every part of the inbox needs: the moment, the filters, who looks, and how many wait.

    `heads` are the sections whose heads are shown with their counts; with None nothing is counted.
    """
    return {
        "now": now,
        "filters": filters,
        "query": filters.query,
        "inbox_url": reverse("inbox"),
        "me": request.membership,
        "counters": None if heads is None else counters(request.membership, filters, heads=heads, now=now),
    }


def thread_context(request: MemberRequest, conversation: Conversation, *, now: datetime) -> dict[str, Any]:
    """What the thread, its head, the composer and the panel show."""
    cursor = request.GET.get("before", "")
    page = log.before(conversation, cursor) if cursor else log.newest(conversation, unread=conversation.unread_count)
    return panel_context(conversation) | {
        "queues": Queue.objects.all(),
        "colleagues": colleagues(),
        "conversation": conversation,
        "open_id": conversation.pk,
        "query": Filters.of(request.GET).query,
        "log": page,
        "is_older_page": bool(cursor),
        "composer": composer.asked_for(conversation, request.GET, now=now),
        "now": now,
        "me": request.membership,
    }


def panel_context(conversation: Conversation) -> dict[str, Any]:
    """What stands beside a thread: the person's addresses, earlier episodes, conversations with our other numbers."""
    others = Conversation.objects.filter(contact_id=conversation.contact_id).exclude(pk=conversation.pk)
    return {
        "identities": conversation.contact.identities.order_by("created_at"),
        "episodes": Episode.objects.filter(conversation=conversation)
        .exclude(closed_at=None)
        .select_related("closed_by__user")
        .order_by("-opened_at")[:_EPISODES],
        "others": others.select_related("number", "queue").order_by("-last_message_at")[:_OTHERS],
        "more_sections": [import_string(name)(conversation) for name in settings.PANEL_SECTIONS],
        "is_closed": conversation.status == ConversationStatus.CLOSED,
        "is_snoozed": conversation.status == ConversationStatus.SNOOZED,
    }
