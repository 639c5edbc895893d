"""Who answers a conversation, and whether it is open. Every change leaves an activity line and tells the open pages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from crm import live
from crm.models import Activity, ActivityKind, Conversation, ConversationStatus, Episode
from crm.models.conversations import ConversationQuerySet
from tenants.context import current_tenant_id
from tenants.models import Membership, Queue
from whatsapp.models import Number


class CannotRoute(Exception):
    """The conversation cannot go there; `explanation` is for the person who asked."""

    def __init__(self, explanation: Any) -> None:
        super().__init__(str(explanation))
        self.explanation = explanation


def assign(*, conversation: Conversation, assignee: Membership | None, actor: Membership | None, now: datetime) -> None:
    """Make `assignee` the owner, or nobody. Assigning whom it has already changes nothing.

    Raises CannotRoute when the person may not see the conversation's queue or is no longer active.
    """
    if conversation.assignee_id == (assignee.pk if assignee else None):
        return
    if assignee and not _may_answer(assignee, conversation.queue_id):
        raise CannotRoute(_("%(person)s is not in this queue. Transfer the conversation first.") % {"person": assignee})
    before = _change_before(conversation)
    conversation.assignee = assignee
    conversation.save(update_fields=["assignee"])
    kind = ActivityKind.ASSIGNED if assignee else ActivityKind.UNASSIGNED
    _note(conversation, kind, actor, now, assignee=str(assignee) if assignee else "")
    _tell(conversation, before)


def transfer(
    *,
    conversation: Conversation,
    queue: Queue,
    assignee: Membership | None = None,
    actor: Membership | None,
    now: datetime,
) -> None:
    """Hand it to another queue, and there to `assignee` or to nobody yet. Raises CannotRoute as `assign` does."""
    if assignee and not _may_answer(assignee, queue.pk):
        raise CannotRoute(_("%(person)s is not in the queue %(queue)s.") % {"person": assignee, "queue": queue})
    if conversation.queue_id == queue.pk and conversation.assignee_id == (assignee.pk if assignee else None):
        return
    before = _change_before(conversation)
    conversation.queue, conversation.assignee = queue, assignee
    conversation.save(update_fields=["queue", "assignee"])
    _note(
        conversation, ActivityKind.TRANSFERRED, actor, now, queue=queue.name, assignee=str(assignee) if assignee else ""
    )
    _tell(conversation, before)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of many: how many went, how many were there already, and how many the person may not answer."""

    moved: int
    unchanged: int
    refused: int


def hand_over(
    *,
    conversations: ConversationQuerySet,
    queue: Queue | None,
    assignee: Membership | None,
    actor: Membership | None,
    now: datetime,
) -> HandedOver:
    """Transfer these to `queue` (None: each stays where it is), and there to `assignee` or to nobody yet.

    A few statements however many there are; those whose queue the person is not in stay as they are. Locks them in the
    order of the inbound merge. Raises CannotRoute as `transfer` does.
    """
    if queue and assignee and not _may_answer(assignee, queue.pk):
        raise CannotRoute(_("%(person)s is not in the queue %(queue)s.") % {"person": assignee, "queue": queue})
    if assignee and not assignee.is_active:
        raise CannotRoute(_("%(person)s no longer works here.") % {"person": assignee})
    locked = conversations.select_for_update(no_key=True, of=("self",)).order_by("pk")
    found = list(locked.values_list("pk", "queue_id", "assignee_id"))
    owner = assignee.pk if assignee else None
    within = None if queue or assignee is None or assignee.sees_everything else frozenset(assignee.queue_ids)
    allowed = [each for each in found if within is None or each[1] in within]
    moves = [
        Move(pk, (queue_id, assignee_id), (queue.pk if queue else queue_id, owner))
        for pk, queue_id, assignee_id in allowed
        if (queue_id, assignee_id) != (queue.pk if queue else queue_id, owner)
    ]
    facts = {"queue": queue.name if queue else "", "assignee": str(assignee) if assignee else ""}
    _move(moves, facts=lambda _move: facts, actor=actor, now=now)
    return HandedOver(len(moves), len(allowed) - len(moves), len(found) - len(allowed))


def give(shares: Iterable[tuple[Conversation, Membership]], *, now: datetime) -> int:
    """Give each conversation, which is nobody's and locked, to somebody of its queue; how many were given."""
    owners = {conversation.pk: (conversation, owner) for conversation, owner in shares}
    moves = [
        Move(pk, (conversation.queue_id, None), (conversation.queue_id, owner.pk))
        for pk, (conversation, owner) in owners.items()
    ]
    _move(moves, facts=lambda move: {"assignee": str(owners[move.conversation_id][1])}, actor=None, now=now)
    return len(moves)


def close(*, conversation: Conversation, actor: Membership | None, now: datetime) -> None:
    """End the present episode; the customer's next message opens a new one. Closing twice changes nothing."""
    changed = Conversation.objects.filter(pk=conversation.pk).exclude(status=ConversationStatus.CLOSED)
    if not changed.update(status=ConversationStatus.CLOSED, waiting_since=None, unread_count=0, snoozed_until=None):
        return
    conversation.refresh_from_db(fields=["status", "waiting_since", "unread_count", "snoozed_until"])
    Episode.objects.filter(conversation=conversation, closed_at=None).update(closed_at=now, closed_by=actor)
    _note(conversation, ActivityKind.CLOSED, actor, now)
    _tell(conversation)


def reopen(*, conversation: Conversation, actor: Membership | None, now: datetime) -> None:
    """Open a closed or snoozed conversation again, as a new episode if the last one had ended."""
    _open(conversation, ActivityKind.REOPENED, actor, now)


def snooze(*, conversation: Conversation, until: datetime, actor: Membership | None, now: datetime) -> None:
    """Put it aside until a moment; the customer's next message brings it back at once. Raises CannotRoute for the past."""
    if until <= now:
        raise CannotRoute(_("Choose a moment in the future."))
    conversation.status, conversation.snoozed_until = ConversationStatus.SNOOZED, until
    conversation.save(update_fields=["status", "snoozed_until"])
    _note(conversation, ActivityKind.SNOOZED, actor, now, until=until.isoformat())
    _tell(conversation)


def wake(*, conversation: Conversation, now: datetime) -> None:
    """Bring back a conversation whose snooze is over."""
    _open(conversation, ActivityKind.WOKEN, None, now)


def leave_triage(*, number_ids: list[UUID], now: datetime) -> int:
    """Move the conversations that lie in triage only because their number had no queue; how many moved.

    One UPDATE, whatever their number. What somebody owns already stays where it is.
    """
    moved = Conversation.objects.filter(
        number_id__in=number_ids, number__queue__isnull=False, queue__is_triage=True, assignee=None
    ).exclude(number__queue__is_triage=True)
    before = list(moved.values_list("pk", "tenant_id", "queue_id", "number__queue_id"))
    Conversation.objects.filter(pk__in=[row[0] for row in before]).update(
        queue_id=Subquery(Number.objects.filter(pk=OuterRef("number_id")).values("queue_id")[:1])
    )
    for tenant_id in {row[1] for row in before}:
        live.publish(tenant_id, [live.Change(pk, (old, new)) for pk, tenant, old, new in before if tenant == tenant_id])
    return len(before)


def mark_read(*, conversation: Conversation, now: datetime) -> None:
    """Our side has seen everything up to now."""
    if Conversation.objects.filter(pk=conversation.pk, unread_count__gt=0).update(unread_count=0):
        conversation.unread_count = 0
        _tell(conversation)


def _open(conversation: Conversation, kind: ActivityKind, actor: Membership | None, now: datetime) -> None:
    changed = Conversation.objects.filter(pk=conversation.pk).exclude(status=ConversationStatus.OPEN)
    if not changed.update(status=ConversationStatus.OPEN, snoozed_until=None):
        return
    conversation.refresh_from_db(fields=["status", "snoozed_until"])
    if not Episode.objects.filter(conversation=conversation, closed_at=None).exists():
        Episode.objects.create(
            tenant_id=conversation.tenant_id,
            conversation=conversation,
            queue_id=conversation.queue_id,
            opened_at=now,
            opened_by_customer=False,
        )
    _note(conversation, kind, actor, now)
    _tell(conversation)


@dataclass(frozen=True, slots=True)
class Move:
    """A conversation that goes from one (queue, owner) to another."""

    conversation_id: UUID
    before: tuple[UUID, UUID | None]
    after: tuple[UUID, UUID | None]

    @property
    def kind(self) -> ActivityKind:
        if self.before[0] != self.after[0]:
            return ActivityKind.TRANSFERRED
        return ActivityKind.ASSIGNED if self.after[1] else ActivityKind.UNASSIGNED


_MOVE = """
UPDATE crm_conversation c SET queue_id = n.queue_id, assignee_id = n.assignee_id
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS n (id, queue_id, assignee_id)
WHERE c.id = n.id
"""


def _move(
    moves: list[Move], *, facts: Callable[[Move], dict[str, str]], actor: Membership | None, now: datetime
) -> None:
    """Write, note and tell them all; their rows are locked."""
    if not moves:
        return
    tenant_id = current_tenant_id()
    places = [move.after for move in moves]
    with connection.cursor() as cursor:
        ids = [move.conversation_id for move in moves]
        cursor.execute(_MOVE, [ids, [queue for queue, _owner in places], [owner for _queue, owner in places]])
    Activity.objects.bulk_create(
        Activity(
            tenant_id=tenant_id, conversation_id=move.conversation_id, kind=move.kind, actor=actor, facts=facts(move), at=now
        )
        for move in moves
    )  # fmt: skip
    live.publish(
        tenant_id,
        [live.Change(move.conversation_id, *zip(move.before, move.after, strict=True)) for move in moves],
    )


def _may_answer(membership: Membership, queue_id: Any) -> bool:
    return membership.is_active and (
        membership.sees_everything or membership.queue_members.filter(queue_id=queue_id).exists()
    )


def _note(
    conversation: Conversation, kind: ActivityKind, actor: Membership | None, now: datetime, **facts: str
) -> None:
    Activity.objects.create(
        tenant_id=conversation.tenant_id, conversation=conversation, kind=kind, actor=actor, facts=facts, at=now
    )


def _change_before(conversation: Conversation) -> live.Change:
    return live.Change(conversation.pk, (conversation.queue_id,), (conversation.assignee_id,))


def _tell(conversation: Conversation, before: live.Change | None = None) -> None:
    queues = (conversation.queue_id, *(before.queue_ids if before else ()))
    assignees = (conversation.assignee_id, *(before.assignee_ids if before else ()))
    live.publish(conversation.tenant_id, [live.Change(conversation.pk, queues, assignees)])
