"""A queue that shares out what waits in it, and who got what."""

from datetime import timedelta

from crm.models import Conversation
from tenants.founding import join
from tenants.models import Distribution, Membership, Queue, Role
from tests.cast import Company
from tests.crm.views.talk import NOON, conversation


def arrange(company: Company, *, people: int = 2, **values: object) -> list[Membership]:
    """Let sales share out its conversations; Ana and so many more answer there."""
    with company.transaction():
        Queue.objects.filter(pk=company.sales.pk).update(**{"distribution": Distribution.BY_TURNS} | values)
        extra = [
            join(email=f"p{n}@{company.tenant.slug}.test", role=Role.AGENT, name=f"P{n}", queues=[company.sales])
            for n in range(1, people)
        ]
    return [company.ana, *extra]


def waiting(company: Company, count: int = 1, **fields: object) -> list[Conversation]:
    with company.transaction():
        return [
            conversation(company, f"C{n}", wrote_at=NOON - timedelta(minutes=60 - n), **fields) for n in range(count)
        ]


def owners(company: Company) -> list[str]:
    with company.transaction():
        found = Conversation.objects.select_related("assignee__user").order_by("waiting_since", "pk")
        return [str(each.assignee or "") for each in found]
