"""Several workers share out the same queues at the same moment."""

from collections import Counter

from crm import distributing
from crm.models import Activity, Conversation
from tenants.models import Distribution, Queue, QueueMember
from tests.at_once import at_once
from tests.cast import found_company
from tests.crm.sharing import arrange, owners, waiting
from tests.crm.views.talk import NOON


def test_two_workers_at_once_give_each_conversation_once_and_nobody_too_much(committed):
    company = found_company("ours", number_id="100000000000001")
    people = arrange(company, people=3, most_each=8)
    with company.transaction():
        Queue.objects.filter(pk=company.support.pk).update(distribution=Distribution.BY_TURNS, most_each=8)
        QueueMember.objects.bulk_create(
            QueueMember(tenant=company.tenant, queue=company.support, membership=person) for person in people
        )
    waiting(company, 20)
    waiting(company, 20, queue=company.support)

    answers = at_once(*[lambda: distributing.run(NOON)] * 4)
    answers.append(distributing.run(NOON))  # what somebody else held at that moment

    # Luis is in one of the two queues alone: he gets fewer when that one is shared out before the others are full.
    given = Counter(owners(company))
    assert {name: given[name] for name in ("Ana", "P1", "P2")} == {"Ana": 8, "P1": 8, "P2": 8}
    assert 5 <= given["Luis"] <= 8
    assert sum(answers) == 24 + given["Luis"]
    with company.transaction():
        assert Activity.objects.count() == Conversation.objects.exclude(assignee=None).count()
