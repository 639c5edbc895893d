from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.conversations import Conversation
from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Membership
from tenants.rls import Fence, TenantReference
from whatsapp.models import Number


class IssueState(models.TextChoices):
    OPEN = "open", _("suspected")
    CONFIRMED = "confirmed", _("confirmed by a person")
    REACHED = "reached", _("reached again")
    DISMISSED = "dismissed", _("not blocked, a person says")


ACTIVE = (IssueState.OPEN, IssueState.CONFIRMED)


class IssueLevel(models.TextChoices):
    """How far the suspicion goes; the words of `crm.blocking.Level`."""

    POSSIBLE = "possible", _("possible")
    PROBABLE = "probable", _("probable")
    VERY_LIKELY = "very_likely", _("very likely")


class DeliveryIssue(TenantModel):
    """A suspected block of one of our numbers by one contact, with its evidence. See `crm.blocking` and `crm.suspecting`.

    `evidence` lists what was sent since the person was last reached: `{message, at, kind, weight, others_sent,
    others_delivered}`. `level` and `likelihood` (0 to 1) keep what was last said when it is closed.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="issues")
    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=9, choices=IssueState, default=IssueState.OPEN)
    level = models.CharField(max_length=11, choices=IssueLevel)
    likelihood = models.FloatField()
    misses = models.PositiveSmallIntegerField()
    evidence: "models.JSONField[list[dict[str, Any]], list[dict[str, Any]]]" = models.JSONField(default=list)
    reached_at = models.DateTimeField(null=True)  # when they last got or wrote something; null: never
    since = models.DateTimeField()  # the first miss that counts
    found_at = models.DateTimeField()
    judged_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    decided_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("delivery issue")
        verbose_name_plural = _("delivery issues")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                name="crm_deliveryissue_one_active",
                condition=models.Q(state__in=["open", "confirmed"]),
            ),
            Fence(name="crm_deliveryissue_fence", referenced=False),
            TenantReference("conversation", name="crm_deliveryissue_conversation_fk"),
            TenantReference("number", name="crm_deliveryissue_number_fk"),
            TenantReference("decided_by", name="crm_deliveryissue_decided_by_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "-likelihood", "-found_at"], name="crm_deliveryissue_listed"),
            models.Index(fields=["conversation", "-closed_at"], name="crm_deliveryissue_of_talk"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} · {self.level}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE


class Examination(TenantModel):
    """When a company's conversations were last examined, and what its numbers taught: `{number id: {"ended": [seconds],
    "never": count}}`, see `crm.blocking.Silences`."""

    examined_at = models.DateTimeField()
    learned: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("examination")
        verbose_name_plural = _("examinations")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="crm_examination_key"),
            Fence(name="crm_examination_fence", referenced=False),
        ]

    def __str__(self) -> str:
        return str(self.examined_at)
