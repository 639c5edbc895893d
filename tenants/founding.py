"""How a company and its people come into being."""

from django.utils import translation
from django.utils.translation import gettext as _

from tenants.context import current_tenant_id, system_transaction, tenant_transaction
from tenants.models import Membership, Queue, QueueMember, Role, Tenant, User


def found(
    *, name: str, slug: str, timezone: str = "America/Lima", locale: str = "es", default_country: str = "PE"
) -> Tenant:
    """Create a company with its triage queue; a company that is already there under this short name is returned as it is."""
    with system_transaction():
        tenant, created = Tenant.objects.get_or_create(
            slug=slug,
            defaults={"name": name, "timezone": timezone, "locale": locale, "default_country": default_country},
        )
    if created:
        ensure_triage(tenant)
    return tenant


def ensure_triage(tenant: Tenant) -> Queue:
    """The tenant's one triage queue: where everything without another place is seen."""
    with tenant_transaction(tenant.pk), translation.override(tenant.locale):
        queue, _created = Queue.objects.get_or_create(tenant=tenant, is_triage=True, defaults={"name": _("Triage")})
    return queue


def join(*, email: str, role: Role, name: str = "", queues: list[Queue] | None = None) -> Membership:
    """Make a person a member of the present tenant, creating their login if they have none.

    A new login has no password: the person sets one through “forgot my password”. Logins are shared between companies
    and hidden from each other, so the look-up alone happens in the system scope.
    """
    tenant_id = current_tenant_id()
    with system_transaction():
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            user = User.objects.create_user(email, None, name=name)
        if role in (Role.OWNER, Role.ADMIN) and not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
        membership, _created = Membership.objects.update_or_create(
            tenant_id=tenant_id, user=user, defaults={"role": role, "is_active": True}
        )
        for queue in queues or []:
            QueueMember.objects.get_or_create(tenant_id=tenant_id, queue=queue, membership=membership)
    return membership
