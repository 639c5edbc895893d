from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.rls import Fence, TenantReference
from whatsapp.models.templates import Template
from whatsapp.template_content import Wording


class ChangeKind(models.TextChoices):
    CREATE = "create", _("new template")
    EDIT = "edit", _("change")
    DELETE = "delete", _("deletion")


class ChangeState(models.TextChoices):
    DRAFT = "draft", _("draft")
    SENDING = "sending", _("being submitted")
    REFUSED = "refused", _("refused by Meta")


class TemplateChange(TenantModel):
    """What we want Meta to do with a template: a new one, another text, its deletion. Gone once Meta has taken it.

    The row is also its place in the queue that `whatsapp.submitting` works off. While it is being submitted,
    `next_attempt_at` is when it is due, or the end of the lease. Database time.
    """

    kind = models.CharField(_("kind"), max_length=6, choices=ChangeKind)
    template = TenantForeignKey(
        Template, null=True, on_delete=models.CASCADE, related_name="changes", verbose_name=_("template")
    )
    waba_id = models.CharField(_("WhatsApp business account"), max_length=64)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=10, blank=True)  # empty: all of them, for a deletion
    category = models.CharField(_("category"), max_length=20, blank=True)
    content = models.JSONField(default=dict)  # whatsapp.template_content.Wording
    file = models.JSONField(null=True)  # the header's example: {stored_as, name, mime_type, size}
    state = models.CharField(_("state"), max_length=8, choices=ChangeState, default=ChangeState.DRAFT)
    # Meta's answer when it refused: {reason, code, subcode, said}.
    failure = models.JSONField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("change of a template")
        verbose_name_plural = _("changes of templates")
        base_manager_name = "objects"
        ordering = ["name", "language", "created_at"]
        constraints = [
            # One text of a template is written at a time; a deletion may be asked for beside it.
            models.UniqueConstraint(
                fields=["tenant", "waba_id", "name", "language"],
                condition=~models.Q(kind="delete"),
                name="whatsapp_templatechange_key",
            ),
            Fence(name="whatsapp_templatechange_fence", referenced=False),
            TenantReference("template", name="whatsapp_templatechange_template_fk"),
        ]
        indexes = [
            # What is due; the list shows the few that there are.
            models.Index(
                fields=["next_attempt_at"],
                name="whatsapp_templatechange_due",
                condition=models.Q(state="sending"),
            ),
            # Deleting a template takes its changes along.
            models.Index(fields=["tenant", "template"], name="whatsapp_templatechange_of"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def wording(self) -> Wording:
        return Wording.read(self.content)

    @property
    def is_sending(self) -> bool:
        return self.state == ChangeState.SENDING
