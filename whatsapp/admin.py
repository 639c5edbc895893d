"""Numbers, webhook addresses and templates in the admin."""

import secrets
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from tenants.alerts import resolve_alert
from tenants.context import system_transaction
from tenants.models import Queue
from tenants.tenant_admin import ReadOnlyAdmin, SealedForm, SealedInput, TenantAdmin
from whatsapp import connections_upload, tasks
from whatsapp import webhooks_admin as webhooks_admin  # registers the webhook events
from whatsapp.checking import PAUSED
from whatsapp.connecting import announce, is_elsewhere, route
from whatsapp.models import Endpoint, Number, Rate, Template, TemplateStatus, TokenState


class QueueFilter(admin.SimpleListFilter):
    """By queue, and above all: by having none."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        queues = [(str(pk), name) for pk, name in Queue.objects.order_by("name").values_list("pk", "name")]
        return [("none", _("Without queue")), *queues]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Number]) -> QuerySet[Number]:
        if self.value() == "none":
            return queryset.filter(queue=None)
        chosen = self.value()
        known = {value for value, _label in self.lookup_choices}
        return queryset.filter(queue=UUID(chosen)) if chosen and chosen in known else queryset


class NumberForm(SealedForm):
    new_token = SealedInput(label=_("Access token"))
    new_verify_token = SealedInput(label=_("Verify token"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        provider, phone_number_id = data.get("provider"), data.get("phone_number_id")
        if (
            provider
            and phone_number_id
            and is_elsewhere(tenant_id=self.instance.tenant_id, provider=provider, phone_number_id=phone_number_id)
        ):
            self.add_error("phone_number_id", _("Another company has this number; ask the platform's operator."))
        return data


@admin.register(Number)
class NumberAdmin(TenantAdmin):
    form = NumberForm
    list_display = ["called", "queue", "state", "token_check", "shown_quality", "last_webhook_at", "phone_number_id"]
    list_editable = ["queue"]
    list_filter = [QueueFilter, "is_active", "token_state", "provider"]
    list_select_related = ["queue"]
    search_fields = ["alias", "display_number", "phone_number_id"]
    ordering = ["alias"]
    actions = ["check_connection", "replay_events", "resume"]
    actions_list = ["upload_connections"]
    actions_submit_line = ["save_and_check"]
    readonly_fields = [
        "token_state",
        "token_expires_at",
        "paused_reason",
        "quality",
        "messaging_limit",
        "throughput",
        "status",
        "verified_name",
        "checked_at",
        "last_webhook_at",
    ]
    fieldsets = [
        (None, {"fields": ["alias", "queue", "is_active", "paused_reason"]}),
        (
            _("At WhatsApp"),
            {
                "fields": [
                    "provider",
                    "phone_number_id",
                    "display_number",
                    "waba_id",
                    "is_coexistence",
                    "catalog_id",
                    "sends_per_second",
                ]
            },
        ),
        (_("Secrets"), {"fields": ["new_token", "new_verify_token", "endpoint"]}),
        (_("As last seen"), {"fields": [name for name in readonly_fields if name != "paused_reason"]}),
    ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "queue" and field is not None:
            field.empty_label = _("Without queue")
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.fieldsets[:3]

    def save_model(self, request: HttpRequest, obj: Number, form: Any, change: bool) -> None:
        has_new_token = bool(form.cleaned_data.get("new_token"))
        if has_new_token:
            obj.token_state = TokenState.UNKNOWN
        super().save_model(request, obj, form, change)
        if change and "queue" in form.changed_data:
            route(number=obj, queue=obj.queue)
        elif not change or "phone_number_id" in form.changed_data:
            announce(tenant_id=obj.tenant_id, number_ids=[obj.pk])
        if has_new_token or not change:
            _check_after_commit([obj])

    @admin.action(description=_("Check connection"), permissions=["change"])
    def check_connection(self, request: HttpRequest, queryset: QuerySet[Number]) -> None:
        numbers = list(queryset)
        _check_after_commit(numbers)
        said = ngettext(
            "WhatsApp is being asked about %(count)d number; reload in a moment.",
            "WhatsApp is being asked about %(count)d numbers; reload in a moment.",
            len(numbers),
        )
        self.message_user(request, said % {"count": len(numbers)})

    @action(description=_("Save and check connection"), permissions=["change"])
    def save_and_check(self, request: HttpRequest, obj: Number) -> None:
        self.check_connection(request, Number.objects.filter(pk=obj.pk))

    @admin.action(description=_("Replay webhook events"), permissions=["change"])
    def replay_events(self, request: HttpRequest, queryset: QuerySet[Number]) -> None:
        numbers = list(queryset)
        _after_commit(tasks.replay_number, numbers)
        said = ngettext(
            "The stored events of %(count)d number are being read again; what is here already does not change.",
            "The stored events of %(count)d numbers are being read again; what is here already does not change.",
            len(numbers),
        )
        self.message_user(request, said % {"count": len(numbers)})

    @admin.action(description=_("Let it send again"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Number]) -> None:
        numbers = list(queryset.exclude(paused_reason=""))
        for number in numbers:
            number.paused_reason = ""
            number.save(update_fields=["paused_reason"])
            resolve_alert(tenant_id=number.tenant_id, kind=PAUSED, subject=str(number.pk))
        said = ngettext("%(count)d number sends again.", "%(count)d numbers send again.", len(numbers))
        self.message_user(request, said % {"count": len(numbers)})

    @action(description=_("Upload connections.json"), permissions=["add"], url_path="connections", icon="upload_file")
    def upload_connections(self, request: HttpRequest) -> HttpResponse:
        return connections_upload.page(self, request)

    @display(description=_("number"), ordering="alias", header=True)
    def called(self, obj: Number) -> tuple[str, str]:
        return str(obj), obj.display_number.replace(" ", "\u00a0")

    @display(
        description=_("quality"),
        ordering="quality",
        label={"GREEN": "success", "YELLOW": "warning", "RED": "danger"},
        empty_value="–",
    )
    def shown_quality(self, obj: Number) -> tuple[str, Any] | None:
        words = {"GREEN": _("high"), "YELLOW": _("medium"), "RED": _("low")}
        return (obj.quality, words[obj.quality]) if obj.quality in words else None

    @display(description=_("state"), label={"ok": "success", "paused": "danger", "off": "default"})
    def state(self, obj: Number) -> tuple[str, Any]:
        if not obj.is_active:
            return "off", _("inactive")
        return (
            ("paused", _("paused: %(reason)s") % {"reason": obj.paused_reason})
            if obj.paused_reason
            else ("ok", _("active"))
        )

    @display(
        description=_("token"),
        ordering="token_state",
        label=dict.fromkeys(TokenState, "default")
        | {TokenState.VALID: "success", TokenState.EXPIRED: "danger", TokenState.MISSING: "warning"},
    )
    def token_check(self, obj: Number) -> tuple[str, Any]:
        return obj.token_state, obj.get_token_state_display()


def _check_after_commit(numbers: list[Number]) -> None:
    _after_commit(tasks.check_connection, numbers)


def _after_commit(task: Any, numbers: list[Number]) -> None:
    """Ring the task for each number; robust, because a bell that cannot be rung must not undo what was saved."""
    for number in numbers:
        arguments = (str(number.tenant_id), str(number.pk))
        transaction.on_commit(partial(task.delay, *arguments), robust=True)


class EndpointForm(SealedForm):
    new_app_secret = SealedInput(label=_("App secret"))
    new_verify_token = SealedInput(label=_("Verify token"))

    def clean_key(self) -> str:
        key = self.cleaned_data["key"]
        with system_transaction():
            if Endpoint.objects.filter(key=key).exclude(pk=self.instance.pk).exists():
                raise ValidationError(_("This key is taken; choose another."))
        return key


@admin.register(Endpoint)
class EndpointAdmin(TenantAdmin):
    form = EndpointForm
    list_display = ["name", "address", "provider", "is_active"]
    search_fields = ["name", "key"]
    ordering = ["name"]
    fields = ["name", "provider", "key", "address", "new_app_secret", "new_verify_token", "is_active"]
    readonly_fields = ["address"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_changeform_initial_data(request) | {"key": secrets.token_urlsafe(12)}

    @display(description=_("address for webhooks"))
    def address(self, obj: Endpoint) -> str:
        if not obj.key:
            return "–"
        kind = "twilio" if obj.provider == "twilio" else "whatsapp"
        return format_html("<code>{}/webhooks/{}/{}/</code>", settings.BASE_URL, kind, obj.key)


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    """A mirror of what Meta holds: written and approved there."""

    list_display = ["name", "language", "category", "shown_status", "waba_id", "synced_at"]
    list_filter = ["status", "category", "language"]
    search_fields = ["name"]
    ordering = ["name", "language"]
    fields = ["name", "language", "category", "status", "body", "footer", "waba_id", "synced_at", "components"]
    readonly_fields = fields

    @display(
        description=_("status"),
        ordering="status",
        label={
            TemplateStatus.APPROVED: "success",
            TemplateStatus.PENDING: "info",
            TemplateStatus.REJECTED: "danger",
            TemplateStatus.PAUSED: "warning",
            TemplateStatus.DISABLED: "danger",
        },
    )
    def shown_status(self, obj: Template) -> tuple[str, Any]:
        return obj.status, dict(TemplateStatus.choices).get(obj.status, obj.status)

    @display(description=_("text"))
    def body(self, obj: Template) -> str:
        return obj.body or "–"

    @display(description=_("footer"))
    def footer(self, obj: Template) -> str:
        return obj.footer or "–"


@admin.register(Rate)
class RateAdmin(ModelAdmin):
    """Meta's price list. The operator mends it here or loads Meta's file with `load_rates`; companies look it up."""

    list_display = ["market", "category", "currency", "amount", "valid_from", "loaded_at"]
    list_filter = ["category", "currency", "valid_from"]
    search_fields = ["market"]
    readonly_fields = ["loaded_at"]
