from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models import Conversation
from sequences.models.enrollments import Enrollment
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedTextField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference


class TaskState(models.TextChoices):
    OPEN = "open", _("open")
    DONE = "done", _("done")
    SKIPPED = "skipped", _("skipped")


class TaskPriority(models.IntegerChoices):
    HIGH = 0, _("high")
    MIDDLE = 1, _("middle")
    LOW = 2, _("low")


class ManualTask(TenantModel):
    """A step that a person must do, with what they are to say. The sequence goes on when it is done or left out."""

    enrollment = TenantForeignKey(Enrollment, on_delete=models.CASCADE, related_name="tasks")
    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    why = models.CharField(max_length=20)
    priority = models.PositiveSmallIntegerField(choices=TaskPriority, default=TaskPriority.MIDDLE)
    text = EncryptedTextField(default="")
    template_name = models.CharField(max_length=512, blank=True, default="")
    template_language = models.CharField(max_length=10, blank=True, default="")
    state = models.CharField(max_length=7, choices=TaskState, default=TaskState.OPEN)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("manual task")
        verbose_name_plural = _("manual tasks")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "position"], name="sequences_manualtask_key"),
            Fence(name="sequences_manualtask_fence", referenced=False),
            TenantReference("enrollment", name="sequences_manualtask_enrollment_fk"),
            TenantReference("conversation", name="sequences_manualtask_conversation_fk"),
            TenantReference("ended_by", name="sequences_manualtask_ended_by_fk"),
        ]
        indexes = [
            # the worklist, and how many wait
            models.Index(
                fields=["tenant", "priority", "created_at"],
                name="sequences_manualtask_open",
                condition=models.Q(state="open"),
            ),
            models.Index(fields=["conversation"], name="sequences_manualtask_talk", condition=models.Q(state="open")),
            models.Index(fields=["conversation"], name="sequences_manualtask_of_talk"),  # a merge of contacts moves all
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.why}"
