"""Giving what waits in a queue to its people, the queue's way: by turns, or to whoever has least to do.

The waiting conversations are the work: a bell says that there is some, and a sweep finds what became possible without
one (a queue opened, somebody has room again). Outside a queue's hours they wait.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from uuid import UUID

from django.db import connection
from django.db.models import Count

from crm import routing
from crm.models import Conversation, ConversationStatus
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Distribution, Membership, Queue, QueueMember

PAGE = 500
_NEVER = datetime.min.replace(tzinfo=UTC)
# For each queue the index of what is nobody's is asked once.
_WAITED_FOR = """
SELECT q.tenant_id, q.id FROM tenants_queue q
WHERE q.distribution <> 'by_hand' AND NOT q.is_triage AND EXISTS (
    SELECT FROM crm_conversation c
    WHERE c.tenant_id = q.tenant_id AND c.queue_id = q.id
      AND c.status = 'open' AND c.waiting_since IS NOT NULL AND c.assignee_id IS NULL)
ORDER BY q.id
"""
# A microsecond apart, so that the last of one round is the last of the next one.
_REMEMBER = """
UPDATE tenants_queuemember m SET given_at = %s + n.place * interval '1 microsecond'
FROM unnest(%s::uuid[]) WITH ORDINALITY AS n (membership_id, place)
WHERE m.queue_id = %s AND m.membership_id = n.membership_id
"""


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody who can be given something: how many open conversations they have, and when they last got one here."""

    membership_id: UUID
    load: int
    given_at: datetime | None = None


def share(
    hands: Iterable[Hand], count: int, *, distribution: Distribution, most_each: int | None = None
) -> Iterator[UUID]:
    """Who gets each of so many conversations, in turn; fewer when nobody has room for more."""
    by_load = distribution == Distribution.LEAST_BUSY
    turns = sorted(hands, key=lambda hand: (hand.given_at or _NEVER, hand.membership_id))
    heap = [
        (hand.load if by_load else 0, turn, hand.load, hand.membership_id)
        for turn, hand in enumerate(turns)
        if most_each is None or hand.load < most_each
    ]
    heapify(heap)
    for turn in range(len(turns), len(turns) + count):
        if not heap:
            return
        rank, _turn, load, membership_id = heappop(heap)
        yield membership_id
        if most_each is None or load + 1 < most_each:
            heappush(heap, (rank + by_load, turn, load + 1, membership_id))


def run(now: datetime) -> int:
    """Give out what waits in every queue that is open; returns how many were given. Any number may run at once."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_WAITED_FOR)
        queues = cursor.fetchall()
    given = 0
    for tenant_id, queue_id in queues:
        while (found := _distribute(tenant_id, queue_id, now)) == PAGE:
            given += found
        given += found
    return given


def _distribute(tenant_id: UUID, queue_id: UUID, now: datetime) -> int:
    """One page of one queue; returns how many were given."""
    with tenant_transaction(tenant_id):
        # Somebody else may be at it, or changing it.
        free = Queue.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        queue = free.select_related("tenant").filter(pk=queue_id).first()
        if queue is None or not queue.is_shared_out or not queue.opening.is_open(now, queue.zone(queue.tenant)):
            return 0
        people = _people(queue)
        # One that is being merged is found again by the next sweep.
        waiting = Conversation.objects.unowned().filter(queue=queue).select_for_update(no_key=True, skip_locked=True)
        found = list(waiting.order_by("waiting_since", "pk")[:PAGE]) if people else []
        hands = share(_hands(queue, people), len(found), distribution=queue.distribution, most_each=queue.most_each)
        owners = list(hands)
        if not owners:
            return 0
        last = {owner: place for place, owner in enumerate(owners)}
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [now, sorted(last, key=last.__getitem__), queue.pk])
        return routing.give(zip(found, (people[owner] for owner in owners), strict=False), now=now)


def _people(queue: Queue) -> dict[UUID, Membership]:
    """Who is given conversations here, locked in one order: what somebody has is counted once, also for two queues."""
    seats = QueueMember.objects.filter(queue=queue, takes_turns=True)
    able = Membership.objects.filter(pk__in=seats.values("membership"), is_active=True, user__is_active=True)
    locked = able.select_related("user").select_for_update(no_key=True, of=("self",))
    return {person.pk: person for person in locked.order_by("pk")}


def _hands(queue: Queue, people: dict[UUID, Membership]) -> list[Hand]:
    seats = QueueMember.objects.filter(queue=queue, membership__in=people).values_list("membership", "given_at")
    theirs = Conversation.objects.filter(
        assignee__in=people, status__in=(ConversationStatus.OPEN, ConversationStatus.PENDING)
    )
    loads = dict(theirs.order_by().values_list("assignee").annotate(count=Count("pk")))
    return [Hand(pk, loads.get(pk, 0), given_at) for pk, given_at in seats]
