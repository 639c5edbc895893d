from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models import Conversation, Message
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedJSONField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference
from whatsapp.models import Number


class BroadcastState(models.TextChoices):
    DRAFT = "draft", _("draft")
    PREPARING = "preparing", _("being prepared")
    READY = "ready", _("ready")
    SCHEDULED = "scheduled", _("scheduled")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    DONE = "done", _("completed")
    CANCELLED = "cancelled", _("cancelled")
    DISCARDED = "discarded", _("being thrown away")  # shown nowhere; a worker takes its list away, and then it


CHANGEABLE = (BroadcastState.DRAFT, BroadcastState.READY)
UNDER_WAY = (BroadcastState.SCHEDULED, BroadcastState.RUNNING, BroadcastState.PAUSED)


class BroadcastQuerySet(models.QuerySet["Broadcast"]):
    def shown(self) -> "BroadcastQuerySet":
        """Those that nobody has thrown away."""
        return self.exclude(state=BroadcastState.DISCARDED)


class BroadcastManager(TenantManager.from_queryset(BroadcastQuerySet)):  # type: ignore[misc]
    pass


class Broadcast(TenantModel):
    """One template to many people, once. Its list is frozen before it starts and never grows.

    `audience` says who is meant: `{"label": …, "days": …}` of those who wrote to the number, or `{"file": name}` with
    the rows of a CSV in `rows` until they are frozen. `variables` are what the template's variables become, with
    `{first_name}` or `{column}` as places. `forecast` is what it was expected to cost when it was frozen.
    """

    name = models.CharField(_("name"), max_length=120)
    number = TenantForeignKey(Number, verbose_name=_("number"), on_delete=models.CASCADE, related_name="+")
    template_name = models.CharField(_("template"), max_length=512)
    template_language = models.CharField(max_length=10)
    template_category = models.CharField(max_length=20)  # lower case, as it was when it was frozen
    variables: "models.JSONField[dict[str, str], dict[str, str]]" = models.JSONField(default=dict)
    audience: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    rows: Any = EncryptedJSONField(default=list)
    state = models.CharField(max_length=9, choices=BroadcastState, default=BroadcastState.DRAFT)
    reason = models.CharField(max_length=20, blank=True, default="")  # why it paused: see sequences.broadcasting.Pause
    per_minute = models.PositiveIntegerField(
        _("messages a minute"), default=600, validators=[MinValueValidator(1), MaxValueValidator(4800)]
    )
    failure_limit = models.PositiveSmallIntegerField(
        _("pause at so many percent failed"), default=10, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    forecast: "models.JSONField[list[dict[str, Any]], list[dict[str, Any]]]" = models.JSONField(default=list)
    currency = models.CharField(max_length=3, blank=True, default="")
    frozen_at = models.DateTimeField(null=True)  # as of when its list is: when the first page of it was written
    # How far the list is while it is being frozen: `{lines, of, place, priced}`; `place` is the last line of the file or
    # the last conversation, `priced` what its people have come to by country.
    frozen_to: "models.JSONField[dict[str, Any] | None, dict[str, Any] | None]" = models.JSONField(null=True)
    quality = models.CharField(max_length=10, blank=True, default="")  # the number's when it started
    created_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    scheduled_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    started_at = models.DateTimeField(null=True)
    resumed_at = models.DateTimeField(null=True)  # what failed before is forgiven
    paced_at = models.DateTimeField(null=True)  # until when its pace has been used up; the database's time
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = BroadcastManager()

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        base_manager_name = "objects"
        constraints = [
            Fence(name="sequences_broadcast_fence"),
            TenantReference("number", name="sequences_broadcast_number_fk"),
            TenantReference("created_by", name="sequences_broadcast_created_by_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "id"], name="sequences_broadcast_newest"),
            models.Index(
                fields=["state"],
                name="sequences_broadcast_busy",
                condition=models.Q(state__in=["preparing", "scheduled", "running", "discarded"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Fate(models.TextChoices):
    """What became of a line of the list, until its message tells more."""

    WAITING = "waiting", _("waiting")
    SENT = "sent", _("handed over")
    SKIPPED = "skipped", _("left out")
    REFUSED = "refused", _("not usable")


class Recipient(TenantModel):
    """One line of a frozen list. `line` and `address` are as the file had them; `reason` says why nothing was sent."""

    broadcast = TenantForeignKey(Broadcast, on_delete=models.CASCADE, related_name="recipients")
    position = models.PositiveIntegerField()
    line = models.PositiveIntegerField(null=True)
    address = models.CharField(max_length=40, blank=True, default="")
    conversation = TenantForeignKey(Conversation, null=True, on_delete=models.SET_NULL, related_name="+")
    values: Any = EncryptedJSONField(default=dict)
    fate = models.CharField(max_length=7, choices=Fate, default=Fate.WAITING)
    reason = models.CharField(max_length=40, blank=True, default="")
    detail = models.CharField(max_length=120, blank=True, default="")
    message = TenantForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+")
    # What had become of the message when the person was erased: `{status, accepted, replied, cost}`. The line stays, so that
    # the broadcast's figures add up; who it was does not.
    kept: "models.JSONField[dict[str, Any] | None, dict[str, Any] | None]" = models.JSONField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["broadcast", "position"], name="sequences_recipient_key"),
            # Nobody is on a list twice.
            models.UniqueConstraint(
                fields=["broadcast", "conversation"],
                name="sequences_recipient_once",
                condition=models.Q(fate__in=["waiting", "sent"]),
            ),
            Fence(name="sequences_recipient_fence", referenced=False),
            TenantReference("broadcast", name="sequences_recipient_broadcast_fk"),
            TenantReference("conversation", name="sequences_recipient_conversation_fk"),
            TenantReference("message", name="sequences_recipient_message_fk"),
        ]
        indexes = [
            models.Index(
                fields=["broadcast", "position"], name="sequences_recipient_waiting", condition=models.Q(fate="waiting")
            ),
            # a merge of contacts moves them
            models.Index(
                fields=["conversation"],
                name="sequences_recipient_of_talk",
                condition=models.Q(conversation__isnull=False),
            ),
            models.Index(
                fields=["message"], name="sequences_recipient_message", condition=models.Q(message__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.address or str(self.conversation_id)
