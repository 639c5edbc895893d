from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantManager, TenantModel
from tenants.encryption import EncryptedTextField
from tenants.rls import Fence


class StepFile(TenantModel):
    """A file that a step sends, kept once; versions name it by its id. `kind` is what WhatsApp takes it as."""

    kind = models.CharField(max_length=10)
    mime_type = models.CharField(max_length=120)
    filename = EncryptedTextField(default="")
    stored_as = models.CharField(max_length=200)
    size = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("file of a step")
        verbose_name_plural = _("files of steps")
        base_manager_name = "objects"
        constraints = [Fence(name="sequences_stepfile_fence", referenced=False)]

    def __str__(self) -> str:
        return self.kind
