"""Admin pages of what belongs to a company: seen, chosen from and saved within that company alone.

For a company's own people the database's row security does all of it, because their request runs in their tenant's
transaction. The platform's operator works in the system scope; a page of one row is therefore worked on **inside the
row's company**, so that its drop-downs, unique checks and inlines are fenced in the same way.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from tenants.context import current_tenant_id, tenant_transaction
from tenants.models import Tenant


def is_operator(request: HttpRequest) -> bool:
    """Whether this is the platform's operator: the middleware has let them in without a company."""
    return bool(request.user.is_superuser and getattr(request, "membership", None) is None)


class TenantForm(forms.ModelForm):
    """The row belongs to the present company before it is validated, so that what must be unique in it is checked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.tenant_id is None:
            self.instance.tenant_id = current_tenant_id()

    def _get_validation_exclusions(self) -> set[str]:
        return super()._get_validation_exclusions() - {"tenant"}  # type: ignore[misc]


class RowForm(TenantForm):
    """One row of a list that is edited in place: its choices are those of the row's own company, asked for once."""

    known: dict[Any, list[Any]]  # a fresh one for each request, see TenantAdmin.get_changelist_form

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if not isinstance(field, forms.ModelChoiceField):
                continue
            if isinstance(field.widget, RelatedFieldWidgetWrapper):
                field.widget = field.widget.widget  # a list has no room for “add another”
            field.queryset = field.queryset.filter(tenant_id=self.instance.tenant_id)  # type: ignore[union-attr]
            key = (name, self.instance.tenant_id)
            if key not in self.known:
                self.known[key] = list(field.choices)  # type: ignore[arg-type]
            field.widget.attrs["style"] = "min-width: 10rem"  # names are longer than the list gives them room
            field.widget.choices = self.known[key]


class SealedInput(forms.CharField):
    """A secret that can be replaced and never be read back: an empty input keeps what is stored."""

    def __init__(self, *, label: Any) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=4096,
            help_text=_("Never shown again. Leave it empty to keep what is stored."),
            widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        )

    def clean(self, value: Any) -> str:
        value = super().clean(value)
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            raise ValidationError(_("This has a space, a line break or a foreign character in it; copy it once more."))
        return value


class SealedForm(TenantForm):
    """A form with inputs named `new_<field>` for the sealed fields; only what was typed is stored."""

    def save(self, commit: bool = True) -> Any:
        for name, field in self.fields.items():
            if isinstance(field, SealedInput) and self.cleaned_data.get(name):
                setattr(self.instance, name.removeprefix("new_"), self.cleaned_data[name])
        return super().save(commit)


class CompanyFilter(admin.SimpleListFilter):
    """For the operator, whose lists hold the rows of all."""

    title = _("company")
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Tenant.objects.order_by("name").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _name in self.lookup_choices}
        return queryset.filter(tenant=self.value()) if self.value() in known else queryset


class TenantAdmin(ModelAdmin):
    """A table of the companies: every row is one company's."""

    form = TenantForm
    list_per_page = 50

    def get_list_display(self, request: HttpRequest) -> Any:
        displayed = list(super().get_list_display(request))
        return [*displayed[:1], "company", *displayed[1:]] if is_operator(request) else displayed

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = list(super().get_list_filter(request))
        return [CompanyFilter, *filters] if is_operator(request) else filters

    def get_list_select_related(self, request: HttpRequest) -> Any:
        related = list(super().get_list_select_related(request) or ())
        return ["tenant", *related] if is_operator(request) else related or False

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        form = super().get_changelist_form(request, **{"form": RowForm} | kwargs)
        return type(form.__name__, (form,), {"known": {}})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if not is_operator(request):
            return super().changeform_view(request, object_id, form_url, extra_context)
        if object_id is None and not self.has_add_permission(request):
            return super().changeform_view(request, object_id, form_url, extra_context)
        tenant = self._tenant_of_page(request, object_id)
        if tenant is None and object_id is None:
            return self._choose_company(request)
        if tenant is None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        context = {"subtitle": str(tenant)} | (extra_context or {})
        with tenant_transaction(tenant.pk, user_id=request.user.pk):
            response = super().changeform_view(request, object_id, form_url, context)
            # Drop-downs are read from the database while the page is rendered: that must happen in here.
            return response.render() if isinstance(response, TemplateResponse) else response

    @display(description=_("company"), ordering="tenant__name")
    def company(self, obj: Any) -> str:
        return str(obj.tenant or "–")

    def _tenant_of_page(self, request: HttpRequest, object_id: str | None) -> Tenant | None:
        if object_id is None:
            try:
                chosen = UUID(request.GET.get("tenant", ""))
            except ValueError:
                return None
            return Tenant.objects.filter(pk=chosen).first()
        row = self.get_object(request, unquote(object_id))
        return row.tenant if row else None

    def _choose_company(self, request: HttpRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("For which company?"),
            "companies": Tenant.objects.order_by("name"),
        }
        return TemplateResponse(request, "admin/tenants/choose_company.html", context)


class TenantInline(TabularInline):
    """Rows of the same company, edited on the page of the row they belong to."""

    form = TenantForm
    extra = 0
    hide_title = True


class ReadOnlyAdmin(TenantAdmin):
    """For looking only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
