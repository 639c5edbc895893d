from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.encryption import EncryptedBinaryField
from tenants.rls import Fence
from whatsapp.models.numbers import ProviderName


class EventState(models.TextChoices):
    NEW = "new", _("waiting")
    DONE = "done", _("done")
    UNROUTED = "unrouted", _("no such number")
    DEAD = "dead", _("given up")


class WebhookEvent(models.Model):
    """A webhook exactly as it came, sealed, stored before it was answered. Never deleted because it failed.

    `tenant` is known only after reading it, and stays empty when one delivery concerns several companies.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", null=True, on_delete=models.CASCADE, related_name="+", editable=False)
    provider = models.CharField(_("provider"), max_length=10, choices=ProviderName, default=ProviderName.CLOUD)
    endpoint_key = models.CharField(_("endpoint"), max_length=64, blank=True)
    body = EncryptedBinaryField()
    received_at = models.DateTimeField(_("received"), db_default=Now(), editable=False)
    state = models.CharField(_("state"), max_length=10, choices=EventState, default=EventState.NEW)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_attempt_at = models.DateTimeField(_("next try"), db_default=Now(), editable=False)
    processed_at = models.DateTimeField(_("processed"), null=True, editable=False)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    unrouted_number_ids = ArrayField(models.CharField(max_length=64), default=list, blank=True)

    objects = models.Manager()

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        # The intake works before anybody's tenant is known: it may add, and read nothing.
        constraints = [Fence(name="whatsapp_webhookevent_fence", accepts="tenant_id IS NULL", referenced=False)]
        indexes = [
            # drain(): the oldest that are due
            models.Index(fields=["next_attempt_at", "id"], name="whatsapp_event_due", condition=models.Q(state="new")),
            # what needs a person; few rows
            models.Index(
                fields=["state", "id"], name="whatsapp_event_stuck", condition=models.Q(state__in=["unrouted", "dead"])
            ),
            # retention and "since": BRIN would do, but partitions by day replace both
            models.Index(fields=["received_at"], name="whatsapp_event_received"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
