"""The chain's own tables. They outlive what they tell about: nothing here refers to a row that may go."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tenants.base import TenantManager
from tenants.encryption import EncryptedBinaryField
from tenants.rls import Fence


def _of_tenant() -> Any:
    return models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.DO_NOTHING,
        related_name="+",
        editable=False,
        db_index=False,
        db_constraint=False,
    )


class ChainKey(models.Model):
    """A random key of a tenant's chain, sealed as all content is, so that `rotate_keys` needs no entry to change.

    A new master key begins a new one: whoever stole the old master can make no entries that come after.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = _of_tenant()
    number = models.SmallIntegerField()
    master = models.IntegerField()  # the master key that was the newest when this one was made
    key = EncryptedBinaryField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="tenants_chainkey_number_key"),
            Fence(name="tenants_chainkey_fence", referenced=False),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} · {self.number}"


class ChainEntry(models.Model):
    """One row of history as it was when it was sealed. Written once, in the order of `seq`, without gaps."""

    pk = models.CompositePrimaryKey("tenant_id", "seq")
    tenant = _of_tenant()
    seq = models.BigIntegerField()
    table_name = models.CharField(max_length=63)
    event_id = models.BigIntegerField()
    happened_at = models.DateTimeField()
    sealed_at = models.DateTimeField()
    # How many of the table's columns are covered, counted as they were added: those of later migrations are not.
    width = models.SmallIntegerField()
    key_number = models.SmallIntegerField()
    digest = models.BinaryField()  # of the row; the entry can be read as genuine when the row is gone
    previous = models.BinaryField()
    mac = models.BinaryField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "table_name", "event_id"], name="tenants_chainentry_event_key"),
            Fence(name="tenants_chainentry_fence", referenced=False, writable=False),
        ]
        indexes = [
            # Until when a table's history is sealed: what turns up from long before has been invented.
            models.Index(fields=["tenant", "table_name", "-happened_at"], name="tenants_chainentry_latest")
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} · {self.seq}"


class ForgottenEvent(models.Model):
    """A row of history that an erasure removed. Only `forget_history()`, in the database, writes it."""

    id = models.BigAutoField(primary_key=True)
    tenant = _of_tenant()
    table_name = models.CharField(max_length=63)
    event_id = models.BigIntegerField()
    erasure = models.CharField(max_length=120)
    forgotten_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "table_name", "event_id"], name="tenants_forgottenevent_key"),
            Fence(name="tenants_forgottenevent_fence", referenced=False, writable=False),
        ]

    def __str__(self) -> str:
        return f"{self.table_name} · {self.event_id}"


class SealingProgress(models.Model):
    """Up to which row of a table of history nothing is left to seal: so that sealing need not look at all of it."""

    table_name = models.CharField(max_length=63, primary_key=True)
    settled_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.table_name} · {self.settled_id}"
