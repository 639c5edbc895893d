"""The same people in every test: an owner, an admin, a supervisor, and two agents of whom each has a queue."""

from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from tenants.context import tenant_transaction
from tenants.founding import ensure_triage, found, join
from tenants.models import Membership, Queue, Role, Tenant
from whatsapp.models import Number

PASSWORD = "demo-password"


@dataclass
class Company:
    tenant: Tenant
    triage: Queue
    sales: Queue
    support: Queue
    number: Number
    owner: Membership
    admin: Membership
    supervisor: Membership
    ana: Membership  # agent, in sales
    luis: Membership  # agent, in support
    things: dict[str, Any] = field(default_factory=dict)

    def transaction(self, membership: Membership | None = None):
        return tenant_transaction(self.tenant.pk, user_id=membership.user_id if membership else None)


def found_company(slug: str, *, number_id: str) -> Company:
    tenant = found(name=slug.title(), slug=slug)
    triage = ensure_triage(tenant)
    with tenant_transaction(tenant.pk):
        sales = Queue.objects.create(tenant=tenant, name="Ventas")
        support = Queue.objects.create(tenant=tenant, name="Soporte")
        number = Number.objects.create(
            tenant=tenant,
            alias=f"{slug} ventas",
            phone_number_id=number_id,
            waba_id=f"3{number_id[1:]}",
            display_number="+51 1 555 0101",
            token=f"token-of-{slug}-{number_id[-6:]}",
            queue=sales,
        )
        people = {
            name: _person(slug, name, role, queues)
            for name, role, queues in (
                ("owner", Role.OWNER, []),
                ("admin", Role.ADMIN, []),
                ("supervisor", Role.SUPERVISOR, []),
                ("ana", Role.AGENT, [sales]),
                ("luis", Role.AGENT, [support]),
            )
        }
    return Company(tenant=tenant, triage=triage, sales=sales, support=support, number=number, **people)


def _person(slug: str, name: str, role: Role, queues: list[Queue]) -> Membership:
    membership = join(email=f"{name}@{slug}.test", role=role, name=name.title(), queues=queues)
    membership.user.set_password(PASSWORD)
    membership.user.save(update_fields=["password"])
    return membership


def signed_in(membership: Membership) -> Client:
    """A browser of theirs that reads English."""
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(membership.user)
    return client
