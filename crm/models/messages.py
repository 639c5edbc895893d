from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from crm.models.conversations import Conversation
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedJSONField, EncryptedTextField
from tenants.models import Membership
from tenants.rls import Fence, TenantReference
from whatsapp.models import Number


class Direction(models.TextChoices):
    INBOUND = "inbound", _("inbound")
    OUTBOUND = "outbound", _("outbound")


class Source(models.TextChoices):
    CUSTOMER = "customer", _("customer")
    AGENT = "agent", _("agent")
    SEQUENCE = "sequence", _("sequence")
    BROADCAST = "broadcast", _("broadcast")
    ASSISTANT = "assistant", _("assistant")
    PHONE = "phone", _("phone")
    API = "api", _("API")


class MessageStatus(models.TextChoices):
    QUEUED = "queued", _("waiting to be sent")
    SENDING = "sending", _("sending")
    UNKNOWN = "unknown", _("we do not know whether it arrived")
    ACCEPTED = "accepted", _("accepted by WhatsApp")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    READ = "read", _("read")
    PLAYED = "played", _("played")
    FAILED = "failed", _("not sent")
    RECEIVED = "received", _("received")


class Priority(models.IntegerChoices):
    """People before sequences before campaigns."""

    PERSON = 0, _("person")
    SEQUENCE = 1, _("sequence")
    CAMPAIGN = 2, _("campaign")


CUE_LENGTH = 100
# Rows about another message, which they name in `quoted_message_id`: see `crm.amending`.
AMENDMENTS = ("edit", "revoke", "call_end")
# Rows that nobody wrote: they stand in the thread, and move neither it nor anybody's waiting.
NOTES = (*AMENDMENTS, "system")


class Message(TenantModel):
    """One message, in or out. For outbound ones this row is also the outbox: see `crm.outbound`.

    `sent_at` is the moment it has in the thread: WhatsApp's timestamp for what came in, the moment of writing for what
    goes out. `status` is always the function of the timestamps that `crm.inbound` and `crm.outbound` share.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    number = TenantForeignKey(Number, on_delete=models.PROTECT, related_name="+")
    direction = models.CharField(max_length=8, choices=Direction)
    source = models.CharField(max_length=10, choices=Source)
    type = models.CharField(max_length=40)
    text = EncryptedTextField(default="")
    payload: Any = EncryptedJSONField(default=dict)
    author = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    client_id = models.UUIDField(null=True)
    provider_message_id = models.CharField(max_length=200, null=True)
    quoted_message_id = models.CharField(max_length=200, blank=True, default="")  # the provider's id
    # What may begin something by itself, see `crm.inbound.entries.Entry.cue`. The rest of what was said is sealed.
    cue = models.CharField(max_length=CUE_LENGTH, blank=True, default="", db_default="", editable=False)
    sent_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    status = models.CharField(max_length=10, choices=MessageStatus)
    accepted_at = models.DateTimeField(null=True)
    left_at = models.DateTimeField(null=True)  # the provider's "sent": it left Meta, one tick
    delivered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    played_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error_reason = models.CharField(max_length=40, blank=True, default="")
    error_code = models.IntegerField(null=True)
    error_detail = models.TextField(blank=True, default="")

    # The outbox half; database time.
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.PERSON)
    attempt = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    unknown_at = models.DateTimeField(null=True)
    resent = models.BooleanField(default=False)

    template_category = models.CharField(max_length=20, blank=True, default="")  # lower case: marketing, utility …

    # What the provider says it cost by kind. The amount is what we expect until it does; null: no rate is known.
    country = models.CharField(max_length=2, blank=True, default="")  # the recipient's, which sets the price
    pricing_category = models.CharField(max_length=40, blank=True, default="")
    pricing_type = models.CharField(max_length=40, blank=True, default="")
    billable = models.BooleanField(null=True)
    cost_amount = models.DecimalField(max_digits=10, decimal_places=5, null=True)
    cost_currency = models.CharField(max_length=3, blank=True, default="")

    objects: ClassVar[Any] = TenantManager()

    amendment: Any = None  # what became of it, once `crm.amending.amend` has looked

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        base_manager_name = "objects"
        constraints = [
            # Meta repeats deliveries for up to 7 days; this is what makes the second a no-op, for ever.
            models.UniqueConstraint(fields=["number", "provider_message_id"], name="crm_message_provider_id_key"),
            # A double click is one message.
            models.UniqueConstraint(fields=["conversation", "client_id"], name="crm_message_client_id_key"),
            Fence(name="crm_message_fence"),
            TenantReference("conversation", name="crm_message_conversation_fk"),
            TenantReference("number", name="crm_message_number_fk"),
            TenantReference("author", name="crm_message_author_fk"),
        ]
        indexes = [
            models.Index(fields=["conversation", "sent_at", "id"], name="crm_message_thread"),
            # What became of the messages on a page
            models.Index(
                fields=["number", "quoted_message_id"],
                name="crm_message_amendments",
                condition=models.Q(type__in=AMENDMENTS),
            ),
            # dispatch(): what is due on a number, people first
            models.Index(
                fields=["number", "priority", "next_attempt_at", "id"],
                name="crm_message_due",
                condition=models.Q(status="queued"),
            ),
            # Reports and budgets: what one company sent in a time
            models.Index(fields=["tenant", "sent_at"], name="crm_message_time"),
            # Who came from an ad or pressed a button lately
            models.Index(fields=["tenant", "sent_at"], name="crm_message_cued", condition=~models.Q(cue="")),
            # What a sequence or campaign sent in vain
            models.Index(
                fields=["failed_at"],
                name="crm_message_failed_by_itself",
                condition=models.Q(status="failed", priority__gt=0),
            ),
            # reconcile(): leases that ran out, unknown outcomes
            models.Index(
                fields=["status", "lease_expires_at"],
                name="crm_message_in_doubt",
                condition=models.Q(status__in=["sending", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.type} {self.status}"

    @property
    def is_outbound(self) -> bool:
        return self.direction == Direction.OUTBOUND

    @property
    def words(self) -> str:
        """What it says now, after every edit that is known."""
        return self.amendment.words if self.amendment and self.amendment.words is not None else self.text


class Reaction(TenantModel):
    """An emoji on a message: one from the customer, one from us. May arrive before the message it is on."""

    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    target_message_id = models.CharField(max_length=200)  # the provider's id
    ours = models.BooleanField(default=False)
    emoji = EncryptedTextField(default="")  # empty: taken away
    provider_message_id = models.CharField(max_length=200, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("reaction")
        verbose_name_plural = _("reactions")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["number", "target_message_id", "ours"], name="crm_reaction_key"),
            Fence(name="crm_reaction_fence", referenced=False),
            TenantReference("number", name="crm_reaction_number_fk"),
        ]

    def __str__(self) -> str:
        return self.target_message_id


class UnmatchedStatus(TenantModel):
    """A status that came before we knew its message id: the webhook can beat the answer to our own request."""

    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    provider_message_id = models.CharField(max_length=200)
    status = models.CharField(max_length=20)
    at = models.DateTimeField()
    facts = models.JSONField(default=dict)  # error code and text, pricing
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("unmatched status")
        verbose_name_plural = _("unmatched statuses")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["number", "provider_message_id", "status"], name="crm_unmatchedstatus_key"),
            Fence(name="crm_unmatchedstatus_fence", referenced=False),
            TenantReference("number", name="crm_unmatchedstatus_number_fk"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_message_id} {self.status}"
