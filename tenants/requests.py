"""What a view may rely on, for those who read types: nothing here runs."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from tenants.models import Membership, User


class MemberRequest(HttpRequest):
    """A request inside one company's transaction, as `TenantMiddleware` hands it to a view."""

    user: User  # type: ignore[assignment]
    membership: Membership
    memberships: list[Membership]
    htmx: HtmxDetails
