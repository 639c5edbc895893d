"""Delivery issues: who has probably blocked a number, on what evidence, and what a person says about it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from crm import suspecting
from crm.blocking import Kind, Level, Weight
from crm.models import Conversation, DeliveryIssue, Examination, IssueState, Message
from crm.models.issues import ACTIVE
from crm.views.access import member_required
from tenants import clock
from tenants.models import Membership
from tenants.requests import MemberRequest
from whatsapp.models import Number

PAGE = 30
SHOWN = 4
SUSPECTED = (Level.PROBABLE, Level.VERY_LIKELY)
MEMORY = timedelta(days=180)


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """The suspected; `?show=possible` the doubtful, `?show=closed` what is over; `?number=` narrows."""
    show = request.GET.get("show", "")
    found = visible(request.membership)
    if show == "closed":
        found = found.exclude(state__in=ACTIVE).order_by("-closed_at", "-id")
    else:
        found = found.filter(state__in=ACTIVE).order_by("-likelihood", "-found_at", "-id")
        found = found.filter(level=Level.POSSIBLE) if show == "possible" else found.filter(level__in=SUSPECTED)
    numbers = list(Number.objects.order_by("alias"))
    number = next((one for one in numbers if str(one.pk) == request.GET.get("number")), None)
    if number:
        found = found.filter(number=number)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    described(page.object_list)
    examination = Examination.objects.first()
    context = {
        "page": page,
        "show": show if show in ("possible", "closed") else "",
        "tabs": [("", _("Suspected")), ("possible", _("Doubtful")), ("closed", _("Over"))],
        "numbers": numbers,
        "number": number,
        "records": _records(numbers, examination.learned if examination else {}, clock.now()),
        "examination": examination,
        "now": clock.now(),
        "me": request.membership,
    }
    return render(request, "crm/issues/index.html", context)


@member_required
@require_POST
def decide(request: MemberRequest, issue_id: UUID) -> HttpResponse:
    """`do=dismiss`: they have not blocked us, sending goes on. `do=confirm`: they have, nothing goes by itself."""
    issue = get_object_or_404(visible(request.membership), pk=issue_id)
    act = suspecting.confirm if request.POST.get("do") == "confirm" else suspecting.dismiss
    if not act(issue, by=request.membership, now=clock.now()):
        messages.warning(request, _("Somebody was faster; it is done."))
    back = request.POST.get("next", "")
    return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "issues")


def visible(membership: Membership) -> QuerySet[DeliveryIssue]:
    """The issues of the conversations that the member sees."""
    issues = DeliveryIssue.objects.select_related("conversation__contact", "number", "decided_by__user")
    if membership.sees_everything:
        return issues
    return issues.filter(conversation__in=Conversation.objects.visible_to(membership).values("pk"))


def suspected(membership: Membership) -> QuerySet[DeliveryIssue]:
    """The active ones that hold back what sends by itself, the likeliest first."""
    return visible(membership).filter(state__in=ACTIVE, level__in=SUSPECTED).order_by("-likelihood", "-found_at")


def described(issues: Iterable[DeliveryIssue]) -> list[DeliveryIssue]:
    """Each with `title`, `lead`, `percent` and `lines`: the newest messages that nobody got, and why one does not count."""
    found = list(issues)
    lines = {issue.pk: list(reversed(issue.evidence))[:SHOWN] for issue in found}
    ids = [line["message"] for some in lines.values() for line in some]
    said = Message.objects.in_bulk([UUID(id) for id in ids])
    for issue in found:
        issue.title, issue.percent = _title(issue), suspecting.percent(issue.likelihood)  # type: ignore[attr-defined]
        issue.hundredths = int(issue.likelihood * 100)  # type: ignore[attr-defined]
        issue.lead = _lead(issue)  # type: ignore[attr-defined]
        issue.lines = [  # type: ignore[attr-defined]
            {
                "message": said.get(UUID(line["message"])),
                "at": datetime.fromisoformat(line["at"]),
                "counts": line["weight"] == Weight.COUNTED,
                "why": _why(line),
            }
            for line in lines[issue.pk]
        ]
    return found


def section(conversation: Conversation) -> dict[str, Any]:
    """What the side panel of a conversation shows: the suspicion, if there is one."""
    found: list[DeliveryIssue] = []
    if conversation.suspicion:
        active = DeliveryIssue.objects.filter(conversation=conversation, state__in=ACTIVE)
        found = described(active.select_related("decided_by__user"))
    return {"template": "crm/issues/_panel.html", "issue": found[0] if found else None}


def _title(issue: DeliveryIssue) -> str:
    if issue.state == IssueState.CONFIRMED:
        return _("Blocked, says %(name)s") % {"name": issue.decided_by or "–"}
    if issue.reached_at is None and issue.level == Level.POSSIBLE:
        return _("Perhaps not on WhatsApp")
    words = {
        Level.POSSIBLE: _("Perhaps without a phone or data"),
        Level.PROBABLE: _("Probably blocked us"),
        Level.VERY_LIKELY: _("Very likely blocked us"),
    }
    return words[Level(issue.level)]


def _lead(issue: DeliveryIssue) -> str:
    if any(line["kind"] == Kind.REPORTED for line in issue.evidence):
        return _("WhatsApp says that they do not want our messages")
    words = ngettext(
        "%(count)d message not received", "%(count)d messages of different days not received", issue.misses
    )
    return words % {"count": issue.misses}


def _why(line: dict[str, Any]) -> str:
    if line["weight"] == Weight.COUNTED:
        if line["kind"] != Kind.STUCK:
            return _("undeliverable")
        others = ngettext("%(count)d other got theirs", "%(count)d others got theirs", line["others_delivered"])
        return others % {"count": line["others_delivered"]}
    words = {
        Weight.TOO_SOON: _("sent less than 72 hours before"),
        Weight.SAME_DAY: _("does not count: the same day"),
        Weight.NUMBER_TROUBLE: _("does not count: few others got theirs"),
        Weight.NOBODY_ELSE: _("does not count: nobody else to compare with"),
    }
    return words[Weight(line["weight"])]


def _records(numbers: list[Number], learned: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """How far each number's suspicions were right, and what its silences are usually like."""
    was_suspected = DeliveryIssue.objects.filter(level__in=SUSPECTED, found_at__gte=now - MEMORY)
    counted = {
        row["number"]: row
        for row in was_suspected.order_by()
        .values("number")
        .annotate(
            count=Count("pk"),
            wrong=Count("pk", filter=~Q(state__in=ACTIVE)),
            active=Count("pk", filter=Q(state__in=ACTIVE)),
        )
    }
    records = []
    for number in numbers:
        row = counted.get(number.pk, {"count": 0, "wrong": 0, "active": 0})
        ended = learned.get(str(number.pk), {}).get("ended", [])
        records.append(
            row
            | {
                "of": number,
                "share": row["wrong"] * 100 / row["count"] if row["count"] else None,
                "ended": len(ended),
                "usual": ended[len(ended) // 2] if ended else None,
                "longest": ended[-1] if ended else None,
            }
        )
    return records
