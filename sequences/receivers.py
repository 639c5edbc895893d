"""What happens when a lower layer says that customers wrote, became others, or are erased."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from crm.signals import (
    addresses_erased,
    contacts_changed,
    contacts_erased,
    contacts_merged,
    contacts_replied,
    contacts_unmerged,
    files_released,
    suspicion_changed,
)
from sequences import enrolling, erasing, following
from sequences.models import Trigger
from tenants import clock
from tenants.context import tenant_transaction


@receiver(contacts_replied)
def pause(sender: Any, tenant_id: UUID, contact_ids: list[UUID], at: datetime, **kwargs: Any) -> None:
    """A reply pauses at once, before anybody looks at what is due."""
    with tenant_transaction(tenant_id):
        enrolling.pause_replied(tenant_id=tenant_id, contact_ids=contact_ids, at=at)


@receiver(contacts_replied)
def begin(sender: Any, tenant_id: UUID, contact_ids: list[UUID], **kwargs: Any) -> None:
    """What a message begins need not wait for the next look at everybody, which finds whom this misses."""
    with tenant_transaction(tenant_id):
        enrolling.enroll_by_trigger(clock.now(), triggers=enrolling.ON_MESSAGES, contact_ids=contact_ids)


@receiver(contacts_changed)
def look_at(sender: Any, tenant_id: UUID, contact_ids: list[UUID], at: datetime, **kwargs: Any) -> None:
    """A label or an attribute may be what a sequence is for, or what begins one."""
    enrolling.reach_goals(tenant_id=tenant_id, contact_ids=contact_ids, at=at)
    enrolling.enroll_by_trigger(at, triggers=[Trigger.LABEL], contact_ids=contact_ids)


@receiver(suspicion_changed)
def hold_back(sender: Any, tenant_id: UUID, levels: dict[UUID, str], at: datetime, **kwargs: Any) -> None:
    """Probably blocked pauses, very likely stops; when nothing speaks for it any more, what it paused goes on."""
    enrolling.hold_back(tenant_id=tenant_id, levels=levels, at=at)


@receiver(contacts_merged)
def follow(sender: Any, conversations: dict[UUID, UUID], at: datetime, **kwargs: Any) -> dict[str, Any] | None:
    """What points at a conversation that becomes part of another goes along."""
    return following.merge(conversations=conversations, at=at)


@receiver(contacts_unmerged)
def come_back(sender: Any, answers: dict[str, Any], at: datetime, **kwargs: Any) -> None:
    """Conversations are several again: each gets back what was its own."""
    if answer := answers.get(__name__):
        following.unmerge(answer, at=at)


@receiver(contacts_erased)
def let_go(sender: Any, tenant_id: UUID, conversations: list[UUID], **kwargs: Any) -> None:
    """Nothing more is said to somebody who is erased, and nothing says what was."""
    erasing.erase(tenant_id=tenant_id, conversations=conversations)


@receiver(addresses_erased)
def leave_out(sender: Any, tenant_id: UUID, is_theirs: Callable[[str], bool], **kwargs: Any) -> None:
    """Lists that are still to be worked off lose them."""
    erasing.erase_from_lists(tenant_id=tenant_id, is_theirs=is_theirs)


@receiver(files_released)
def need(sender: Any, names: list[str], **kwargs: Any) -> list[str]:
    """What a step sends is not theirs."""
    return erasing.needed(names)
