from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models import Membership, Queue
from tenants.rls import Fence, TenantReference
from whatsapp.capabilities import CAPABILITIES
from whatsapp.interactive import MOST_FLOW_LABEL, MOST_PRODUCT
from whatsapp.models import Flow, Number


class ReplyKind(models.TextChoices):
    """What goes out with the words of a quick reply."""

    TEXT = "text", _("nothing")
    CHOICES = "choices", _("choices to tap")
    LOCATION = "location", _("a button that sends where they are")
    PHONE = "phone", _("a button that sends their phone number")
    FLOW = "flow", _("a form to fill in")
    PRODUCT = "product", _("a product of the catalogue")


ASKING = (ReplyKind.LOCATION, ReplyKind.PHONE)


class QuickReplyQuerySet(models.QuerySet["QuickReply"]):
    def usable_by(self, membership: Membership) -> "QuickReplyQuerySet":
        """Those of everybody, and those of the member's queues."""
        if membership.sees_everything:
            return self
        return self.filter(models.Q(queue=None) | models.Q(queue_id__in=membership.queue_ids))

    def usable_in(self, queue: Queue | UUID) -> "QuickReplyQuerySet":
        """Those of everybody, and those of the queue that a conversation is in, whoever answers it."""
        return self.filter(models.Q(queue=None) | models.Q(queue=queue))

    def usable_from(self, number: Number) -> "QuickReplyQuerySet":
        """Those whose form, product or request this number can send; choices alone fall back to their words."""
        able = CAPABILITIES[number.provider]
        flows = Flow.objects.sendable_from(number) if able.flows else Flow.objects.none()
        found = self.filter(models.Q(flow=None) | models.Q(flow__in=flows))
        if not able.interactive:
            found = found.filter(asks="")
        return found if able.interactive and number.catalog_id else found.filter(product="")


class QuickReplyManager(TenantManager.from_queryset(QuickReplyQuerySet)):  # type: ignore[misc]
    pass


class QuickReply(TenantModel):
    """Words that are prepared for what is asked often, found by a short name; `{first_name}` and the like are filled in.

    At most one of `options`, `asks`, `flow` and `product` goes out with them.
    """

    shortcut = models.SlugField(_("shortcut"), max_length=30, help_text=_("What one types after “/”."))
    text = models.TextField(_("text"), max_length=4096)
    # One a line, as `whatsapp.interactive.offering` reads them.
    options = models.TextField(_("choices to tap"), max_length=2000, blank=True)
    asks = models.CharField(
        max_length=10, choices=[(kind.value, kind.label) for kind in ASKING], blank=True, default="", db_default=""
    )
    flow = TenantForeignKey(Flow, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    flow_label = models.CharField(max_length=MOST_FLOW_LABEL, blank=True, default="", db_default="")
    product = models.CharField(max_length=MOST_PRODUCT, blank=True, default="", db_default="")
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
            TenantReference("flow", name="crm_quickreply_flow_fk"),
        ]
        # Deleting a Flow
        indexes = [models.Index(fields=["flow"], name="crm_quickreply_flow")]

    def __str__(self) -> str:
        return f"/{self.shortcut}"

    @property
    def kind(self) -> ReplyKind:
        if self.flow_id:
            return ReplyKind.FLOW
        if self.product:
            return ReplyKind.PRODUCT
        if self.asks:
            return ReplyKind(self.asks)
        return ReplyKind.CHOICES if self.options else ReplyKind.TEXT
