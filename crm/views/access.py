"""Who may come in. Another company's conversation, or one the member does not see, is simply not there."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, resolve_url
from django.urls import resolve
from django.utils.cache import patch_cache_control, patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from crm.models import Conversation
from tenants.context import tenant_transaction
from tenants.requests import MemberRequest


def member_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send whoever is signed out to sign in. Answers are personal and differ for htmx, so nobody may store them."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.membership is None:
            if request.htmx:
                return HttpResponseClientRedirect(resolve_url("account_login"))
            return redirect_to_login(request.get_full_path())
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        if not response.has_header("Cache-Control"):  # a file says by itself who may keep it
            patch_cache_control(response, private=True, no_store=True)
        return response

    return guarded


def supervisor_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Supervisors and up; others get a 403."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.sees_everything:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return member_required(guarded)


def administrator_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Admins and owners; others get a 403."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.administers:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    guarded.for_administrators = True  # type: ignore[attr-defined]  # read by may_open
    return member_required(guarded)


def may_open(request: MemberRequest, url: str) -> bool:
    """Whether a page of ours answers this supervisor or administrator, and not with a 403. `url` is a path, or empty."""
    if not url:
        return False
    found = resolve(urlsplit(url).path)
    if found.namespace == "admin":
        return request.user.is_staff
    return request.membership.administers or not getattr(found.func, "for_administrators", False)


def company_transaction(request: MemberRequest) -> Any:
    """The short transaction of a view that runs outside of one, because it asks somebody outside in between."""
    return tenant_transaction(request.membership.tenant_id, user_id=request.membership.user_id)


def conversation_or_404(request: MemberRequest, conversation_id: UUID) -> Conversation:
    """The conversation with its people and places. Raises Http404 when this member may not see it."""
    visible = Conversation.objects.visible_to(request.membership).for_thread()
    return get_object_or_404(visible, pk=conversation_id)


def wants_fragment(request: MemberRequest) -> bool:
    """htmx asks for a part of the page; going back in the history asks for all of it."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def as_uuid(text: str) -> UUID | None:
    """An id that a form or an address brings; None for what is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
