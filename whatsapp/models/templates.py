import re
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantModel
from tenants.rls import Fence


class TemplateStatus(models.TextChoices):
    APPROVED = "APPROVED", _("approved")
    PENDING = "PENDING", _("in review")
    REJECTED = "REJECTED", _("rejected")
    PAUSED = "PAUSED", _("paused by Meta")
    DISABLED = "DISABLED", _("disabled by Meta")


class Template(TenantModel):
    """A message Meta has approved in one language: the only thing that may be sent when the window is closed.

    Belongs to a business account (WABA), so all its numbers may use it. `components` are Meta's, verbatim.
    """

    waba_id = models.CharField(_("WhatsApp business account"), max_length=64)
    provider_template_id = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=10)
    category = models.CharField(_("category"), max_length=20)
    # Meta's word; a status we do not know is kept and simply is not APPROVED.
    status = models.CharField(_("status"), max_length=20)
    components = models.JSONField(default=list)
    synced_at = models.DateTimeField(_("synchronised"), null=True, editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        base_manager_name = "objects"
        ordering = ["name", "language"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "waba_id", "name", "language"], name="whatsapp_template_key"),
            Fence(name="whatsapp_template_fence", referenced=False),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def is_approved(self) -> bool:
        return self.status == TemplateStatus.APPROVED

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
