"""Who works here, in the admin: people are invited by e-mail, given a role and queues, and switched off."""

from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
)

from tenants.context import system_transaction
from tenants.founding import join
from tenants.models import Membership, Queue, QueueMember, Role, User
from tenants.tenant_admin import TenantAdmin, TenantForm, TenantInline, is_operator


@admin.register(User)
class PersonAdmin(ModelAdmin):
    """Logins are shared between companies, so only the operator changes them; a company sees the names of its people."""

    list_display = ["name", "email", "is_active", "last_login"]
    search_fields = ["name", "email"]
    ordering = ["name", "email"]
    readonly_fields = ["last_login", "date_joined"]
    actions = ["remove_second_factors"]

    @admin.action(description=_("Remove second factors"), permissions=["change"])
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For who has lost the telephone. Whose they were is written down."""
        for user in queryset.filter(authenticator__isnull=False).distinct():
            Authenticator.objects.filter(user=user).delete()
            self.log_change(request, user, "Second factors removed.")
        self.message_user(request, _("Done: they sign in with their password, and should add a second factor again."))

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
    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget())
    name = forms.CharField(label=_("Name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget())
    queues = forms.ModelMultipleChoiceField(
        label=_("Queues"),
        queryset=Queue.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = Membership
        fields = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queues"].queryset = Queue.objects.filter(is_triage=False)  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if Membership.objects.filter(user__email=email).exists():
            raise ValidationError(_("This person belongs to the company already; change their role in the list."))
        return email

    def save(self, commit: bool = True) -> Membership:
        """The person joins; the instance becomes their membership."""
        data = self.cleaned_data
        joined = join(email=data["email"], role=Role(data["role"]), name=data["name"], queues=list(data["queues"]))
        self.instance = joined
        return joined

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
            _open_admin_to(obj.user)

    @display(description=_("name"), ordering="user__name")
    def person(self, obj: Membership) -> str:
        return str(obj.user)

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @display(
        description=_("role"),
        ordering="role",
        label=dict.fromkeys(Role, "default") | {Role.OWNER: "primary", Role.ADMIN: "info"},
    )
    def shown_role(self, obj: Membership) -> tuple[str, Any]:
        return obj.role, obj.get_role_display()

    @display(description=_("queues"))
    def in_queues(self, obj: Membership) -> str:
        return ", ".join(sorted(queue.name for queue in obj.queues.all())) or "–"


def _open_admin_to(user: User) -> None:
    """Whoever administers a company, and nobody else but operators, may enter the admin."""
    with system_transaction():
        administers = Membership.objects.filter(user=user, is_active=True, role__in=(Role.OWNER, Role.ADMIN))
        User.objects.filter(pk=user.pk, is_superuser=False).update(is_staff=administers.exists())
