from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantModel
from tenants.rls import Fence, TenantReference
from whatsapp.models.numbers import Number


class HealthKind(models.TextChoices):
    CONNECTED = "connected", _("connected")
    QUALITY = "quality", _("quality")
    LIMIT = "limit", _("messaging limit")
    THROUGHPUT = "throughput", _("throughput")
    STATUS = "status", _("status")
    NAME = "name", _("display name")
    NAME_REVIEW = "name_review", _("name review")
    TOKEN = "token", _("token")
    SENDING = "sending", _("may send")
    ACCOUNT = "account", _("business account")
    SECURITY = "security", _("security")
    ERROR = "error", _("error")


class HealthChange(TenantModel):
    """Something about a number's health was one thing and is now another: a line of its timeline, kept for a while.

    `before` and `after` are WhatsApp's words, never content or secrets.
    """

    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="health_changes")
    kind = models.CharField(max_length=12, choices=HealthKind)
    before = models.CharField(max_length=120, blank=True, default="")
    after = models.CharField(max_length=120, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("change of a number's health")
        verbose_name_plural = _("changes of numbers' health")
        base_manager_name = "objects"
        constraints = [
            # WhatsApp repeats its webhooks: the second telling of the same change is none.
            models.UniqueConstraint(fields=["number", "kind", "after", "at"], name="whatsapp_healthchange_key"),
            Fence(name="whatsapp_healthchange_fence", referenced=False),
            TenantReference("number", name="whatsapp_healthchange_number_fk"),
        ]
        indexes = [
            models.Index(fields=["number", "-at"], name="whatsapp_healthchange_timeline"),
            models.Index(fields=["at"], name="whatsapp_healthchange_forget"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.before} → {self.after}"
