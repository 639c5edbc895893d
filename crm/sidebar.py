"""The frame of the admin: its sidebar, and what its first page shows. Settings name both by string."""

from contextlib import nullcontext
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants.context import system_transaction
from tenants.models import Alert, Queue
from tenants.tenant_admin import is_operator
from whatsapp.models import EventState, Number, WebhookEvent

_OURS = ("tenants", "whatsapp", "crm")


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, by what people come for; other apps' pages follow by themselves."""
    counts = _counts(request)
    return [
        {"items": [{"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}]},
        {
            "title": _("WhatsApp"),
            "items": [
                _item(request, "whatsapp.number", _("Numbers"), "sim_card", badge=counts["numbers"]),
                _item(request, "whatsapp.template", _("Templates"), "article"),
                _item(request, "whatsapp.endpoint", _("Webhook addresses"), "webhook"),
                _item(request, "whatsapp.webhookevent", _("Webhook events"), "move_to_inbox", badge=counts["events"]),
            ],
        },
        {
            "title": _("Team"),
            "items": [
                _item(request, "tenants.queue", _("Queues"), "stacks"),
                _item(request, "tenants.membership", _("People"), "group"),
                _item(request, "tenants.user", _("Logins"), "key", shown=is_operator(request)),
                _item(request, "tenants.tenant", _("Companies") if is_operator(request) else _("Company"), "apartment"),
                _item(request, "tenants.alert", _("Alerts"), "notifications", badge=counts["alerts"]),
            ],
        },
        {
            "title": _("Customers"),
            "items": [
                _item(request, "crm.contact", _("Contacts"), "contacts"),
                _item(request, "crm.conversation", _("Conversations"), "forum"),
                _item(request, "crm.marketingwords", _("Words about marketing"), "do_not_disturb_on"),
            ],
        },
        {
            "title": _("Money"),
            "items": [
                _item(request, "crm.budget", _("Budget"), "savings"),
                _item(request, "whatsapp.rate", _("Rates"), "price_check"),
            ],
        },
        *_of_other_apps(request),
    ]


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first page shows: what needs somebody, with the way there."""
    counts = _counts(request)
    events, numbers = reverse("admin:whatsapp_webhookevent_changelist"), reverse("admin:whatsapp_number_changelist")
    cards = [
        (_("Open alerts"), counts["alerts"], reverse("admin:tenants_alert_changelist") + "?state=open"),
        (_("Numbers without queue"), counts["numbers"], f"{numbers}?queue=none"),
        (_("Numbers that cannot send"), counts["paused"], numbers),
        (_("Webhook events without a number"), counts["unrouted"], f"{events}?state__exact={EventState.UNROUTED}"),
        (_("Webhook events given up"), counts["dead"], f"{events}?state__exact={EventState.DEAD}"),
        (_("Queues"), Queue.objects.count(), reverse("admin:tenants_queue_changelist")),
    ]
    newest = Alert.objects.filter(resolved_at=None, acknowledged_at=None).order_by("-raised_at")[:8]
    alerts = admin.site._registry[Alert]
    context["cards"] = [{"title": title, "count": count, "link": link} for title, count, link in cards]
    context["alerts"] = [
        {"title": alerts.title(alert), "about": alerts.about(alert), "alert": alert}  # type: ignore[attr-defined]
        for alert in newest
    ]
    return context


def _counts(request: HttpRequest) -> dict[str, int]:
    """Once a request: the sidebar and the first page show the same figures."""
    if hasattr(request, "_admin_counts"):
        return request._admin_counts  # type: ignore[attr-defined]
    # The page of one row works inside the row's company; the operator's figures are those of all.
    with system_transaction() if is_operator(request) else nullcontext():
        stuck = WebhookEvent.objects.filter(state__in=(EventState.UNROUTED, EventState.DEAD))
        dead = stuck.filter(state=EventState.DEAD).count()
        unrouted = stuck.filter(state=EventState.UNROUTED).count()
        active = Number.objects.filter(is_active=True)
        request._admin_counts = {  # type: ignore[attr-defined]
            "alerts": Alert.objects.filter(resolved_at=None, acknowledged_at=None).count(),
            "numbers": active.filter(queue=None).count(),
            "paused": active.exclude(paused_reason="").count(),
            "dead": dead,
            "unrouted": unrouted,
            "events": dead + unrouted,
        }
        return request._admin_counts  # type: ignore[attr-defined]


def _item(
    request: HttpRequest, model: str, title: str, icon: str, *, badge: int = 0, shown: bool = True
) -> dict[str, Any]:
    app, _dot, name = model.partition(".")
    may_see = shown and request.user.has_perm(f"{app}.view_{name}")  # type: ignore[union-attr]
    item = {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: may_see,
    }
    return item | ({"badge": str(badge), "badge_variant": "warning"} if badge else {})


def _of_other_apps(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "title": app["name"],
            "items": [
                {"title": model["name"], "icon": "list", "link": model["admin_url"]}
                for model in app["models"]
                if model["admin_url"]
            ],
        }
        for app in admin.site.get_app_list(request)
        if app["app_label"] not in _OURS
    ]
