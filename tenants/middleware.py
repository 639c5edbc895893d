"""Each request is one transaction of one tenant, chosen before any view runs."""

import hashlib
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tenants import clock
from tenants.context import identity_transaction, system_transaction, tenant_transaction
from tenants.models import ApiToken, Membership, User

SESSION_KEY = "tenant_id"

# Signing in comes before a tenant; the outside world and the health checks have none.
_WITHOUT_TENANT = (
    "/accounts/",
    "/favicon.ico",
    "/static/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/clock/",
    "/flows/",
    "/i18n/",
    "/api/schema",
    "/api/docs",
)


class TenantMiddleware:
    """Open the request's transaction in the right scope; roll it back when the view fails.

    Sets `request.membership` (None while signed out). The platform's operator works on every tenant in the admin only.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.membership = None  # type: ignore[attr-defined]
        if request.path.startswith(_WITHOUT_TENANT):
            return self.get_response(request)
        if request.path.startswith("/api/"):
            membership = _membership_by_token(request) or membership_by_session(request)
            return self._in_tenant(request, membership) if membership else self.get_response(request)
        if not request.user.is_authenticated:
            return self.get_response(request)
        if request.user.is_superuser and request.path.startswith("/admin/"):
            with system_transaction():
                return _rolled_back_on_failure(request, self.get_response(request))
        membership = membership_by_session(request)
        if membership is None:
            return render(request, "tenants/no_company.html", status=403)
        if _opens_its_own(request):
            return self._as_member(request, membership)
        return self._in_tenant(request, membership)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        request.failed = True  # type: ignore[attr-defined]

    def _as_member(self, request: HttpRequest, membership: Membership) -> HttpResponse:
        """As `_in_tenant`, with no transaction open: the view opens short ones, between which it may ask somebody outside."""
        request.membership = membership  # type: ignore[attr-defined]
        request.user = membership.user
        with timezone.override(membership.tenant.timezone):
            return self.get_response(request)

    def _in_tenant(self, request: HttpRequest, membership: Membership) -> HttpResponse:
        request.membership = membership  # type: ignore[attr-defined]
        request.user = membership.user
        with (
            tenant_transaction(membership.tenant_id, user_id=membership.user_id),
            timezone.override(membership.tenant.timezone),
        ):
            return _rolled_back_on_failure(request, self.get_response(request))


def outside_transaction(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Mark a view that speaks with somebody outside: it runs with no transaction open, and opens short ones by itself."""
    view.outside_transaction = True  # type: ignore[attr-defined]
    return view


def _opens_its_own(request: HttpRequest) -> bool:
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return getattr(view, "outside_transaction", False)


class LocaleOfPerson:
    """The person's own language, else the browser's (which Django's LocaleMiddleware has found already)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        locale = getattr(request.user, "locale", "") if hasattr(request, "user") else ""
        if locale and locale in dict(settings.LANGUAGES):
            with translation.override(locale):
                request.LANGUAGE_CODE = locale  # type: ignore[attr-defined]
                return self.get_response(request)
        return self.get_response(request)


def memberships_of(user: User) -> list[Membership]:
    """The companies this person may enter, by name."""
    with identity_transaction(user_id=user.pk):
        rows = Membership.unfenced.filter(user_id=user.pk, is_active=True).select_related("tenant", "user")
        return list(rows.order_by("tenant__name"))


def hash_of_token(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def membership_by_session(request: HttpRequest) -> Membership | None:
    if not request.user.is_authenticated:
        return None
    memberships = memberships_of(request.user)
    request.memberships = memberships  # type: ignore[attr-defined]  # the switcher shows them
    chosen = request.session.get(SESSION_KEY)
    return next((m for m in memberships if str(m.tenant_id) == chosen), memberships[0] if memberships else None)


def _membership_by_token(request: HttpRequest) -> Membership | None:
    word, _space, key = request.headers.get("Authorization", "").partition(" ")
    if word.lower() not in ("token", "bearer") or not key.strip():
        return None
    token_hash = hash_of_token(key.strip())
    with identity_transaction(token_hash=token_hash):
        token = ApiToken.unfenced.filter(key_hash=token_hash).first()
    if token is None:
        return None
    with tenant_transaction(token.tenant_id):
        membership = Membership.objects.filter(pk=token.membership_id, is_active=True, user__is_active=True)
        found = membership.select_related("tenant", "user").first()
        if found and token.last_used_on != clock.now().date():
            ApiToken.objects.filter(pk=token.pk).update(last_used_on=clock.now().date())
    request.by_token = found is not None  # type: ignore[attr-defined]
    return found


def _rolled_back_on_failure(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    # A view that raised may have ended in a 404 or 403 page: what it had written goes all the same.
    if response.status_code >= 500 or getattr(request, "failed", False):
        transaction.set_rollback(True)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form from a page that was open too long: say so, and how to go on."""
    sentence = _("This page was open for too long. Reload it and try again; what you typed is kept.")
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"detail": sentence}, status=403)
    return render(request, "tenants/stale_page.html", {"sentence": sentence}, status=403)
