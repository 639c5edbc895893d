import re
from typing import Any

from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantModel
from tenants.rls import Fence
from whatsapp.template_filling import FlowButton, Slot, flow_button, slots


class TemplateStatus(models.TextChoices):
    APPROVED = "APPROVED", _("approved")
    PENDING = "PENDING", _("in review")
    REJECTED = "REJECTED", _("rejected")
    PAUSED = "PAUSED", _("paused by Meta")
    DISABLED = "DISABLED", _("disabled by Meta")
    IN_APPEAL = "IN_APPEAL", _("in appeal")
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED", _("over the limit of templates")
    ARCHIVED = "ARCHIVED", _("archived by Meta")
    PENDING_DELETION = "PENDING_DELETION", _("being deleted")
    DELETED = "DELETED", _("deleted")


class TemplateQuality(models.TextChoices):
    """What people's reports and blocks say of it; Meta's words."""

    GREEN = "GREEN", _("high")
    YELLOW = "YELLOW", _("medium")
    RED = "RED", _("low")
    UNKNOWN = "UNKNOWN", _("not rated yet")


class Template(TenantModel):
    """A message Meta has approved in one language: the only thing that may be sent when the window is closed.

    Belongs to a business account (WABA), so all its numbers may use it. `components` are Meta's, verbatim. Each aspect
    has the moment Meta last told us of it (`status_at`, …), so that what comes late or twice changes nothing.
    """

    waba_id = models.CharField(_("WhatsApp business account"), max_length=64)
    provider_template_id = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=10)
    category = models.CharField(_("category"), max_length=20)
    # Meta's word; a status we do not know is kept and simply is not APPROVED.
    status = models.CharField(_("status"), max_length=20)
    components = models.JSONField(default=list)
    quality = models.CharField(_("quality"), max_length=10, blank=True, default="")
    # Why it is what it is, in Meta's words: INVALID_FORMAT, FIRST_PAUSE …; `advice` is what Meta recommends.
    reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    advice = models.CharField(_("advice"), max_length=500, blank=True, default="")
    previous_category = models.CharField(_("previous category"), max_length=20, blank=True, default="")
    # Meta announces a change of category a day ahead.
    coming_category = models.CharField(_("coming category"), max_length=20, blank=True, default="")
    category_changes_at = models.DateTimeField(_("category changes"), null=True, editable=False)
    status_at = models.DateTimeField(null=True, editable=False)
    quality_at = models.DateTimeField(null=True, editable=False)
    category_at = models.DateTimeField(null=True, editable=False)
    components_at = models.DateTimeField(null=True, editable=False)
    # What stands in a variable before a person writes: {"1": "{first_name}"}.
    prefilled = models.JSONField(_("filled in from the contact"), default=dict, blank=True)
    # The file that Meta's reviewer was last shown as its header, kept here so that a change need not bring it again:
    # {stored_as, name, mime_type, size}.
    example = models.JSONField(null=True, editable=False)
    # Written by whoever sends with it, at most once a minute.
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    synced_at = models.DateTimeField(_("synchronised"), null=True, editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        base_manager_name = "objects"
        ordering = ["name", "language"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "waba_id", "name", "language"], name="whatsapp_template_key"),
            Fence(name="whatsapp_template_fence"),
        ]
        # Webhooks name the account, not the tenant.
        indexes = [models.Index(fields=["waba_id", "name", "language"], name="whatsapp_template_of_account")]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def is_approved(self) -> bool:
        return self.status == TemplateStatus.APPROVED

    @cached_property
    def slots(self) -> list[Slot] | None:
        """What a message has to give it; read once, as many messages may be sent with one template."""
        return slots(self.components)

    @cached_property
    def flow_button(self) -> FlowButton | None:
        """Its button that opens a Flow; read once, as the slots are."""
        return flow_button(self.components)

    @property
    def body(self) -> str:
        return self._text_of("BODY")

    @property
    def footer(self) -> str:
        return self._text_of("FOOTER")

    @property
    def variables(self) -> list[str]:
        """Names of the body's variables in order of first appearance: `1`, `2` … or words."""
        return list(dict.fromkeys(re.findall(r"\{\{\s*(\w+)\s*\}\}", self.body)))

    def filled(self, values: dict[str, str]) -> str:
        """The body as the customer will read it; a variable without a value stays visible as `{{name}}`."""
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: values.get(match[1]) or match[0], self.body)

    def _text_of(self, kind: str) -> str:
        return next((part.get("text", "") for part in self._parts() if part.get("type", "").upper() == kind), "")

    def _parts(self) -> list[dict[str, Any]]:
        return [part for part in self.components if isinstance(part, dict)]
