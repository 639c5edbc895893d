"""The dashboard: how the company is doing, from figures that are counted in the background; and the same as CSV."""

import csv
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm import costs
from crm.models import DeliveryIssue
from crm.models.issues import ACTIVE
from crm.reports import drawing
from crm.reports.figures import RANGES, Figures, Scope, figures, load_by_person, month, waiting_by_queue
from crm.reports.naming import country_name
from crm.views.access import member_required
from crm.views.downloads import plain_cell
from crm.views.issues import SUSPECTED
from tenants import clock
from tenants.models import Queue, Tenant
from tenants.requests import MemberRequest
from whatsapp.models import Number

GOAL_MINUTES = 5


@member_required
@require_GET
def show(request: MemberRequest) -> HttpResponse:
    """`?range=` today, 7, 14 or month; `?number=` and `?queue=` narrow. Supervisors and up."""
    scope, now = _scope(request), clock.now()
    found, tenant = figures(scope), scope.tenant
    queues = waiting_by_queue(scope, now)
    context = {
        "scope": scope,
        "figures": found,
        "now": now,
        "ranges": [("today", _("Today")), ("7", _("7 d")), ("14", _("14 d")), ("month", _("Month"))],
        "numbers": Number.objects.order_by("alias"),
        "all_queues": Queue.objects.order_by("name"),
        "suspected": _suspected(scope),
        "waiting": sum(row["waiting"] for row in queues),
        "soon": sum(row["soon"] for row in queues),
        "queues": queues,
        "delivered": found.share("delivered"),
        "failed": found.share("failed"),
        "people": load_by_person(scope),
        "month": month(tenant, now),
        "currency": tenant.billing_currency,
        "goal": GOAL_MINUTES,
        "meets_goal": found.replies.p50 is not None and found.replies.p50 <= GOAL_MINUTES * 60,
        "cost_legend": [_("Marketing"), _("Service"), _("Other")],
        "replies_chart": _replies_chart(found),
        "messages_chart": _messages_chart(found),
        "costs_chart": _costs_chart(found),
        "heat": drawing.heat(found.heat, _weekdays(), _("%(day)s %(hour)s · %(count)s messages")),
        "sparks": _sparks(found),
        "funnel": _funnel(found),
        "costs": _costs(found),
        "sections": [import_string(name)(scope) for name in settings.DASHBOARD_SECTIONS],
        "me": request.membership,
    }
    return render(request, "crm/dashboard.html", context)


@member_required
@require_GET
def export(request: MemberRequest) -> HttpResponse:
    """The figures behind the dashboard, a line for each day, number, kind and country."""
    scope = _scope(request)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ventana-{scope.first}-{scope.last}.csv"'
    response.write("\ufeff")  # so that spreadsheets read the accents
    writer = csv.writer(response)
    counted = ("messages", "accepted", "delivered", "read", "failed", "unknown", "amount", "unpriced")
    writer.writerow(["date", "number", "queue", "direction", "source", "category", "country", *counted, "currency"])
    keys = ("day", "number__alias", "queue__name", "direction", "source", "category", "country")
    rows = scope.hours().annotate(day=TruncDate("hour", tzinfo=scope.zone)).values(*keys)
    for row in rows.annotate(**{f"sum_{name}": Sum(name) for name in counted}).order_by(*keys):
        shown = [plain_cell(row[key]) for key in keys]
        writer.writerow([*shown, *(row[f"sum_{name}"] for name in counted), scope.tenant.billing_currency])
    return response


def _scope(request: MemberRequest) -> Scope:
    membership = request.membership
    if not membership.sees_everything:
        raise PermissionDenied
    tenant = Tenant.objects.get(pk=membership.tenant_id)
    return Scope.of(
        tenant,
        clock.now(),
        name=request.GET.get("range", ""),
        number=_id(request.GET.get("number", "")),
        queue=_id(request.GET.get("queue", "")),
    )


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _suspected(scope: Scope) -> dict[str, Any]:
    """How many have probably blocked a number, how many of them since the time began."""
    issues = DeliveryIssue.objects.filter(state__in=ACTIVE, level__in=SUSPECTED)
    if scope.number:
        issues = issues.filter(number_id=scope.number)
    if scope.queue:
        issues = issues.filter(conversation__queue_id=scope.queue)
    return issues.aggregate(
        count=Count("pk"), new=Count("pk", filter=Q(found_at__gte=scope.start)),
    )  # fmt: skip


def _labels(found: Figures) -> list[str]:
    return [str(day.day.day) for day in found.days]


def _replies_chart(found: Figures) -> drawing.Lines:
    minutes = [
        [None if seconds is None else seconds / 60 for seconds in line]
        for line in ([day.first_reply_p50 for day in found.days], [day.first_reply_p90 for day in found.days])
    ]
    return drawing.lines(minutes, _labels(found), goal=GOAL_MINUTES)


def _messages_chart(found: Figures) -> drawing.Bars:
    titles = [
        [f"{_day(day.day)} · {count} {word}" for day, count in zip(found.days, counts, strict=True)]
        for counts, word in (
            ([day.inbound for day in found.days], _("received")),
            ([day.outbound for day in found.days], _("sent")),
        )
    ]
    return drawing.bars(
        [[day.inbound for day in found.days], [day.outbound for day in found.days]], _labels(found), titles
    )


def _costs_chart(found: Figures) -> drawing.Bars:
    """Marketing, service, and all else."""
    currency = found.scope.tenant.billing_currency
    marketing, service = ([float(day.amounts.get(name, 0)) for day in found.days] for name in ("marketing", "service"))
    rest = [
        max(float(day.amount) - some - other, 0.0)
        for day, some, other in zip(found.days, marketing, service, strict=True)
    ]
    titles = [f"{_day(day.day)} · {costs.in_words(day.amount, currency)}" for day in found.days]
    return drawing.stacked([marketing, service, rest], _labels(found), titles)


def _day(day: Any) -> str:
    return date_format(day, "j b")


def _weekdays() -> list[str]:
    return [date_format(datetime(2026, 11, 23 + n), "D").lower() for n in range(7)]  # noqa: DTZ001 - a Monday and on


def _sparks(found: Figures) -> dict[str, str]:
    return {
        "p50": drawing.spark([day.first_reply_p50 or 0 for day in found.days]),
        "p90": drawing.spark([day.first_reply_p90 or 0 for day in found.days]),
        "sent": drawing.spark([day.outbound for day in found.days]),
        "cost": drawing.spark([float(day.amount) for day in found.days]),
    }


def _funnel(found: Figures) -> list[dict[str, Any]]:
    total = found.sent["messages"] or 1
    rows = (
        ("accepted", _("Accepted"), ""),
        ("delivered", _("Delivered"), "meter--ok"),
        ("read", _("Read"), ""),
        ("unknown", _("Not confirmed"), "meter--warn"),
        ("failed", _("Failed"), "meter--fail"),
    )
    return [
        {
            "status": name,
            "title": title,
            "look": look,
            "count": found.sent[name],
            "share": found.sent[name] * 100 / total,
        }
        for name, title, look in rows
    ]


def _costs(found: Figures) -> list[tuple[str, list[dict[str, Any]]]]:
    """What was spent, cut in three ways; each row with its name, count, amount and what has no known price."""
    currency, numbers = found.scope.tenant.billing_currency, dict(Number.objects.values_list("pk", "alias"))
    names = {
        _("Category"): (found.by_category, lambda of: _category(of)),
        _("Country"): (found.by_country, country_name),
        _("Number"): (found.by_number, lambda of: numbers.get(of, "–")),
    }
    return [
        (title, [row | {"name": name(row["of"]), "shown": _amount(row, currency)} for row in rows])
        for title, (rows, name) in names.items()
    ]


def _category(word: str) -> str:
    known = {
        "marketing": _("marketing"),
        "utility": _("utility"),
        "authentication": _("authentication"),
        "service": _("service"),
        "referral_conversion": _("free entry point"),
    }
    return known.get(word, word)


def _amount(row: dict[str, Any], currency: str) -> str:
    shown = costs.in_words(row["cost"], currency)
    if not row["none"]:
        return shown
    unknown = ngettext("%(count)d without a known price", "%(count)d without a known price", row["none"])
    return f"{shown} + {unknown % {'count': row['none']}}"


__all__ = ["RANGES", "export", "show"]
