"""What people do for a sequence: the worklist's tasks, done, left out, sent as a template, or found done already."""

import unicodedata
from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import uuid5

from django.db.models import Q, QuerySet

from crm import outbound
from crm.models import Conversation, Direction, Message, Source
from sequences.enrolling import go_on
from sequences.models import EnrollmentState, ManualTask, TaskState
from sequences.runner import template_content
from tenants.models import Membership

_ALIKE = 0.9
_MOST = 500


def open_tasks(membership: Membership) -> QuerySet[ManualTask]:
    """The tasks that this member may do: those of the conversations they see, the urgent and then the oldest first."""
    visible = Conversation.objects.visible_to(membership).values("pk")
    related = ("conversation__contact", "conversation__number", "conversation__queue", "enrollment__sequence")
    open_ones = ManualTask.objects.filter(state=TaskState.OPEN, conversation__in=visible)
    return open_ones.select_related(*related).order_by("priority", "created_at", "id")


def waiting(membership: Membership) -> int:
    """How many tasks wait for this member, counted to a hundred: for the rail of every page."""
    visible = Conversation.objects.visible_to(membership).values("pk")
    return ManualTask.objects.filter(state=TaskState.OPEN, conversation__in=visible)[:100].count()


def finish(task: ManualTask, *, state: TaskState, now: datetime, by: Membership | None = None) -> bool:
    """The task is over, and its sequence goes on; False when somebody was faster."""
    mine = ManualTask.objects.filter(pk=task.pk, state=TaskState.OPEN)
    if not mine.update(state=state, ended_at=now, ended_by=by):
        return False
    if task.enrollment.position == task.position:
        go_on(task.enrollment, (EnrollmentState.TASK,), now=now)
    return True


def send_template(
    task: ManualTask, *, name: str, language: str, values: dict[str, str], now: datetime, by: Membership
) -> Message:
    """Send the task as a template; clicking twice sends once. Raises CannotSend, and the task stays."""
    message = outbound.compose(
        conversation=task.conversation,
        content=template_content(name, language, values),
        source=Source.AGENT,
        client_id=uuid5(task.pk, "template"),
        now=now,
        author=by,
    )
    finish(task, state=TaskState.DONE, now=now, by=by)
    return message


def find_done(now: datetime) -> int:
    """Finish the tasks whose words somebody has said meanwhile, here or on the phone; returns how many."""
    tasks = list(
        ManualTask.objects.filter(state=TaskState.OPEN).select_related("enrollment").order_by("created_at")[:_MOST]
    )
    if not tasks:
        return 0
    said: dict[Any, list[Message]] = defaultdict(list)
    since = min(task.created_at for task in tasks)
    people = Q(source=Source.AGENT) | Q(source=Source.PHONE)
    for message in Message.objects.filter(
        people,
        conversation__in={task.conversation_id for task in tasks},
        direction=Direction.OUTBOUND,
        sent_at__gte=since,
    ).only("conversation_id", "sent_at", "text", "tenant_id"):
        said[message.conversation_id].append(message)
    return sum(
        finish(task, state=TaskState.DONE, now=now)
        for task in tasks
        if task.text
        and any(
            message.sent_at >= task.created_at and is_alike(message.text, task.text)
            for message in said[task.conversation_id]
        )
    )


def is_alike(said: str, asked: str) -> bool:
    """Whether most of the words that were asked for were said, whatever the case, accents, order and what was added."""
    wanted, heard = _words(asked), _words(said)
    return bool(wanted) and len(wanted & heard) / len(wanted) >= _ALIKE


def _words(text: str) -> set[str]:
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
    return set("".join(each if each.isalnum() else " " for each in plain).split())
