from typing import Any, ClassVar

from django.db import models

from tenants.base import TenantManager
from tenants.rls import Fence


class MessageWord(models.Model):
    """A word of a message as a keyed number: what the search finds without opening what is sealed.

    Filled in the background; see `crm.searching`. Without references: a row whose message is gone finds nothing.
    """

    pk = models.CompositePrimaryKey("tenant_id", "token", "message_id")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    token = models.BigIntegerField()
    # UUIDv7, so that the key's own order is the order of time and the newest come first.
    message_id = models.UUIDField()
    conversation_id = models.UUIDField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [Fence(name="crm_messageword_fence", referenced=False)]
        indexes = [models.Index(fields=["message_id"], name="crm_messageword_message")]  # what is indexed already

    def __str__(self) -> str:
        return str(self.message_id)


class SearchProgress(models.Model):
    """How far the words have been taken: one row for all companies, which only the system sees."""

    done_until = models.UUIDField()

    def __str__(self) -> str:
        return str(self.done_until)
