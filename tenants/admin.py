"""The company's own pages of the admin: who works here, in which queue, and what needs somebody."""

import zoneinfo
from typing import Any

from allauth.account.decorators import secure_admin_login
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultiple,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from tenants.founding import ensure_triage, join
from tenants.models import Alert, Membership, Queue, QueueMember, Role, Severity, Tenant, User
from tenants.tenant_admin import ReadOnlyAdmin, TenantAdmin, TenantForm, TenantInline, is_operator, with_user

# One way to sign in, with its limits and second factors.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.disable_action("delete_selected")


class CompanyForm(forms.ModelForm):
    timezone = forms.ChoiceField(label=_("time zone"), widget=UnfoldAdminSelectWidget())
    locale = forms.ChoiceField(label=_("language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "timezone" in self.fields:
            self.fields["timezone"].choices = [(name, name) for name in sorted(zoneinfo.available_timezones())]

    def clean_default_country(self) -> str:
        country = self.cleaned_data["default_country"].upper()
        if len(country) != 2 or not country.isalpha():
            raise ValidationError(_("Two letters, like PE."))
        return country


@admin.register(Tenant)
class CompanyAdmin(ModelAdmin):
    """A company's admin sees and names its own; the operator founds them. None is deleted here: too much goes with it."""

    form = CompanyForm
    fields = ["name", "slug", "timezone", "locale", "default_country"]
    list_display = ["name", "slug", "timezone", "created_at"]
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


@admin.register(User)
class PersonAdmin(ModelAdmin):
    """Logins are shared between companies, so only the operator changes them; a company sees the names of its people."""

    list_display = ["name", "email", "is_active", "last_login"]
    search_fields = ["name", "email"]
    ordering = ["name", "email"]
    readonly_fields = ["last_login", "date_joined"]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        known = ["name", "email", "locale", "is_active"]
        return [*known, "is_staff", "is_superuser", *self.readonly_fields] if is_operator(request) else known

    def get_list_filter(self, request: HttpRequest) -> list[str]:
        return ["is_active", "is_staff", "is_superuser"] if is_operator(request) else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()  # the person sets one through “forgot my password”
        super().save_model(request, obj, form, change)


def _roles_to_give(request: HttpRequest) -> list[tuple[str, Any]]:
    """Owners make owners; an admin gives every role below."""
    membership = getattr(request, "membership", None)
    is_owner = request.user.is_superuser or (membership is not None and membership.role == Role.OWNER)  # type: ignore[union-attr]
    return [(value, label) for value, label in Role.choices if is_owner or value != Role.OWNER]


class InvitationForm(TenantForm):
    email = forms.EmailField(label=_("e-mail"), widget=UnfoldAdminEmailInputWidget())
    name = forms.CharField(label=_("name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget())
    queues = forms.ModelMultipleChoiceField(
        label=_("queues"), queryset=Queue.objects.none(), required=False, widget=UnfoldAdminCheckboxSelectMultiple()
    )

    class Meta:
        model = Membership
        fields = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queues"].queryset = Queue.objects.filter(is_triage=False)

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if Membership.objects.filter(user__email=email).exists():
            raise ValidationError(_("This person belongs to the company already; change their role in the list."))
        return email

    def save(self, commit: bool = True) -> Membership:
        """The person joins; the instance becomes their membership."""
        data = self.cleaned_data
        joined = join(email=data["email"], role=Role(data["role"]), name=data["name"], queues=list(data["queues"]))
        self.instance.__dict__.update(joined.__dict__)
        return self.instance

    def save_m2m(self) -> None:
        """The queues were joined with the rest."""


class MembershipForm(TenantForm):
    class Meta:
        model = Membership
        fields = ["role", "is_active"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        stays_owner = data.get("role") == Role.OWNER and data.get("is_active")
        if self.initial.get("role") == Role.OWNER and not stays_owner:
            others = Membership.objects.filter(role=Role.OWNER, is_active=True).exclude(pk=self.instance.pk)
            if not others.exists():
                raise ValidationError(_("A company needs an owner: make somebody else one first."))
        return data


class QueueOfMember(TenantInline):
    model = QueueMember
    fields = ["queue"]
    verbose_name, verbose_name_plural = _("queue"), _("queues")


class MemberOfQueue(TenantInline):
    model = QueueMember
    fields = ["membership"]
    verbose_name, verbose_name_plural = _("member"), _("members")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "membership":
            kwargs["queryset"] = with_user(Membership.objects.filter(is_active=True))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueueMember]:
        return super().get_queryset(request).select_related("membership__user", "queue")


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    """People are invited by e-mail, and switched off rather than deleted: what they wrote keeps their name."""

    list_display = ["person", "email", "shown_role", "in_queues", "is_active"]
    list_filter = ["role", "is_active"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email"]
    ordering = ["user__name", "user__email"]
    inlines = [QueueOfMember]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).prefetch_related("queues")

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = MembershipForm if change else InvitationForm
        form = super().get_form(request, obj, change, **kwargs)
        if "role" in form.base_fields:
            form.base_fields["role"].choices = _roles_to_give(request)
        return form

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["person", "email", "role", "is_active"] if obj else ["email", "name", "role", "queues"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["person", "email"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return super().get_inlines(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:  # type: ignore[override]
        """Nobody changes their own place, and only an owner that of an owner."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:  # type: ignore[union-attr]
            return True
        return obj.user_id != request.user.pk and obj.role in dict(_roles_to_give(request))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            if obj.administers and obj.is_active:
                join(email=obj.user.email, role=Role(obj.role))  # opens the admin to them

    @display(description=_("name"), ordering="user__name")
    def person(self, obj: Membership) -> str:
        return str(obj.user)

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @display(description=_("role"), ordering="role", label={Role.OWNER: "primary", Role.ADMIN: "info"})
    def shown_role(self, obj: Membership) -> tuple[str, Any]:
        return obj.role, obj.get_role_display()

    @display(description=_("queues"))
    def in_queues(self, obj: Membership) -> str:
        return ", ".join(sorted(queue.name for queue in obj.queues.all())) or "–"


@admin.register(Queue)
class QueueAdmin(TenantAdmin):
    list_display = ["name", "kind", "member_count", "number_count"]
    search_fields = ["name"]
    ordering = ["name"]
    fields = ["name"]
    inlines = [MemberOfQueue]

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
    fields = ["title", "about", "shown_severity", "state", "facts", "raised_at", "last_seen_at", "resolved_at"]
    readonly_fields = fields
    actions = ["acknowledge"]
    actions_detail = ["acknowledge_one"]

    def has_acknowledge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tenants.change_alert")  # type: ignore[union-attr]

    @admin.action(description=_("Mark as seen"), permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        count = queryset.filter(acknowledged_at=None).update(acknowledged_at=Now(), acknowledged_by=request.user)
        said = ngettext("%(count)d alert marked as seen.", "%(count)d alerts marked as seen.", count)
        self.message_user(request, said % {"count": count})

    @action(description=_("Mark as seen"), permissions=["acknowledge"], url_path="acknowledge", icon="visibility")
    def acknowledge_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        alert = self.get_object(request, object_id)
        if alert is None:
            raise PermissionDenied
        self.acknowledge(request, Alert.objects.filter(pk=alert.pk))
        return redirect(reverse("admin:tenants_alert_changelist"))

    @display(description=_("alert"), ordering="kind")
    def title(self, obj: Alert) -> str:
        return gettext(obj.kind).replace("-", " ").capitalize()

    @display(description=_("about"))
    def about(self, obj: Alert) -> str:
        return str(obj.facts.get("number") or obj.subject)

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
