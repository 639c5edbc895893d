from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.audit import audited
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedBinaryField, EncryptedJSONField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference


class ErasureReason(models.TextChoices):
    """Why somebody is erased. No free text: it would name them."""

    REQUEST = "request", _("the person asked for it")
    CONSENT = "consent", _("they took back their consent")
    AUTHORITY = "authority", _("an authority ordered it")
    OTHER = "other", _("another reason")


class ErasureDoor(models.TextChoices):
    """Through what it was asked for."""

    PAGE = "page", _("the contact’s page")
    API = "api", _("API")
    COMMAND = "command", _("the command line")
    RESTORE = "restore", _("again after a restore")


class ErasureStep(models.TextChoices):
    """What is done next; the order is the order of the work."""

    WEBHOOKS = "webhooks", _("stored webhooks")
    MESSAGES = "messages", _("messages")
    LISTS = "lists", _("imports and lists")
    REST = "rest", _("the contact")
    DONE = "done", _("done")


class ErasureKey(TenantModel):
    """The secret with which a company's digests of erased people are made, sealed like everything secret.

    Random and never changed, so that digests outlive every rotation of the master keys. A company has one; a second one
    only where a list of erasures was brought to a database that had already made its own.
    """

    key = EncryptedBinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [Fence(name="crm_erasurekey_fence", referenced=False)]
        indexes = [models.Index(fields=["tenant"], name="crm_erasurekey_of_tenant")]

    def __str__(self) -> str:
        return str(self.pk)


@audited(exclude=("step", "place", "list_place", "addresses", "files", "counts"))
class Erasure(TenantModel):
    """That somebody was erased: a tombstone without a name on it, and until it is done the work. See `crm.erasing`.

    `contact_ids` are the contact and those that had been merged into it. What they said or were sent up to `until` is not
    heard any more. `addresses` says whom to look for while the work lasts (`{"phones": […], "ids": […], "emails": […]}`),
    `files` which stored files have lost their message and are to be deleted; both are empty when it is done. `counts` says
    how much went. A wish to get no marketing outlives the person: it is given to whoever has the address next.
    """

    contact_ids = ArrayField(models.UUIDField())
    reason = models.CharField(_("reason"), max_length=10, choices=ErasureReason)
    door = models.CharField(max_length=8, choices=ErasureDoor)
    asked_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(_("asked"))
    until = models.DateTimeField()
    marketing_stopped = models.BooleanField(default=False)
    marketing_source = models.CharField(max_length=8, blank=True, default="")
    step = models.CharField(max_length=8, choices=ErasureStep, default=ErasureStep.WEBHOOKS)
    place = models.BigIntegerField(default=0)  # the last stored webhook that was looked at
    list_place = models.UUIDField(null=True)  # the last import
    addresses: Any = EncryptedJSONField(null=True)
    files = ArrayField(models.CharField(max_length=200), default=list)
    counts: "models.JSONField[dict[str, int], dict[str, int]]" = models.JSONField(default=dict)
    done_at = models.DateTimeField(_("done"), null=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_erasure_fence"),
            TenantReference("asked_by", name="crm_erasure_asked_by_fk"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-asked_at", "-id"], name="crm_erasure_newest"),  # the page of erasures
            models.Index(fields=["tenant", "until"], name="crm_erasure_until"),  # may a message be an erased person's?
            models.Index(fields=["asked_at"], name="crm_erasure_open", condition=models.Q(done_at=None)),  # the work
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_done(self) -> bool:
        return self.done_at is not None


class ErasureDigest(TenantModel):
    """One address of somebody who was erased, as a keyed digest: enough to know it again, useless to read it."""

    erasure = TenantForeignKey(Erasure, on_delete=models.CASCADE, related_name="digests", db_index=True)
    digest = models.CharField(max_length=32)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "digest", "erasure"], name="crm_erasuredigest_key"),
            Fence(name="crm_erasuredigest_fence", referenced=False),
            TenantReference("erasure", name="crm_erasuredigest_erasure_fk"),
        ]

    def __str__(self) -> str:
        return self.digest
