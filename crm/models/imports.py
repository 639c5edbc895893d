from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedJSONField, EncryptedTextField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference

UNDONE_WITHIN = timedelta(days=7)


class ImportState(models.TextChoices):
    CHECKING = "checking", _("being checked")
    CHECKED = "checked", _("checked")
    RUNNING = "running", _("being imported")
    DONE = "done", _("imported")
    UNDOING = "undoing", _("being undone")
    UNDONE = "undone", _("undone")


BUSY = (ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)


class ContactImport(TenantModel):
    """A file of contacts: read, checked row by row, brought in page by page, and taken back if somebody wishes.

    `mapping` is column → what it is (`name`, `phone`, …; empty: left out). `fixes` are the answers to errors, for all rows
    that have them: `{"country": "PE", "without_email": true}`. `faults` are the rows with an error as `[row, kind,
    what is written]`, the first thousand; `found` counts what the check found, `place` how many rows are done.
    """

    filename = models.CharField(max_length=200)
    content = EncryptedTextField(default="")
    columns: Any = EncryptedJSONField(default=list)
    mapping: Any = EncryptedJSONField(default=dict)
    fixes: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    uses_consent = models.BooleanField(default=False)
    label = models.CharField(max_length=60, blank=True, default="")
    state = models.CharField(max_length=8, choices=ImportState, default=ImportState.CHECKING)
    total = models.PositiveIntegerField(default=0)
    place = models.PositiveIntegerField(default=0)
    found: "models.JSONField[dict[str, int], dict[str, int]]" = models.JSONField(default=dict)
    faults: Any = EncryptedJSONField(default=list)
    created_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("import of contacts")
        verbose_name_plural = _("imports of contacts")
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_contactimport_fence"),
            TenantReference("created_by", name="crm_contactimport_created_by_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="crm_contactimport_newest"),
            models.Index(
                fields=["created_at"],
                name="crm_contactimport_busy",
                condition=models.Q(state__in=["checking", "running", "undoing"]),
            ),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_busy(self) -> bool:
        return self.state in BUSY

    def can_be_undone(self, now: datetime) -> bool:
        return self.state == ImportState.DONE and self.ended_at is not None and now < self.ended_at + UNDONE_WITHIN


class ContactImportPage(TenantModel):
    """What one page of an import did: which contacts it made, and how those were that it changed."""

    of = TenantForeignKey(ContactImport, on_delete=models.CASCADE, related_name="pages")
    first_row = models.PositiveIntegerField()
    made: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    changed: Any = EncryptedJSONField(default=dict)
    is_undone = models.BooleanField(default=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["of", "first_row"], name="crm_contactimportpage_key"),
            Fence(name="crm_contactimportpage_fence", referenced=False),
            TenantReference("of", name="crm_contactimportpage_of_fk"),
        ]

    def __str__(self) -> str:
        return str(self.first_row)
