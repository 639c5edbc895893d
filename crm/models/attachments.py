from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from crm.models.messages import Message
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedTextField
from tenants.rls import Fence, TenantReference


class FileState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    WORKING = "working", _("in transit")
    THERE = "there", _("there")
    FAILED = "failed", _("failed")


class Attachment(TenantModel):
    """The file of a message. The row is also its place in the queue that fetches and hands over files: `crm.media`.

    A file without `stored_as` has to be fetched (from the provider by `media_id`, or from `source_url`); one of ours that
    has no `media_id` has to be handed over before its message can go. While `state` is working, `next_attempt_at` is the
    end of the lease. Database time.
    """

    message = TenantForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    media_id = models.CharField(max_length=200, blank=True, default="")
    mime_type = models.CharField(max_length=120, blank=True, default="")
    sha256 = models.CharField(max_length=88, blank=True, default="")  # as the provider wrote it
    filename = EncryptedTextField(default="")
    source_url: Any = EncryptedTextField(null=True)
    is_voice = models.BooleanField(default=False)
    is_animated = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    state = models.CharField(max_length=8, choices=FileState, db_default=FileState.WAITING, default=FileState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    failure = models.CharField(max_length=40, blank=True, default="", db_default="")  # see crm.media.failures

    stored_as = models.CharField(max_length=200, blank=True, default="", db_default="")
    size = models.BigIntegerField(null=True)
    uploaded_at = models.DateTimeField(null=True)  # when `media_id` was given to a file of ours
    thumbnail = models.CharField(max_length=200, blank=True, default="", db_default="")
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    seconds = models.PositiveIntegerField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["message"], name="crm_attachment_message_key"),
            Fence(name="crm_attachment_fence", referenced=False),
            TenantReference("message", name="crm_attachment_message_fk"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="crm_attachment_due",
                condition=models.Q(state__in=["waiting", "working"]),
            ),
            # Whether another message has the same file, before it is deleted
            models.Index(fields=["stored_as"], name="crm_attachment_file", condition=~models.Q(stored_as="")),
        ]

    def __str__(self) -> str:
        return self.mime_type

    @property
    def is_there(self) -> bool:
        return bool(self.stored_as)
