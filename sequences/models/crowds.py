from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from sequences.models.sequences import Sequence
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedJSONField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference


class BulkEnrollment(TenantModel):
    """Many people who begin a sequence at once, in the background: those of a filter, or of a list of phones (digits).

    `place` says how far it has come: the last conversation of a filter, or how many phones of the list.
    """

    sequence = TenantForeignKey(Sequence, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=60, blank=True, default="")
    days = models.PositiveSmallIntegerField(null=True)  # who wrote in the last ones
    phones: Any = EncryptedJSONField(default=list)
    total = models.PositiveIntegerField(null=True)  # conversations of the filter, or phones of the list
    looked_at = models.PositiveIntegerField(default=0)
    begun = models.PositiveIntegerField(default=0)
    place = models.CharField(max_length=36, blank=True, default="")
    started_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("bulk enrollment")
        verbose_name_plural = _("bulk enrollments")
        base_manager_name = "objects"
        constraints = [
            Fence(name="sequences_bulkenrollment_fence", referenced=False),
            TenantReference("sequence", name="sequences_bulkenrollment_sequence_fk"),
            TenantReference("started_by", name="sequences_bulkenrollment_started_by_fk"),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="sequences_bulk_open", condition=models.Q(ended_at=None)),
            models.Index(fields=["sequence", "-created_at"], name="sequences_bulk_last"),
        ]

    def __str__(self) -> str:
        return f"{self.begun} / {self.total}"

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None
