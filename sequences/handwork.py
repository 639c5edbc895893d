"""What people do for a sequence: the worklist's tasks, done, left out, sent as a template, or found done already."""

import unicodedata
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from crm import costs, outbound
from crm.blanks import filled
from crm.costs import Price
from crm.models import Conversation, Direction, Message, Source
from sequences.definition import Variant
from sequences.enrolling import go_on
from sequences.models import Enrollment, EnrollmentState, ManualTask, StepRun, TaskState
from sequences.saying import blanks_of, template_content, words_of
from sequences.schedule import Action, Why
from tenants.context import current_tenant_id
from tenants.models import Membership
from whatsapp.errors import Reason
from whatsapp.models import Template as StoredTemplate
from whatsapp.models import TemplateStatus
from whatsapp.outgoing import Outgoing, Text

_ALIKE = 0.9
_MOST = 500
_FAILED_FOR = timedelta(days=2)
"""How old a failure may be to become a task: what was missed for longer is looked at in the thread."""


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


def planned(task: ManualTask, now: datetime) -> Outgoing | None:
    """What the step would say now: its text while the window is open, else its template; None if it has neither."""
    if task.text and task.conversation.window(now).can_send_free_form:
        return Text(task.text)
    approved = StoredTemplate.objects.filter(
        waba_id=task.conversation.number.waba_id,
        name=task.template_name,
        language=task.template_language,
        status=TemplateStatus.APPROVED,
    ).first()
    if not task.template_name or approved is None:
        return None
    steps, blanks = task.enrollment.version.content.steps, blanks_of(task.enrollment)
    said = next(
        (
            variant.template.variables
            for variant in (steps[task.position].variants if task.position < len(steps) else ())
            if variant.template and variant.template.name == approved.name
        ),
        {},
    )
    values = {name: filled(said.get(name, "{first_name}"), blanks) or "-" for name in approved.variables}
    return replace(template_content(approved.name, approved.language, values), category=approved.category)


def price_of(task: ManualTask, content: Outgoing, now: datetime) -> Price:
    """What sending this will cost."""
    return costs.expected(task.conversation, content, now)


def force(task: ManualTask, *, now: datetime, by: Membership) -> Message:
    """Send what the step planned although it was held back; twice is once. Raises CannotSend, and the task stays.

    Who did it and at which price stays in the enrollment's story.
    """
    content = planned(task, now)
    if content is None:
        raise outbound.CannotSend(Reason.WINDOW_CLOSED)
    price = price_of(task, content, now)
    message = outbound.compose(
        conversation=task.conversation,
        content=content,
        source=Source.AGENT,
        client_id=uuid5(task.pk, "force"),
        now=now,
        author=by,
    )
    StepRun.objects.bulk_create(
        [
            StepRun(
                tenant_id=task.tenant_id,
                enrollment=task.enrollment,
                position=task.position,
                action=Action.FORCE,
                why=Why.BY_HAND,
                facts={"by": str(by), "price": costs.in_words(price.amount, price.currency), "held_because": task.why},
                message=message,
                at=now,
            )
        ],
        ignore_conflicts=True,
    )
    finish(task, state=TaskState.DONE, now=now, by=by)
    return message


def take_failed(now: datetime) -> int:
    """Make tasks of the steps whose message WhatsApp gave back; their sequence waits there. Returns how many.

    Only while the step is still the last one that was done: what came after it has been said already.
    """
    failed = StepRun.objects.filter(
        message__status="failed", message__priority__gt=0, message__failed_at__gte=now - _FAILED_FOR
    ).filter(
        Q(
            enrollment__state__in=(EnrollmentState.ACTIVE, EnrollmentState.PAUSED),
            enrollment__position=F("position") + 1,
        )
        | Q(enrollment__state=EnrollmentState.DONE, enrollment__position=F("position"))
    )
    known = ManualTask.objects.filter(enrollment=OuterRef("enrollment"), position=OuterRef("position"))
    related = ("enrollment__version", "enrollment__conversation__contact", "message")
    return sum(_give_back(run, now) for run in failed.exclude(Exists(known)).select_related(*related)[:_MOST])


def _give_back(run: StepRun, now: datetime) -> bool:
    enrollment, message = run.enrollment, run.message
    assert message is not None
    there = Enrollment.objects.filter(pk=enrollment.pk, state=enrollment.state, position=enrollment.position)
    why = Why.OPTED_OUT if message.error_reason == Reason.OPTED_OUT else Why.NOT_DELIVERED
    if not there.update(state=EnrollmentState.TASK, position=run.position, due_at=None, reason=why, ended_at=None):
        return False
    step = enrollment.version.content.steps[run.position]
    chosen = step.variants[enrollment.variant % len(step.variants)] if step.variants else Variant()
    template = chosen.template
    ManualTask.objects.bulk_create(
        [
            ManualTask(
                tenant_id=current_tenant_id(),
                enrollment=enrollment,
                conversation_id=enrollment.conversation_id,
                position=run.position,
                why=why,
                priority=step.priority,
                text=words_of(chosen, blanks_of(enrollment)),
                template_name=template.name if template else "",
                template_language=template.language if template else "",
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    facts = {"error": message.error_reason, "code": message.error_code}
    StepRun.objects.bulk_create(
        [
            StepRun(
                tenant_id=current_tenant_id(), enrollment=enrollment, position=run.position, action=Action.TASK,
                why=why, facts=facts, message=message, at=now,
            )
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return True


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
