from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models import Conversation, Message
from sequences.models.sequences import Sequence, SequenceVersion
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models import Membership
from tenants.rls import Fence, TenantReference


class EnrollmentState(models.TextChoices):
    ACTIVE = "active", _("running")
    TASK = "task", _("waits for a person")
    PAUSED = "paused", _("paused")
    DONE = "done", _("finished")
    STOPPED = "stopped", _("stopped")


RUNNING = (EnrollmentState.ACTIVE, EnrollmentState.TASK, EnrollmentState.PAUSED)


class Enrollment(TenantModel):
    """One conversation in one sequence. `due_at` is a person's time; while `active` it says when `position` is due."""

    sequence = TenantForeignKey(Sequence, on_delete=models.CASCADE, related_name="enrollments")
    version = TenantForeignKey(SequenceVersion, on_delete=models.PROTECT, related_name="+")
    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=EnrollmentState, default=EnrollmentState.ACTIVE)
    position = models.PositiveSmallIntegerField(default=0)  # of the step that comes next, from 0
    due_at = models.DateTimeField(null=True)
    # The customer's last message that was known when the row was last decided on: one after it pauses. By WhatsApp's
    # own time, so that a reply that was still on its way to us at that moment counts.
    since = models.DateTimeField()
    reason = models.CharField(max_length=20, blank=True, default="")  # see sequences.schedule.Why
    was_spread = models.BooleanField(default=False)
    variant = models.PositiveSmallIntegerField(default=0)
    is_trial = models.BooleanField(default=False, db_default=False)  # a minute between steps, in no report
    started_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        base_manager_name = "objects"
        constraints = [
            # Once at a time: a double click, three schedulers and a repeated trigger make one.
            models.UniqueConstraint(
                fields=["sequence", "conversation"],
                name="sequences_enrollment_running_key",
                condition=models.Q(state__in=["active", "task", "paused"]),
                include=["version"],  # who goes on with an older one is counted from it alone
            ),
            Fence(name="sequences_enrollment_fence"),
            TenantReference("sequence", name="sequences_enrollment_sequence_fk"),
            TenantReference("version", name="sequences_enrollment_version_fk"),
            TenantReference("conversation", name="sequences_enrollment_conversation_fk"),
            TenantReference("started_by", name="sequences_enrollment_started_by_fk"),
        ]
        indexes = [
            # run_due(): which tenants have something due, and what; flat however many wait
            models.Index(fields=["tenant", "due_at"], name="sequences_due", condition=models.Q(state="active")),
            models.Index(fields=["conversation"], name="sequences_of_conversation"),  # a reply pauses, the panel shows
            models.Index(fields=["sequence", "-created_at", "id"], name="sequences_of_sequence"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.position}"


class StepRun(TenantModel):
    """What became of one step, and from which facts: the answer to “why did it do this?”."""

    enrollment = TenantForeignKey(Enrollment, on_delete=models.CASCADE, related_name="runs")
    position = models.PositiveSmallIntegerField()
    action = models.CharField(max_length=8)
    why = models.CharField(max_length=20)
    facts = models.JSONField(default=dict)
    message = TenantForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("run of a step")
        verbose_name_plural = _("runs of steps")
        base_manager_name = "objects"
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "position", "action"], name="sequences_steprun_key"),
            Fence(name="sequences_steprun_fence", referenced=False),
            TenantReference("enrollment", name="sequences_steprun_enrollment_fk"),
            TenantReference("message", name="sequences_steprun_message_fk"),
        ]
        indexes = [
            # which step a message of ours was: what failed, what it cost
            models.Index(
                fields=["message"], name="sequences_steprun_message", condition=models.Q(message__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.action}"
