"""Who may do what with sequences: everybody starts them and does their tasks; who sees everything writes them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http.response import HttpResponseBase

from crm.views.access import member_required
from tenants.requests import MemberRequest


def writer_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Supervisors and up; others get a 403."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.sees_everything:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return member_required(guarded)
