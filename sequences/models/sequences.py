from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from crm.models import Conversation
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
    numbers = models.ManyToManyField(
        Number, through="SequenceNumber", related_name="+", blank=True, verbose_name=_("only on these numbers")
    )  # none: any of ours
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
            TenantReference("version", name="sequences_sequence_version_fk"),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def number_ids(self) -> frozenset[UUID]:
        """The numbers it is for; none of them: any."""
        return frozenset(each.pk for each in self.numbers.all())

    def is_for(self, conversation: Conversation) -> bool:
        return not self.number_ids or conversation.number_id in self.number_ids

    def narrowed(self, found: "models.QuerySet[Conversation]") -> "models.QuerySet[Conversation]":
        """Of these conversations those on the numbers it is for."""
        return found.filter(number__in=self.number_ids) if self.number_ids else found

    def limit_to(self, numbers: Iterable[Number]) -> None:
        """Make it one for these numbers; for any where there are none."""
        chosen = {number.pk for number in numbers}
        SequenceNumber.objects.filter(sequence=self).exclude(number__in=chosen).delete()
        SequenceNumber.objects.bulk_create(
            (SequenceNumber(tenant_id=self.tenant_id, sequence=self, number_id=pk) for pk in chosen),
            ignore_conflicts=True,
        )
        self.__dict__.pop("number_ids", None)


class SequenceNumber(TenantModel):
    """A number that a sequence is for. It cannot be deleted meanwhile: the sequence would be for all the others."""

    sequence = TenantForeignKey(Sequence, on_delete=models.CASCADE, related_name="sequence_numbers")
    number = TenantForeignKey(Number, on_delete=models.PROTECT, related_name="+")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["sequence", "number"], name="sequences_sequencenumber_key"),
            Fence(name="sequences_sequencenumber_fence", referenced=False),
            TenantReference("sequence", name="sequences_sequencenumber_sequence_fk"),
            TenantReference("number", name="sequences_sequencenumber_number_fk"),
        ]

    def __str__(self) -> str:
        return f"{self.number} · {self.sequence}"


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
