"""The inbox: the list beside the open conversation, and what changed on it since."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from crm.models import Conversation
from crm.views import listing, log
from crm.views.access import member_required, wants_fragment
from crm.views.filters import Filters
from crm.views.page import frame_context, list_context, thread_context
from tenants import clock
from tenants.requests import MemberRequest

MOST_NAMED = 100


@member_required
@require_GET
def home(request: MemberRequest) -> HttpResponse:
    return redirect("inbox")


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """The list alone; with htmx only the list, or only the rows below a cursor."""
    context = list_context(request, now=clock.now())
    if not wants_fragment(request):
        return render(request, "crm/inbox/inbox.html", context)
    if "after" in request.GET:
        return render(request, "crm/inbox/_rows.html", context)
    response = render(request, "crm/inbox/_list.html", context)
    response["HX-Push-Url"] = _same_page(request, context["filters"])
    return response


@member_required
@require_GET
def changes(request: MemberRequest) -> HttpResponse:
    """What `ids` look like now (without ids: the first page and what is below), the counters, and the open conversation.

    The page puts each part where it has one with the same id; see live.js. `brief` leaves out what may be a second old:
    of the open conversation it brings the newest messages alone.
    """
    now, filters = clock.now(), Filters.of(request.GET)
    asked = _ids(request.GET.get("ids", ""))
    is_brief = bool(asked) and "brief" in request.GET
    if asked:
        rows = listing.rows_of(asked, filters, membership=request.membership, now=now)
        present = {row.conversation.pk for row in rows}
        gone = [id for id in asked if id not in present]
        first = None
    else:
        first = listing.page(filters, membership=request.membership, now=now)
        rows, gone = first.rows, []
    sections = listing.sections(filters, membership=request.membership, now=now)
    heads = None if is_brief else [section.key for section in sections]
    context = frame_context(request, filters, heads=heads, now=now) | {
        "listing": first,
        "rows": rows,
        "gone": gone,
        "sections": sections,
        "is_brief": is_brief,
    }
    opened = next(iter(_ids(request.GET.get("open", ""))), None)
    if opened and (not asked or opened in asked):
        context |= _opened(request, opened, now=now, is_brief=is_brief)
    return render(request, "crm/inbox/_changes.html", context)


def _opened(request: MemberRequest, conversation_id: UUID, *, now: datetime, is_brief: bool) -> dict[str, Any]:
    conversation = Conversation.objects.visible_to(request.membership).for_thread().filter(pk=conversation_id).first()
    if conversation is None:
        return {"lost": conversation_id}
    if is_brief:
        end = log.newest(conversation, unread=conversation.unread_count, most=log.END)
        return {"conversation": conversation, "open_id": conversation.pk, "log": end}
    context = thread_context(request, conversation, now=now)
    # The window closed or opened while somebody looked: only then the composer gives way, never under a typing hand.
    before, now_is = request.GET.get("writes", ""), context["composer"].writes
    was_free = before not in ("", "forced")
    return context | {"composer_changed": was_free == (now_is == "forced") and before != "template"}


def _ids(text: str) -> list[UUID]:
    found = []
    for part in text.split(",")[:MOST_NAMED]:
        try:
            found.append(UUID(part))
        except ValueError:
            continue  # an address somebody mended by hand; the rest of it still counts
    return found


def _same_page(request: MemberRequest, filters: Filters) -> str:
    """The address after the list was narrowed: the open conversation stays open."""
    path = urlsplit(request.htmx.current_url or "").path
    base = path if path.startswith(reverse("inbox")) else reverse("inbox")
    return f"{base}?{filters.query}" if filters.query else base
