from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedJSONField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference

KEPT_FOR = timedelta(days=7)


class ContactMerge(TenantModel):
    """Contacts that were made one, and what is needed to take them apart again. See `crm.merges`.

    `contact_id` is the one that stayed; no reference, because it may be merged into another one later. `rows` are the
    contacts and conversations as they were and as they became, `moved` the ids of what went from one conversation to
    another, `followed` what the layers above answered. All three are emptied when the time for undoing is over.
    """

    contact_id = models.UUIDField()
    merged_ids = ArrayField(models.UUIDField())
    rows: Any = EncryptedJSONField(null=True)
    moved: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    followed: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    merged_at = models.DateTimeField()
    merged_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("merge of contacts")
        verbose_name_plural = _("merges of contacts")
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_contactmerge_fence", referenced=False),
            TenantReference("merged_by", name="crm_contactmerge_merged_by_fk"),
            TenantReference("undone_by", name="crm_contactmerge_undone_by_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "contact_id", "-merged_at"], name="crm_contactmerge_of_contact"),
            models.Index(fields=["merged_at"], name="crm_contactmerge_kept", condition=models.Q(undone_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.contact_id)

    @property
    def count(self) -> int:
        return len(self.merged_ids)

    def can_be_undone(self, now: datetime) -> bool:
        return self.undone_at is None and now < self.merged_at + KEPT_FOR and bool(self.moved)
