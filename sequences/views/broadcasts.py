"""Broadcasts as people meet them: written, their list frozen and priced, started, watched, and taken away as CSV."""

import csv
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import costs
from crm.reports.naming import country_name
from crm.template_words import why_not
from crm.views.composer import can_send
from crm.views.downloads import plain_cell
from sequences import audience, broadcasting, freezing
from sequences.audience import NotAList
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from sequences.models.broadcasts import CHANGEABLE, UNDER_WAY
from sequences.views.access import writer_required
from sequences.words import fate_words, list_fault_words, pause_words
from tenants import clock
from tenants.models import Tenant
from tenants.requests import MemberRequest
from whatsapp.models import Number, TemplateStatus
from whatsapp.models import Template as StoredTemplate

PAGE = 50
LARGEST_FILE = 8 * 1024 * 1024
# What the report can be narrowed to, and how each is found.
SHOWN: dict[str, dict[str, Any]] = {
    "waiting": {"fate": Fate.WAITING},
    "delivered": {"message__status__in": ["delivered", "read", "played"]},
    "read": {"message__status__in": ["read", "played"]},
    "failed": {"message__status": "failed"},
    "unknown": {"message__status": "unknown"},
    "left": {"fate__in": [Fate.SKIPPED, Fate.REFUSED]},
}


class NewForm(forms.Form):
    """What it is called, from which number, which template, and whom it is for."""

    name = forms.CharField(max_length=120)
    number = forms.ModelChoiceField(Number.objects.none())
    template = forms.ModelChoiceField(StoredTemplate.objects.none())
    label = forms.CharField(max_length=60, required=False)
    days = forms.IntegerField(min_value=1, max_value=3650, required=False)
    file = forms.FileField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["number"].queryset = Number.objects.order_by("alias")  # type: ignore[attr-defined]
        approved = StoredTemplate.objects.filter(status=TemplateStatus.APPROVED).order_by("name", "language")
        self.fields["template"].queryset = approved  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        number, template, file = cleaned.get("number"), cleaned.get("template"), cleaned.get("file")
        if number and template and number.waba_id != template.waba_id:
            self.add_error("template", _("This template belongs to another WhatsApp account than the number."))
        elif template and not can_send(template):
            self.add_error(
                "template", _("This template needs a file or a link for each person; it cannot be broadcast.")
            )
        if file and file.size > LARGEST_FILE:
            self.add_error("file", _("The file is larger than 8 MB. Send it in parts."))
        elif file:
            try:
                cleaned["list"] = audience.read(file.read())
            except NotAList as refusal:
                self.add_error("file", list_fault_words(refusal.reason))
        return cleaned


@writer_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """Every broadcast, the newest first, with how far it is."""
    found = Broadcast.objects.shown().select_related("number").defer("rows").order_by("-created_at", "-id")
    shown = Paginator(found, PAGE).get_page(request.GET.get("page"))
    counts = broadcasting.summary(shown.object_list)
    for each in shown:
        each.counts = counts.get(each.pk)
        each.why = pause_words(each.reason)
    context = {"page": shown, "now": clock.now(), "me": request.membership}
    return render(request, "sequences/broadcasts/index.html", context)


@writer_required
@require_http_methods(["GET", "POST"])
def new(request: MemberRequest) -> HttpResponse:
    """Write one; a file is read at once, so that what is wrong with it is said here."""
    form = NewForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        template, read = given["template"], given.get("list")
        meant = {"file": given["file"].name, "columns": read.columns} if read else {"label": given["label"].strip()}
        broadcast = broadcasting.draft(
            name=given["name"],
            number=given["number"],
            template=template,
            audience=meant | ({"days": given["days"]} if given["days"] and not read else {}),
            rows=read.rows if read else [],
            by=request.membership,
            now=clock.now(),
        )
        return redirect("broadcast", broadcast.pk)
    templates = [each for each in form.fields["template"].queryset if can_send(each)]  # type: ignore[attr-defined]
    context = {"form": form, "templates": templates, "me": request.membership}
    return render(request, "sequences/broadcasts/new.html", context, status=422 if form.errors else 200)


@writer_required
@require_GET
def show(request: MemberRequest, broadcast_id: UUID) -> HttpResponse:
    """One broadcast: its words and its list before it starts, its report afterwards. `?show=` narrows the list."""
    broadcast = _broadcast(broadcast_id)
    counts = broadcasting.summary([broadcast]).get(broadcast.pk, {})
    template = StoredTemplate.objects.filter(
        waba_id=broadcast.number.waba_id, name=broadcast.template_name, language=broadcast.template_language
    ).first()
    kind = request.GET.get("show", "")
    found = _recipients(broadcast, kind)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    for each in page:
        each.words = fate_words(each)  # type: ignore[attr-defined]
    total = sum((Decimal(row["amount"]) for row in broadcast.forecast), Decimal(0))
    context = {
        "broadcast": broadcast,
        "template": template,
        "stopped": why_not(template) if template and broadcast.state in (*CHANGEABLE, *UNDER_WAY) else "",
        "preview": template.filled(broadcast.variables) if template else "",
        "variables": list(broadcast.variables.items()),
        "columns": broadcast.audience.get("columns", []),
        "counts": counts,
        "frozen": _frozen(broadcast),
        "takes": counts.get("waiting", 0) * 60 / broadcast.per_minute,
        "is_changeable": broadcast.state in CHANGEABLE,
        "why": pause_words(broadcast.reason),
        "forecast": [
            row | {"name": country_name(row["country"]), "shown": costs.in_words(Decimal(row["amount"]), broadcast.currency)}
            for row in broadcast.forecast
        ],
        "total": costs.in_words(total, broadcast.currency),
        "unknown": sum(row["unknown"] for row in broadcast.forecast),
        "cost": costs.in_words(Decimal(counts["cost"]), broadcast.currency) if counts else "",
        "funnel": _funnel(counts),
        "page": page,
        "show": kind if kind in SHOWN else "",
        "tabs": [("", _("All")), ("waiting", _("Waiting")), ("delivered", _("Delivered")), ("read", _("Read")),
                 ("failed", _("Failed")), ("unknown", _("Not confirmed")), ("left", _("Left out"))],
        "now": clock.now(),
        "me": request.membership,
    }  # fmt: skip
    return render(request, "sequences/broadcasts/show.html", context)


@writer_required
@require_POST
def save(request: MemberRequest, broadcast_id: UUID) -> HttpResponse:
    """Keep what the variables become, the pace and the limit; then the list is frozen in the background."""
    broadcast = _broadcast(broadcast_id)
    if broadcast.state not in CHANGEABLE:
        messages.warning(request, _("It has begun; its words cannot be changed any more."))
        return redirect("broadcast", broadcast.pk)
    given = {name: request.POST.get(f"var_{name}", "").strip()[:1024] for name in broadcast.variables}
    empty = [name for name, text in given.items() if not text]
    per_minute, limit = (
        _whole(request.POST.get("per_minute"), 1, 4800),
        _whole(request.POST.get("failure_limit"), 1, 100),
    )
    if empty:
        messages.error(request, _("Say what {{%(name)s}} becomes.") % {"name": empty[0]})
    elif per_minute is None:
        messages.error(request, _("The pace is 1 to 4,800 messages a minute."))
    elif limit is None:
        messages.error(request, _("The limit of failures is 1 to 100 percent."))
    else:
        broadcast.variables, broadcast.per_minute, broadcast.failure_limit = given, per_minute, limit
        broadcast.save(update_fields=["variables", "per_minute", "failure_limit"])
        freezing.prepare(broadcast)
    return redirect("broadcast", broadcast.pk)


@writer_required
@require_POST
def act(request: MemberRequest, broadcast_id: UUID) -> HttpResponse:
    """Start (now, or at `at` in the company's zone), pause, resume, cancel, or throw a draft away."""
    broadcast, now, order = _broadcast(broadcast_id), clock.now(), request.POST.get("do", "")
    if order == "delete" and freezing.discard(broadcast):
        return redirect("broadcasts")
    if order == "schedule":
        at = _moment(request.POST.get("at", ""), request.membership.tenant_id)
        if at is None or at <= now:
            messages.error(request, _("Choose a moment that is still to come."))
            return redirect("broadcast", broadcast.pk)
        done = broadcasting.start(broadcast, now=now, at=at)
    else:
        done = {
            "start": lambda: broadcasting.start(broadcast, now=now),
            "pause": lambda: broadcasting.pause(broadcast),
            "resume": lambda: broadcasting.resume(broadcast, now=now),
            "cancel": lambda: broadcasting.cancel(broadcast, now=now),
        }.get(order, lambda: False)()
    if not done:
        messages.warning(request, _("It had changed meanwhile; look again."))
    return redirect("broadcast", broadcast.pk)


@writer_required
@require_GET
def export(request: MemberRequest, broadcast_id: UUID) -> HttpResponse:
    """Every line of the list with what became of it."""
    broadcast = _broadcast(broadcast_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(broadcast.name) or "broadcast"}.csv"'
    response.write("\ufeff")  # so that spreadsheets read the accents
    writer = csv.writer(response)
    writer.writerow(["position", "line", "phone", "name", "fate", "status", "why", "sent_at", "delivered_at", "read_at",
                     "error_code", "cost", "currency"])  # fmt: skip
    for one in _recipients(broadcast, "").iterator(chunk_size=2000):
        message, contact = one.message, one.conversation.contact if one.conversation else None
        writer.writerow([plain_cell(cell) for cell in (
            one.position + 1, one.line, contact.phone if contact else one.address, contact.shown_name if contact else "",
            one.fate, message.status if message else "", fate_words(one),
            *((message.accepted_at, message.delivered_at, message.read_at, message.error_code, message.cost_amount,
               message.cost_currency) if message else ()),
        )])  # fmt: skip
    return response


def _broadcast(broadcast_id: UUID) -> Broadcast:
    found = Broadcast.objects.shown().select_related("number", "created_by__user").defer("rows", "number__token")
    return get_object_or_404(found, pk=broadcast_id)


def _recipients(broadcast: Broadcast, kind: str) -> QuerySet[Recipient]:
    found = Recipient.objects.filter(broadcast=broadcast, **SHOWN.get(kind, {})).order_by("position")
    related = found.select_related("conversation__contact", "message")
    return related.defer("values", "message__text", "message__payload")


def _frozen(broadcast: Broadcast) -> dict[str, int] | None:
    """How much of the list is frozen, of about how much, while it is."""
    to = broadcast.frozen_to if broadcast.state == BroadcastState.PREPARING else None
    return {"lines": to["lines"], "of": max(to["of"], to["lines"])} if to else None


def _funnel(counts: dict[str, Any]) -> list[dict[str, Any]]:
    total = counts.get("sent") or 1
    rows = (
        ("accepted", _("Accepted"), ""), ("delivered", _("Delivered"), "meter--ok"), ("read", _("Read"), ""),
        ("replied", _("Replied"), "meter--ok"), ("unknown", _("Not confirmed"), "meter--warn"),
        ("failed", _("Failed"), "meter--fail"),
    )  # fmt: skip
    return [
        {"title": title, "look": look, "count": counts.get(name, 0), "share": counts.get(name, 0) * 100 / total}
        for name, title, look in rows
    ]


def _whole(text: str | None, least: int, most: int) -> int | None:
    """The number that was typed, None where it is not one between the two."""
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and least <= int(digits[:9]) <= most else None


def _moment(text: str, tenant_id: UUID) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    if at is None:
        return None
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=tenant_id))
    return at if at.tzinfo else at.replace(tzinfo=zone)
