"""What a role may do in the admin: read from the membership, not from a second list of groups."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from tenants.context import current_scope
from tenants.models import Membership, Role, User

# Django permissions (app.codename) that administering one's own company brings with it.
ADMINISTERS = frozenset(
    f"{app}.{verb}_{model}"
    for app, model, verbs in (
        ("tenants", "tenant", ("view", "change")),
        ("tenants", "user", ("view",)),
        ("tenants", "membership", ("view", "add", "change", "delete")),
        ("tenants", "queue", ("view", "add", "change", "delete")),
        ("tenants", "queuemember", ("view", "add", "change", "delete")),
        ("tenants", "alert", ("view", "change")),
        ("whatsapp", "number", ("view", "add", "change")),
        ("whatsapp", "endpoint", ("view", "add", "change", "delete")),
        ("whatsapp", "template", ("view",)),
        ("whatsapp", "webhookevent", ("view",)),
        ("whatsapp", "rate", ("view",)),
        ("crm", "budget", ("view", "add", "change", "delete")),
        ("crm", "marketingwords", ("view", "add", "change", "delete")),
        ("crm", "contact", ("view", "change")),
        ("crm", "conversation", ("view",)),
    )
    for verb in verbs
)


class MembershipBackend(ModelBackend):
    """Permissions by the role in the tenant of the present transaction; never authenticates anybody by itself."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **credentials: Any) -> None:
        return None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        return set(ADMINISTERS) if self._administers(user_obj) else set()

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return obj is None and perm in self.get_all_permissions(user_obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions(user_obj))

    def _administers(self, user: User) -> bool:
        scope = current_scope()
        if scope is None or scope.tenant_id is None:
            return False
        known = user.__dict__.setdefault("_administers", {})
        if scope.tenant_id not in known:
            known[scope.tenant_id] = Membership.objects.filter(
                user_id=user.pk, is_active=True, role__in=(Role.OWNER, Role.ADMIN)
            ).exists()
        return known[scope.tenant_id]
