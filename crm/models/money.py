from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.messages import Direction
from tenants.audit import audited
from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Queue
from tenants.rls import Fence, TenantReference
from whatsapp.models import Number


@audited()
class Budget(TenantModel):
    """What a company means to spend on messages in a calendar month, in its billing currency."""

    monthly_limit = models.DecimalField(
        _("limit a month"),
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text=_("In the company's billing currency."),
    )
    warning_percent = models.PositiveSmallIntegerField(
        _("warn at"),
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent of the limit."),
    )
    stops_automatic = models.BooleanField(
        _("stop automatic sending at the limit"),
        default=True,
        help_text=_("Sequences then hand their steps to people. What people write themselves is never stopped."),
    )

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                name="crm_budget_key",
                violation_error_message=_("The company has a budget already: change that one."),
            ),
            Fence(name="crm_budget_fence", referenced=False),
        ]

    def __str__(self) -> str:
        return str(self.monthly_limit)


class _Hour(TenantModel):
    """Messages of one kind in an hour of UTC's. `accepted` to `unknown` count outbound ones by how far they came; a read one
    was delivered."""

    hour = models.DateTimeField()
    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    queue = TenantForeignKey(Queue, null=True, on_delete=models.CASCADE, related_name="+")
    direction = models.CharField(max_length=8, choices=Direction)
    source = models.CharField(max_length=10)
    category = models.CharField(max_length=40, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    messages = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    amount = models.DecimalField(max_digits=14, decimal_places=5, default=0)
    unpriced = models.PositiveIntegerField(default=0)  # charged for, but no rate is known

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H} · {self.messages}"


class MessageHour(_Hour):
    """How many messages of one kind an hour had, and what they cost: what reports add up. See `crm.reports.rollups`."""

    class Meta:
        verbose_name = _("messages of an hour")
        verbose_name_plural = _("messages by hour")
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_messagehour_fence", referenced=False),
            TenantReference("number", name="crm_messagehour_number_fk"),
            TenantReference("queue", name="crm_messagehour_queue_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "hour"], name="crm_messagehour_of_tenant"),
            models.Index(fields=["hour"], name="crm_messagehour_hour"),  # refreshing
        ]


class ErasedHour(_Hour):
    """The same of messages that were erased with the person they went to: counts and money, and nobody in them.

    Hours are counted anew from the messages; what is no longer among those is counted from here.
    """

    class Meta:
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_erasedhour_fence", referenced=False),
            TenantReference("number", name="crm_erasedhour_number_fk"),
            TenantReference("queue", name="crm_erasedhour_queue_fk"),
        ]
        indexes = [
            models.Index(fields=["hour"], name="crm_erasedhour_hour"),  # counting hours anew
            models.Index(fields=["tenant", "hour"], name="crm_erasedhour_of_tenant"),  # what this hour has cost
        ]


class RollupProgress(models.Model):
    """From when on hours may be incomplete: one row for all companies, which holds no one's figures."""

    complete_until = models.DateTimeField()
    refreshed_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.complete_until)
