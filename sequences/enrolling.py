"""Who is in a sequence: beginning by hand, by the API and by what happened; pausing, going on, leaving out, stopping."""

from collections.abc import Sequence as Items
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from crm.inbound.entries import FURTHEST_AHEAD, cue_of_button
from crm.models import Conversation, ConversationStatus, Message
from sequences.models import (
    Enrollment,
    EnrollmentState,
    ManualTask,
    Sequence,
    SequenceVersion,
    StepRun,
    TaskState,
    Trigger,
)
from sequences.models.enrollments import RUNNING
from sequences.runner import advanced, variant_of
from sequences.schedule import BLOCKING, Action, Why, due_after, next_allowed
from tenants.models import Membership, Tenant

PAGE = 1000
BY_THEMSELVES = tuple(trigger for trigger in Trigger if trigger is not Trigger.MANUAL)
ON_MESSAGES = (Trigger.FIRST_MESSAGE, Trigger.AD, Trigger.BUTTON)
_CUE_LASTS = timedelta(days=7)
# A message may take this long to reach us, and is a reply nevertheless.
_ON_ITS_WAY = timedelta(minutes=1)


class CannotEnroll(Exception):
    """The sequence says nothing yet, or is not in use."""


def enroll(
    sequence: Sequence,
    conversations: Items[Conversation],
    *,
    now: datetime,
    started_by: Membership | None = None,
    is_trial: bool = False,
) -> int:
    """Begin with these conversations (with their contacts); who is in it already stays as they are. Returns how many began.

    A trial begins at once and has a minute between its steps. Raises CannotEnroll.
    """
    version = sequence.version
    if version is None:
        raise CannotEnroll
    tenant = Tenant.objects.get(pk=sequence.tenant_id)
    wanted = Enrollment.objects.bulk_create(
        [
            Enrollment(
                tenant_id=sequence.tenant_id,
                sequence=sequence,
                version=version,
                conversation=conversation,
                due_at=now
                if is_trial
                else due_after(version.content.steps[0].delay, now, version.content, zone_of(conversation, tenant)),
                since=conversation.last_inbound_at or now - _ON_ITS_WAY,
                variant=variant_of(conversation),
                is_trial=is_trial,
                started_by=started_by,
                created_at=now,
            )
            for conversation in conversations
            if sequence.is_for(conversation)
        ],
        ignore_conflicts=True,
        batch_size=PAGE,
    )
    # Of those that were there already nothing was written; ours are known by their ids.
    return Enrollment.objects.filter(pk__in=[each.pk for each in wanted]).count() if wanted else 0


def enroll_by_trigger(
    now: datetime, *, triggers: Items[Trigger] = BY_THEMSELVES, contact_ids: Items[UUID] | None = None
) -> int:
    """Begin the active sequences of the present tenant with those whose trigger came about since they were put to use.

    `contact_ids` narrows it to people of whom something new is known, who need not wait for the next look at all.
    """
    begun = 0
    for sequence in (
        Sequence.objects.filter(is_active=True, trigger__in=triggers)
        .select_related("version")
        .prefetch_related("numbers")
    ):
        found = _triggered(sequence, now).select_related("contact")
        if contact_ids is not None:
            found = found.filter(contact__in=contact_ids)
        conversations = list(found[:PAGE])
        begun += enroll(sequence, conversations, now=now) if conversations else 0
    return begun


def _triggered(sequence: Sequence, now: datetime) -> QuerySet[Conversation]:
    known = Enrollment.objects.filter(sequence=sequence, conversation=OuterRef("pk"), is_trial=False)
    found = sequence.narrowed(Conversation.objects.all())
    since = sequence.activated_at or now
    if sequence.trigger in (Trigger.AD, Trigger.BUTTON):
        # A later press begins it once more, unless it is under way.
        found = found.filter(~Exists(known.filter(state__in=RUNNING)))
        return found.filter(pk__in=_cued(sequence, since, now)).order_by("pk")
    found = found.filter(~Exists(known))
    if sequence.trigger == Trigger.FIRST_MESSAGE:
        # What a phone handed over of its past opened no window.
        return found.filter(created_at__gte=since, window_expires_at__isnull=False).order_by("created_at")
    if sequence.trigger == Trigger.LABEL:
        return found.filter(contact__labels__contains=[sequence.trigger_value]).order_by("created_at")
    hours = int(sequence.trigger_value) if sequence.trigger_value.isdigit() else 24
    # Ours is the last word, and nothing came back for so long. Not those that went silent before it was put to use.
    return found.filter(
        status=ConversationStatus.OPEN,
        waiting_since=None,
        last_inbound_at__isnull=False,
        last_message_at__lte=now - timedelta(hours=hours),
        last_message_at__gte=since - timedelta(hours=hours),
    ).order_by("last_message_at")


def _cued(sequence: Sequence, since: datetime, now: datetime) -> QuerySet[Message]:
    """The conversations of messages that an ad led to or that are presses of the button, and that began nothing yet."""
    answered = Enrollment.objects.filter(
        is_trial=False,
        # A phone's clock may be ahead of ours.
        sequence=sequence, conversation=OuterRef("conversation"), created_at__gte=OuterRef("sent_at") - FURTHEST_AHEAD
    )  # fmt: skip
    cued = Message.objects.filter(~Exists(answered), sent_at__gte=max(since, now - _CUE_LASTS)).exclude(cue="")
    if sequence.trigger == Trigger.BUTTON:
        cued = cued.filter(cue=cue_of_button(sequence.trigger_value))
    elif sequence.trigger_value:
        cued = cued.filter(cue=f"ad:{sequence.trigger_value}")
    else:
        cued = cued.filter(cue__startswith="ad:")
    return cued.values("conversation")


_REACHED = """
UPDATE sequences_enrollment e SET state = 'done', due_at = NULL, reason = 'goal', ended_at = %(at)s
FROM crm_conversation c, crm_contact p, sequences_sequenceversion v
WHERE c.id = e.conversation_id AND p.id = c.contact_id AND v.id = e.version_id AND p.id = ANY(%(contacts)s)
  AND e.state IN ('active', 'task', 'paused')
  AND (p.labels @> ARRAY[NULLIF(v.definition ->> 'goal_label', '')]::varchar[]
       OR COALESCE(p.attributes -> NULLIF(v.definition ->> 'goal_attribute', ''), 'null') NOT IN ('null', '""', '[]', '{}'))
RETURNING e.id, e.position
"""


def reach_goals(*, tenant_id: UUID, contact_ids: list[UUID], at: datetime) -> int:
    """What runs with these people and has come to its goal ends well, with its open task. Returns how many did."""
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, {"contacts": contact_ids, "at": at})
        reached = cursor.fetchall()
    ManualTask.objects.filter(enrollment__in=[id for id, _ in reached], state=TaskState.OPEN).update(
        state=TaskState.SKIPPED, ended_at=at
    )
    StepRun.objects.bulk_create(
        [
            StepRun(
                tenant_id=tenant_id, enrollment_id=id, position=position, action=Action.GOAL, why=Why.GOAL, at=at,
                facts={},
            )
            for id, position in reached
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return len(reached)


_PAUSE = """
UPDATE sequences_enrollment e
SET state = CASE WHEN v.definition ->> 'stop_on_reply' = 'true' THEN 'stopped' ELSE 'paused' END,
    ended_at = CASE WHEN v.definition ->> 'stop_on_reply' = 'true' THEN %(at)s END,
    due_at = NULL, reason = 'replied'
FROM crm_conversation c, sequences_sequenceversion v
WHERE c.id = e.conversation_id AND v.id = e.version_id AND c.contact_id = ANY(%(contacts)s)
  AND e.state = 'active' AND e.since < %(at)s
RETURNING e.id, e.position, e.state
"""


def pause_replied(*, tenant_id: UUID, contact_ids: list[UUID], at: datetime) -> int:
    """These people wrote: what runs with them pauses (or stops, if it says so) at once. Returns how many did."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, {"contacts": contact_ids, "at": at})
        paused = cursor.fetchall()
    StepRun.objects.bulk_create(
        [
            StepRun(
                tenant_id=tenant_id, enrollment_id=id, position=position, why=Why.REPLIED, at=at,
                action=Action.STOP if state == EnrollmentState.STOPPED else Action.PAUSE,
                facts={"replied_at": at.isoformat()},
            )
            for id, position, state in paused
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return len(paused)


_HOLD_BACK = """
UPDATE sequences_enrollment e
SET state = CASE l.action WHEN 'stop' THEN 'stopped' ELSE 'paused' END, due_at = NULL, reason = 'blocked',
    ended_at = CASE l.action WHEN 'stop' THEN %(at)s END
FROM unnest(%(ids)s::uuid[], %(actions)s::text[]) AS l (id, action)
WHERE e.conversation_id = l.id AND (e.state = 'active' OR (l.action = 'stop' AND e.state = 'paused'))
RETURNING e.id, e.position, l.action
"""
# Those who wrote meanwhile are paused by that.
_LET_GO = """
UPDATE sequences_enrollment e
SET state = CASE WHEN c.last_inbound_at > e.since THEN 'paused' ELSE 'active' END,
    due_at = CASE WHEN c.last_inbound_at > e.since THEN NULL ELSE %(at)s END,
    reason = CASE WHEN c.last_inbound_at > e.since THEN 'replied' ELSE '' END, was_spread = TRUE
FROM crm_conversation c
WHERE c.id = e.conversation_id AND e.conversation_id = ANY(%(ids)s) AND e.state = 'paused' AND e.reason = 'blocked'
"""


def hold_back(*, tenant_id: UUID, levels: dict[UUID, str], at: datetime) -> None:
    """Conversations in which a block is suspected, by its level; an empty one lifts it."""
    held = {id: BLOCKING[level] for id, level in levels.items() if level in BLOCKING}
    freed = [id for id, level in levels.items() if level not in BLOCKING]
    with connection.cursor() as cursor:
        if freed:
            cursor.execute(_LET_GO, {"ids": freed, "at": at})
        if not held:
            return
        cursor.execute(_HOLD_BACK, {"ids": list(held), "actions": [action.value for action in held.values()], "at": at})
        runs = [
            StepRun(
                tenant_id=tenant_id, enrollment_id=id, position=position, action=Action(action), why=Why.BLOCKED, at=at,
                facts={"suspicion": "very_likely" if action == Action.STOP else "probable"},
            )
            for id, position, action in cursor.fetchall()
        ]  # fmt: skip
    StepRun.objects.bulk_create(runs, ignore_conflicts=True)


_MOVE = """
UPDATE sequences_enrollment e
SET version_id = CASE WHEN e.position < %(steps)s THEN %(version)s ELSE e.version_id END,
    state = CASE WHEN e.position < %(steps)s THEN e.state ELSE 'done' END,
    due_at = CASE WHEN e.position < %(steps)s THEN e.due_at END,
    reason = CASE WHEN e.position < %(steps)s THEN e.reason ELSE 'finished' END,
    ended_at = CASE WHEN e.position >= %(steps)s THEN %(now)s END
WHERE e.sequence_id = %(sequence)s AND e.version_id <> %(version)s
  AND (e.state IN ('active', 'paused') OR (e.state = 'task' AND e.position < %(steps)s))
"""


def move(sequence: Sequence, *, now: datetime) -> int:
    """Whoever is in an older version goes on with the one in force, at the same step and time. Returns how many.

    Where it has no such step any more they are through, except those with an open task: that is somebody's still.
    """
    version = sequence.version
    if version is None:
        raise CannotEnroll
    with connection.cursor() as cursor:
        steps = len(version.content.steps)
        cursor.execute(_MOVE, {"version": version.pk, "steps": steps, "sequence": sequence.pk, "now": now})
        return cursor.rowcount


def resume(enrollment: Enrollment, *, now: datetime) -> bool:
    """Go on with the step that comes next, as soon as the hours allow."""
    version, zone, heard = _place(enrollment)
    return _change(
        enrollment, (EnrollmentState.PAUSED,), state=EnrollmentState.ACTIVE, since=heard, reason="", was_spread=True,
        due_at=next_allowed(version.content, now, zone),
    )  # fmt: skip


def pause(enrollment: Enrollment) -> bool:
    return _change(enrollment, (EnrollmentState.ACTIVE,), state=EnrollmentState.PAUSED, due_at=None, reason=Why.BY_HAND)


def stop(enrollment: Enrollment, *, now: datetime) -> bool:
    """End it by hand, with the task that waits for it."""
    ended = _change(enrollment, RUNNING, state=EnrollmentState.STOPPED, due_at=None, ended_at=now, reason=Why.BY_HAND)
    if ended:
        ManualTask.objects.filter(enrollment=enrollment, state=TaskState.OPEN).update(
            state=TaskState.SKIPPED, ended_at=now
        )
    return ended


def skip(enrollment: Enrollment, *, now: datetime) -> bool:
    """Leave out the step that comes next."""
    if enrollment.state not in (EnrollmentState.ACTIVE, EnrollmentState.PAUSED):
        return False
    done = go_on(enrollment, (EnrollmentState.ACTIVE, EnrollmentState.PAUSED), now=now)
    if done:
        _log(enrollment, Action.SKIP, Why.BY_HAND, now)
    return done


def go_on(enrollment: Enrollment, states: tuple[EnrollmentState, ...], *, now: datetime) -> bool:
    """The present step is over: the next one becomes due in its time, or it is finished."""
    version, zone, heard = _place(enrollment)
    state, position, due_at, since, reason, was_spread, ended_at = advanced(enrollment, version, zone, now, heard=heard)
    return _change(
        enrollment, states, state=state, position=position, due_at=due_at, since=since, reason=reason,
        was_spread=was_spread, ended_at=ended_at,
    )  # fmt: skip


def zone_of(conversation: Conversation, tenant: Tenant) -> ZoneInfo:
    return ZoneInfo(conversation.contact.timezone or tenant.timezone)


def _place(enrollment: Enrollment) -> tuple[SequenceVersion, ZoneInfo, datetime]:
    """What it says, the contact's zone, and their last message that we know of."""
    conversation = Conversation.objects.select_related("contact").get(pk=enrollment.conversation_id)
    tenant = Tenant.objects.get(pk=enrollment.tenant_id)
    version = SequenceVersion.objects.get(pk=enrollment.version_id)
    return version, zone_of(conversation, tenant), conversation.last_inbound_at or enrollment.since


def _change(enrollment: Enrollment, states: tuple[EnrollmentState, ...], **fields: Any) -> bool:
    """Only from the state and the place that the person saw: two clicks are one."""
    mine = Enrollment.objects.filter(pk=enrollment.pk, state__in=states, position=enrollment.position)
    return bool(mine.update(**fields))


def _log(enrollment: Enrollment, action: Action, why: Why, now: datetime) -> None:
    StepRun.objects.bulk_create(
        [
            StepRun(
                tenant_id=enrollment.tenant_id, enrollment=enrollment, position=enrollment.position, action=action,
                why=why, at=now,
            )
        ],
        ignore_conflicts=True,
    )  # fmt: skip
