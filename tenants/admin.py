"""The company itself in the admin: its name and clock, its queues, and what needs somebody."""

import zoneinfo
from importlib import import_module
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from tenants import people_admin  # noqa: F401  (registers people and memberships)
from tenants.alerts import words_of
from tenants.founding import ensure_triage
from tenants.models import Alert, Membership, Queue, QueueMember, Severity, Tenant
from tenants.tenant_admin import ReadOnlyAdmin, TenantAdmin, TenantInline, is_operator

# One way to sign in, with its limits and second factors.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.disable_action("delete_selected")
admin.site.index_title = _("Overview")  # type: ignore[assignment]
# Roles replace groups, and nobody looks at the secrets of a second factor. Imported here, they do not register later.
for _module in ("django.contrib.auth.admin", "allauth.account.admin", "allauth.mfa.admin"):
    import_module(_module)
admin.site.unregister([Group, EmailAddress, Authenticator])


class CompanyForm(forms.ModelForm):
    timezone = forms.ChoiceField(label=_("Time zone"), widget=UnfoldAdminSelectWidget())
    locale = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "timezone" in self.fields:
            self.fields["timezone"].choices = [(name, name) for name in sorted(zoneinfo.available_timezones())]  # type: ignore[attr-defined]

    def clean_billing_currency(self) -> str:
        currency = self.cleaned_data["billing_currency"].upper()
        if len(currency) != 3 or not currency.isalpha():
            raise ValidationError(_("Three letters, like USD."))
        return currency

    def clean_default_country(self) -> str:
        country = self.cleaned_data["default_country"].upper()
        if len(country) != 2 or not country.isalpha():
            raise ValidationError(_("Two letters, like PE."))
        return country


@admin.register(Tenant)
class CompanyAdmin(ModelAdmin):
    """A company's admin sees and names its own; the operator founds them. None is deleted here: too much goes with it."""

    form = CompanyForm
    fields = ["name", "slug", "timezone", "locale", "default_country", "billing_currency"]
    list_display = ["name", "slug", "timezone", "default_country"]
    search_fields = ["name", "slug"]
    ordering = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [] if is_operator(request) else ["slug"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            ensure_triage(obj)


class MemberOfQueue(TenantInline):
    model = QueueMember
    fields = ["membership", "takes_turns"]
    verbose_name, verbose_name_plural = _("member"), _("members")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "membership":
            active = Membership.objects.filter(is_active=True)
            kwargs["queryset"] = active.select_related("user").order_by("user__name", "user__email")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueueMember]:
        return super().get_queryset(request).select_related("membership__user", "queue")


@admin.register(Queue)
class QueueAdmin(TenantAdmin):
    """Hours are written on the page of numbers and queues, where they are seen beside who waits."""

    list_display = ["name", "kind", "distribution", "member_count", "number_count"]
    search_fields = ["name"]
    ordering = ["name"]
    inlines = [MemberOfQueue]

    def get_fields(self, request: HttpRequest, obj: Queue | None = None) -> list[str]:  # type: ignore[override]
        return ["name"] if obj and obj.is_triage else ["name", "distribution", "most_each"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        rows = super().get_queryset(request)
        members = Count("queue_members", filter=Q(queue_members__membership__is_active=True), distinct=True)
        return rows.annotate(members_now=members, numbers_now=Count("numbers", distinct=True))

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:  # type: ignore[override]
        return super().has_delete_permission(request, obj) and not (obj and obj.is_triage)

    @display(description=_("kind"), label={True: "warning", False: "info"})
    def kind(self, obj: Queue) -> tuple[bool, Any]:
        return obj.is_triage, _("triage") if obj.is_triage else _("queue")

    @display(description=_("members"), ordering="members_now")
    def member_count(self, obj: Any) -> int:
        return obj.members_now

    @display(description=_("numbers"), ordering="numbers_now")
    def number_count(self, obj: Any) -> int:
        return obj.numbers_now


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("open")), ("acknowledged", _("seen")), ("resolved", _("resolved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        chosen = {
            "open": Q(resolved_at=None, acknowledged_at=None),
            "acknowledged": Q(resolved_at=None, acknowledged_at__isnull=False),
            "resolved": Q(resolved_at__isnull=False),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What needs a person. It is resolved by itself when its cause is gone; “seen” only says that somebody knows."""

    list_display = ["title", "about", "shown_severity", "state", "raised_at", "last_seen_at"]
    list_filter = [StateFilter, "severity"]
    search_fields = ["kind", "subject"]
    ordering = ["-raised_at"]
    fields = ["title", "about", "advice", "severity", "state", "facts", "raised_at", "last_seen_at", "resolved_at"]
    readonly_fields = fields
    actions = ["acknowledge"]

    def has_acknowledge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tenants.change_alert")  # type: ignore[union-attr]

    @admin.action(description=_("Mark as seen"), permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        count = queryset.filter(acknowledged_at=None).update(acknowledged_at=Now(), acknowledged_by=request.user)
        said = ngettext("%(count)d alert marked as seen.", "%(count)d alerts marked as seen.", count)
        self.message_user(request, said % {"count": count})

    @display(description=_("alert"), ordering="kind")
    def title(self, obj: Alert) -> str:
        return words_of(obj).title

    @display(description=_("about"))
    def about(self, obj: Alert) -> str:
        return words_of(obj).about

    @display(description=_("what to do"))
    def advice(self, obj: Alert) -> str:
        return words_of(obj).advice or "–"

    @display(
        description=_("severity"),
        ordering="severity",
        label={Severity.CRITICAL: "danger", Severity.WARNING: "warning", Severity.INFO: "info"},
    )
    def shown_severity(self, obj: Alert) -> tuple[str, Any]:
        return obj.severity, obj.get_severity_display()

    @display(description=_("state"))
    def state(self, obj: Alert) -> Any:
        if obj.resolved_at:
            return _("resolved")
        return _("seen") if obj.acknowledged_at else _("open")
