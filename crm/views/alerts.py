"""What needs somebody, in one place: how bad it is, what solves it and where, and who knows of it."""

from dataclasses import replace
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, F, IntegerField, Q, Value, When
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm.views.access import may_open, supervisor_required, wants_fragment
from tenants import clock
from tenants.alerts import Words, acknowledge, reopen, words_of
from tenants.models import Alert, Severity
from tenants.requests import MemberRequest

PAGE = 30
_SHOWN = {
    "": Q(resolved_at=None, acknowledged_at=None),
    "seen": Q(resolved_at=None, acknowledged_at__isnull=False),
    "over": Q(resolved_at__isnull=False),
}
_WEIGHT = Case(
    When(severity=Severity.CRITICAL, then=Value(0)),
    When(severity=Severity.WARNING, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


@supervisor_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """The open ones, the worst first; `?show=seen` those that somebody knows of, `?show=over` what is solved."""
    show = request.GET.get("show", "") if request.GET.get("show") in _SHOWN else ""
    order = [F("resolved_at").desc(), "-pk"] if show == "over" else [_WEIGHT, "-raised_at", "-pk"]
    found = Alert.objects.filter(_SHOWN[show]).select_related("acknowledged_by").order_by(*order)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "alerts": [(alert, _words(request, alert)) for alert in page],
        "show": show,
        "tabs": [("", _("Open")), ("seen", _("Seen")), ("over", _("Solved"))],
        "now": clock.now(),
    }
    return render(request, "crm/alerts/index.html", context)


@supervisor_required
@require_POST
def decide(request: MemberRequest, alert_id: UUID) -> HttpResponse:
    """`do=seen`: somebody knows of it. `do=reopen`: it waits for somebody again. It is solved by itself."""
    alert = get_object_or_404(Alert.objects.all(), pk=alert_id)
    is_back = request.POST.get("do") == "reopen"
    done = reopen(alert) if is_back else acknowledge(alert, by=request.user, now=clock.now())
    alert.refresh_from_db()
    if wants_fragment(request):
        context = {"alert": alert, "words": _words(request, alert), "now": clock.now()}
        return render(request, "crm/alerts/_alert.html", context)
    if not done:
        messages.warning(request, _("Somebody was faster; it is done."))
    return redirect("alerts")


def _words(request: MemberRequest, alert: Alert) -> Words:
    """Its words, without the way to a page that this person may not open."""
    words = words_of(alert)
    return words if may_open(request, words.url) else replace(words, url="")
