from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models import Membership, Queue
from tenants.rls import Fence, TenantReference


class QuickReplyQuerySet(models.QuerySet["QuickReply"]):
    def usable_by(self, membership: Membership) -> "QuickReplyQuerySet":
        """Those of everybody, and those of the member's queues."""
        if membership.sees_everything:
            return self
        return self.filter(models.Q(queue=None) | models.Q(queue_id__in=membership.queue_ids))


class QuickReplyManager(TenantManager.from_queryset(QuickReplyQuerySet)):  # type: ignore[misc]
    pass


class QuickReply(TenantModel):
    """Words that are prepared for what is asked often, found by a short name; `{first_name}` and the like are filled in."""

    shortcut = models.SlugField(_("shortcut"), max_length=30, help_text=_("What one types after “/”."))
    text = models.TextField(_("text"), max_length=4096)
    # One a line, as `whatsapp.interactive.offering` reads them.
    options = models.TextField(_("choices to tap"), max_length=2000, blank=True)
    queue = TenantForeignKey(
        Queue, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("queue")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = QuickReplyManager()

    class Meta:
        verbose_name = _("quick reply")
        verbose_name_plural = _("quick replies")
        base_manager_name = "objects"
        ordering = ["shortcut"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "shortcut"], name="crm_quickreply_key"),
            Fence(name="crm_quickreply_fence", referenced=False),
            TenantReference("queue", name="crm_quickreply_queue_fk"),
        ]

    def __str__(self) -> str:
        return f"/{self.shortcut}"
