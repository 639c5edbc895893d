"""Who calls: the membership that the middleware found, by token or by session. A token is bound to one company."""

from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.models import Membership


class MembershipAuthentication(BaseAuthentication):
    """`Authorization: Token …`, else the browser's session (which then needs the CSRF token)."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        membership = getattr(request._request, "membership", None)
        if membership is None:
            return None
        if not getattr(request._request, "by_token", False):
            SessionAuthentication().enforce_csrf(request)
        return membership.user, membership

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def caller(request: Request) -> Membership:
    """Who asks, and in which company."""
    return cast(Membership, request.auth)


def administrator(request: Request) -> Membership:
    """Who asks, where that is an owner or an admin. Raises PermissionDenied: 403."""
    member = caller(request)
    if not member.administers:
        raise PermissionDenied(_("Owners and admins alone may do this."))
    return member


class IsMember(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth is not None
