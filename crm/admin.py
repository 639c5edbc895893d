"""People who write to us and their conversations in the admin: for looking; the talking is done in the inbox."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from crm import contacts
from crm.models import Budget, Contact, Conversation, ConversationStatus, Identity, MarketingWords
from tenants import clock
from tenants.tenant_admin import ReadOnlyAdmin, TenantAdmin, TenantInline, is_operator


class IdentityOfContact(TenantInline):
    model = Identity
    fields = ["kind", "value", "address", "created_at"]
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("crm.view_contact")  # type: ignore[union-attr]


class LargeTable:
    """Too many rows to count for a page number."""

    paginator = InfinitePaginator
    show_full_result_count = False


@admin.register(Contact)
class ContactAdmin(LargeTable, TenantAdmin):
    list_display = ["shown_name", "shown_phone", "shown_labels", "takes_marketing", "since"]
    list_filter = ["marketing_stopped"]
    search_fields = ["pk"]  # a search box; what it finds is get_search_results'
    search_help_text = _("Name, username or digits of the phone number")
    ordering = ["-created_at", "id"]
    fields = [
        "name",
        "profile_name",
        "username",
        "shown_phone",
        "labels",
        "timezone",
        "marketing_stopped",
        "since",
    ]
    readonly_fields = ["profile_name", "username", "shown_phone", "since"]
    inlines = [IdentityOfContact]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str) -> Any:
        return queryset.matching(search_term), False  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        contacts.tell_changed([obj], now=clock.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description=_("name"))
    def shown_name(self, obj: Contact) -> str:
        return obj.shown_name

    @display(description=_("phone"), ordering="phone")
    def shown_phone(self, obj: Contact) -> str:
        return obj.shown_phone or "–"

    @display(description=_("takes marketing"), ordering="marketing_stopped", boolean=True)
    def takes_marketing(self, obj: Contact) -> bool:
        return not obj.marketing_stopped

    @display(description=_("since"), ordering="created_at")
    def since(self, obj: Contact) -> datetime:
        return obj.created_at

    @display(description=_("labels"))
    def shown_labels(self, obj: Contact) -> str:
        return ", ".join(obj.labels) or "–"


@admin.register(Conversation)
class ConversationAdmin(LargeTable, ReadOnlyAdmin):
    list_display = ["contact", "number", "queue", "assignee", "shown_status", "unread_count", "last_message_at"]
    list_filter = ["status", "queue", "number"]
    list_select_related = ["contact", "number", "queue", "assignee__user"]
    search_fields = ["pk"]  # the same
    ordering = ["-last_message_at", "-id"]
    fields = [
        "contact",
        "number",
        "queue",
        "assignee",
        "status",
        "snoozed_until",
        "unread_count",
        "last_message_at",
        "last_inbound_at",
        "waiting_since",
        "window_expires_at",
        "created_at",
    ]
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        if search_term.strip():
            queryset = queryset.filter(contact__in=Contact.objects.matching(search_term))
        return queryset, False

    @display(
        description=_("status"),
        ordering="status",
        label={
            ConversationStatus.OPEN: "success",
            ConversationStatus.PENDING: "warning",
            ConversationStatus.SNOOZED: "info",
            ConversationStatus.CLOSED: "default",
        },
    )
    def shown_status(self, obj: Conversation) -> tuple[str, Any]:
        return obj.status, obj.get_status_display()


@admin.register(MarketingWords)
class MarketingWordsAdmin(TenantAdmin):
    """One list of words a company."""

    list_display = ["stop", "resume"]
    fields = ["stop", "resume"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        if not super().has_add_permission(request):
            return False
        return is_operator(request) or not MarketingWords.objects.exists()


@admin.register(Budget)
class BudgetAdmin(TenantAdmin):
    """One limit a company and calendar month."""

    list_display = ["monthly_limit", "warning_percent", "stops_automatic"]
    fields = ["monthly_limit", "warning_percent", "stops_automatic"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        if not super().has_add_permission(request):
            return False
        return is_operator(request) or not Budget.objects.exists()
