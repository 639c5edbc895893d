"""Flows for owners and administrators: the list with its numbers and keys, a new one, its faults, and what becomes of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Max
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import bells
from crm.flows import builtin
from crm.flows.forms import FlowFileForm, FlowForm
from crm.views.access import administrator_required
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp.capabilities import CAPABILITIES
from whatsapp.flows import keys
from whatsapp.flows.registry import GONE
from whatsapp.models import Flow, FlowKey, FlowStatus, FlowToken, FlowWish, Number

# What a person may ask of a Flow in each of its states.
_WISHES: dict[str, tuple[FlowWish, ...]] = {
    FlowStatus.DRAFT: (FlowWish.UPLOAD, FlowWish.PUBLISH, FlowWish.DELETE),
    FlowStatus.PUBLISHED: (FlowWish.DEPRECATE,),
    FlowStatus.THROTTLED: (FlowWish.DEPRECATE,),
    GONE: (FlowWish.DELETE,),
}
_AROUND = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A number with the key in use and the one that waits to be uploaded."""

    number: Number
    key: FlowKey | None
    waiting: FlowKey | None

    @property
    def is_busy(self) -> bool:
        return self.waiting is not None and not self.waiting.refusal


@administrator_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """All Flows with their use, and the key of each number."""
    numbers = [one for one in Number.objects.filter(is_active=True) if CAPABILITIES[one.provider].flows]
    lines, flows = _lines(numbers), list(Flow.objects.defer("source"))
    used = _use(flows)
    for flow in flows:
        flow.numbers = [one for one in numbers if one.waba_id == flow.waba_id]  # type: ignore[attr-defined]
        flow.use = used.get(flow.pk)  # type: ignore[attr-defined]
    context = {
        "flows": flows,
        "lines": lines,
        "is_busy": any(flow.wish for flow in flows) or any(line.is_busy for line in lines),
        "now": clock.now(),
    }
    return render(request, "crm/flows/index.html", context)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: MemberRequest) -> HttpResponse:
    """A new draft; WhatsApp is told after."""
    form = FlowForm(request.POST or None, request.FILES or None, initial={"name": builtin.PROFILE})
    if request.method != "POST":
        return render(request, "crm/flows/new.html", {"form": form})
    if not form.is_valid():
        return render(request, "crm/flows/new.html", {"form": form}, status=422)
    flow = Flow.objects.create(tenant=request.membership.tenant, **form.fields_of_flow())
    _ask(flow, FlowWish.UPLOAD)
    return redirect("flow", flow.pk)


@administrator_required
@require_GET
def show(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """One Flow: what it asks, what WhatsApp finds wrong with its file, and what can be done."""
    return _page(request, get_object_or_404(Flow, pk=flow_id), FlowFileForm())


@administrator_required
@require_POST
def replace(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Another file for a draft."""
    flow = get_object_or_404(Flow, pk=flow_id)
    form = FlowFileForm(request.POST, request.FILES)
    if flow.status != FlowStatus.DRAFT:
        form.add_error(None, _("What is published cannot be changed. Make a new Flow."))
    if not form.is_valid():
        return _page(request, flow, form, status=422)
    flow.source = form.cleaned_data["file"]
    flow.save(update_fields=["source"])
    _ask(flow, FlowWish.UPLOAD)
    return redirect("flow", flow.pk)


@administrator_required
@require_POST
def wish(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Publish, deprecate or delete it: `wish` says which."""
    flow = get_object_or_404(Flow, pk=flow_id)
    asked = request.POST.get("wish", "")
    if asked not in _WISHES.get(flow.status, ()):
        messages.warning(request, _("This is not possible any more; see what became of it."))
    else:
        _ask(flow, FlowWish(asked))
    return redirect("flows") if asked == FlowWish.DELETE else redirect("flow", flow.pk)


@administrator_required
@require_POST
def key(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """A new key for the number, handed to WhatsApp after; the one in use opens what comes for another day."""
    number = get_object_or_404(Number, pk=number_id, is_active=True)
    if CAPABILITIES[number.provider].flows:
        keys.prepare(number=number)
        bells.ring_flow_key(number.tenant_id, number.pk)
    return redirect("flows")


@administrator_required
@require_POST
def sync(request: MemberRequest) -> HttpResponse:
    """Ask WhatsApp what it has."""
    bells.ring_flows(request.membership.tenant_id)
    messages.success(request, _("WhatsApp is being asked for its Flows; reload in a moment."))
    return redirect("flows")


def _ask(flow: Flow, wanted: FlowWish) -> None:
    flow.wants(wanted)
    bells.ring_flow(flow.tenant_id, flow.pk)


def _page(request: MemberRequest, flow: Flow, form: FlowFileForm, *, status: int = 200) -> HttpResponse:
    lines = flow.source.splitlines()
    context = {
        "flow": flow,
        "form": form,
        "faults": [fault | {"lines": _excerpt(lines, fault)} for fault in flow.validation_errors],
        "numbers": Number.objects.filter(waba_id=flow.waba_id, is_active=True),
        "use": _use([flow]).get(flow.pk),
        "wishes": [] if flow.wish else [each.value for each in _WISHES.get(flow.status, ())],
        "troubles": sorted(name for name, each in flow.health.items() if each.get("alert_state") == "ACTIVATED"),
        "now": clock.now(),
    }
    return render(request, "crm/flows/show.html", context, status=status)


def _excerpt(lines: list[str], fault: dict[str, Any]) -> list[tuple[int, str, bool]]:
    """(number, text, whether it is meant) of the lines around a fault."""
    first, last = int(fault.get("line_start") or 0), int(fault.get("line_end") or 0)
    if not first:
        return []
    last = min(max(first, last), first + 4)
    around = range(max(1, first - _AROUND), min(len(lines), last + _AROUND) + 1)
    return [(at, lines[at - 1], first <= at <= last) for at in around]


def _lines(numbers: list[Number]) -> list[Line]:
    kept = FlowKey.objects.filter(number__in=numbers, replaced_at=None)
    by_number: dict[UUID, dict[bool, FlowKey]] = {}
    for one in kept:
        by_number.setdefault(one.number_id, {})[one.uploaded_at is None] = one
    found = [(number, by_number.get(number.pk, {})) for number in numbers]
    return [Line(number, mine.get(False), mine.get(True)) for number, mine in found]


def _use(flows: list[Flow]) -> dict[UUID, dict[str, Any]]:
    """By Flow: how often it was sent and filled in, and when last."""
    tokens = FlowToken.objects.filter(flow__in=flows).order_by().values("flow_id")
    rows = tokens.annotate(sent=Count("pk"), filled=Count("used_at"), last=Max("expires_at"))
    return {row["flow_id"]: row | {"last": row["last"] - FlowToken.LIFETIME} for row in rows}
