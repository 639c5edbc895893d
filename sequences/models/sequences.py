from functools import cached_property
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from sequences.definition import Definition
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models import Membership
from tenants.rls import Fence, TenantReference
from whatsapp.models import Number


class Trigger(models.TextChoices):
    MANUAL = "manual", _("by hand or by the API")
    FIRST_MESSAGE = "first_message", _("a person’s first message")
    LABEL = "label", _("a label")
    NO_REPLY = "no_reply", _("no reply for some hours")
    AD = "ad", _("a message from an ad")
    BUTTON = "button", _("a button of a template")


class Sequence(TenantModel):
    """A follow-up by its name. What it says is in its versions; the one in force is `version`."""

    name = models.CharField(_("name"), max_length=80)
    number = TenantForeignKey(
        Number, null=True, blank=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("only on this number")
    )
    trigger = models.CharField(_("begins with"), max_length=14, choices=Trigger, default=Trigger.MANUAL)
    # The label, the hours without a reply, the ad's id (empty: any ad), or what stands on the button.
    trigger_value = models.CharField(max_length=60, blank=True, default="")
    is_active = models.BooleanField(_("in use"), default=False)
    activated_at = models.DateTimeField(null=True, editable=False)
    version = TenantForeignKey("SequenceVersion", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")
        base_manager_name = "objects"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="sequences_sequence_name_key"),
            Fence(name="sequences_sequence_fence"),
            TenantReference("number", name="sequences_sequence_number_fk"),
            TenantReference("version", name="sequences_sequence_version_fk"),
        ]

    def __str__(self) -> str:
        return self.name


class SequenceVersion(TenantModel):
    """What a sequence said from some moment on. Never changed: who began with it finishes it."""

    sequence = TenantForeignKey(Sequence, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    author = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("version of a sequence")
        verbose_name_plural = _("versions of sequences")
        base_manager_name = "objects"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["sequence", "number"], name="sequences_version_number_key"),
            Fence(name="sequences_version_fence"),
            TenantReference("sequence", name="sequences_version_sequence_fk"),
            TenantReference("author", name="sequences_version_author_fk"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"

    @cached_property
    def content(self) -> Definition:
        return Definition.read(self.definition)
