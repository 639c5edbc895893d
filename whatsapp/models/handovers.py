from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.audit import audited
from tenants.base import TenantForeignKey, TenantModel
from tenants.rls import Fence, TenantReference
from whatsapp.models.numbers import Number


class HandoverKind(models.TextChoices):
    CONTACTS = "contacts", _("contacts")
    HISTORY = "history", _("past chats")


class HandoverState(models.TextChoices):
    ASKED = "asked", _("being asked for")
    TAKEN = "taken", _("asked for")  # WhatsApp took the request; what it brings comes by webhook
    REFUSED = "refused", _("refused")
    DECLINED = "declined", _("not shared")  # by whom the phone belongs to


@audited(exclude=("attempts", "claimed_until", "progress", "heard_at"))
class Handover(TenantModel):
    """What the phone that shares a number has from before: asked for by a person, and handed over once a connection.

    The newest asking counts; the row's history tells of those before.
    """

    MOST_ATTEMPTS: ClassVar[int] = 8

    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="handovers")
    kind = models.CharField(_("kind"), max_length=10, choices=HandoverKind)
    state = models.CharField(_("state"), max_length=10, choices=HandoverState, default=HandoverState.ASKED)
    asked_at = models.DateTimeField(_("asked"))
    request_id = models.CharField(_("request id"), max_length=128, blank=True, default="")
    # One of whatsapp.errors' words, and what WhatsApp said.
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="")
    detail = models.CharField(max_length=300, blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    # Somebody is asking WhatsApp now; after that it may be tried again. The database's clock.
    claimed_until = models.DateTimeField(null=True, editable=False)
    # In percent, of the past alone; and when the last of it came.
    progress = models.PositiveSmallIntegerField(null=True, editable=False)
    heard_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("handover of a phone")
        verbose_name_plural = _("handovers of phones")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["number", "kind"], name="whatsapp_handover_key"),
            Fence(name="whatsapp_handover_fence", referenced=False),
            TenantReference("number", name="whatsapp_handover_number_fk"),
        ]
        indexes = [
            # The sweep: what WhatsApp has not been asked yet
            models.Index(fields=["asked_at"], name="whatsapp_handover_asked", condition=models.Q(state="asked")),
        ]

    def __str__(self) -> str:
        return f"{self.number_id} · {self.kind} · {self.state}"
