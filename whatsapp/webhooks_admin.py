"""Webhook events in the admin: what could not be merged, why, and once more. What they say is the operator's to read."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextInputWidget

from tenants.tenant_admin import ReadOnlyAdmin, is_operator
from whatsapp.models import EventState, WebhookEvent
from whatsapp.replaying import requeue


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why do you need to read it?"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Kept with your name: it holds what a customer wrote."),
    )


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "shown_state", "received_at", "attempts", "reason", "unknown_numbers"]
    list_filter = ["state", "provider"]
    search_fields = ["=id", "reason"]
    ordering = ["-id"]
    # A month of webhooks is too many to count for a page number.
    paginator = InfinitePaginator
    show_full_result_count = False
    fields = [
        "id",
        "state",
        "reason",
        "unknown_numbers",
        "provider",
        "endpoint_key",
        "received_at",
        "attempts",
        "next_attempt_at",
        "processed_at",
    ]
    readonly_fields = fields
    actions = ["replay"]
    actions_detail = ["show_body"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        return super().get_queryset(request).defer("body")

    def has_body_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return is_operator(request)

    @admin.action(description=gettext_lazy("Replay"), permissions=["view"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        count = requeue(WebhookEvent.objects.filter(pk__in=queryset.values("pk")))
        said = ngettext(
            "%(count)d event waits to be read again; what is here already does not change.",
            "%(count)d events wait to be read again; what is here already does not change.",
            count,
        )
        self.message_user(request, said % {"count": count})

    @action(description=gettext_lazy("Show body"), permissions=["body"], url_path="body", icon="visibility")
    def show_body(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, write down who looked at what and why, and only then unseal it."""
        event = self.get_object(request, object_id)
        if event is None:
            raise Http404
        form = ReasonForm(request.POST or None)
        body = None
        if request.method == "POST" and form.is_valid():
            self.log_change(request, event, f"Body shown. Reason: {form.cleaned_data['reason']}")
            body = _readable(event.body)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Body of webhook event %(id)d") % {"id": event.pk},
            "form": form,
            "body": body,
        }
        return render(request, "admin/whatsapp/webhook_body.html", context)

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={
            EventState.NEW: "info",
            EventState.DONE: "success",
            EventState.UNROUTED: "warning",
            EventState.DEAD: "danger",
        },
    )
    def shown_state(self, obj: WebhookEvent) -> tuple[str, Any]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("ids without a number"))
    def unknown_numbers(self, obj: WebhookEvent) -> str:
        return ", ".join(obj.unrouted_number_ids) or "–"


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")
