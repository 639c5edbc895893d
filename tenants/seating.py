"""Who answers in a queue."""

from collections.abc import Mapping
from uuid import UUID

from tenants.models import Queue, QueueMember


def seat(queue: Queue, people: Mapping[UUID, bool]) -> None:
    """Let these memberships, and none other that is active, answer in the queue; the value: whether they are given any.

    Whose turn it is stays as it was.
    """
    present = QueueMember.objects.filter(queue=queue, membership__is_active=True)
    present.exclude(membership__in=people).delete()
    QueueMember.objects.bulk_create(
        (
            QueueMember(tenant_id=queue.tenant_id, queue=queue, membership_id=pk, takes_turns=takes)
            for pk, takes in people.items()
        ),
        update_conflicts=True,
        unique_fields=["queue", "membership"],
        update_fields=["takes_turns"],
    )
