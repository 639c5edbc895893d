import hashlib
import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedTextField
from tenants.rls import Fence, TenantReference
from whatsapp.flows.forms import Form
from whatsapp.models.numbers import Number


class KeyState(models.TextChoices):
    PENDING = "pending", _("not uploaded")
    UNCHECKED = "unchecked", _("uploaded, not checked")
    VALID = "valid", _("valid")
    MISMATCH = "mismatch", _("WhatsApp has another key")


class FlowKeyManager(TenantManager):
    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().defer("private_key")


class FlowKey(TenantModel):
    """The key pair with which phones seal what people fill in for one of our numbers.

    A number has at most one that is waiting to be uploaded and one in use; a replaced one still opens what phones that
    have not heard of the new one seal with it.
    """

    # Phones ask for the new key when an exchange is refused; a Flow that is open now ends long before.
    REPLACED_FOR: ClassVar[timedelta] = timedelta(hours=24)
    TRY_AGAIN_AFTER: ClassVar[timedelta] = timedelta(minutes=1)

    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="flow_keys")
    private_key = EncryptedTextField()
    public_key = models.TextField()
    state = models.CharField(_("state"), max_length=10, choices=KeyState, default=KeyState.PENDING)
    # Why WhatsApp did not take it, as it said.
    refusal = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    uploaded_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = FlowKeyManager()

    class Meta:
        verbose_name = _("Flow key")
        verbose_name_plural = _("Flow keys")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["number"], condition=models.Q(uploaded_at=None), name="whatsapp_flowkey_one_waiting"
            ),
            models.UniqueConstraint(
                fields=["number"],
                condition=models.Q(uploaded_at__isnull=False, replaced_at=None),
                name="whatsapp_flowkey_one_in_use",
            ),
            Fence(name="whatsapp_flowkey_fence", referenced=False),
            TenantReference("number", name="whatsapp_flowkey_number_fk"),
        ]
        # The endpoint: every key of these numbers
        indexes = [models.Index(fields=["number", "-created_at"], name="whatsapp_flowkey_of_number")]

    def __str__(self) -> str:
        return f"{self.number_id} · {self.state}"


class FlowStatus(models.TextChoices):
    DRAFT = "DRAFT", _("draft")
    PUBLISHED = "PUBLISHED", _("published")
    DEPRECATED = "DEPRECATED", _("deprecated")
    BLOCKED = "BLOCKED", _("blocked by Meta")
    THROTTLED = "THROTTLED", _("throttled by Meta")


class FlowWish(models.TextChoices):
    """What a person asked for and WhatsApp has not been told yet."""

    UPLOAD = "upload", _("being uploaded")
    PUBLISH = "publish", _("being published")
    DEPRECATE = "deprecate", _("being deprecated")
    DELETE = "delete", _("being deleted")


# Published, or published and slowed down.
SENDABLE = (FlowStatus.PUBLISHED, FlowStatus.THROTTLED)


class FlowQuerySet(models.QuerySet["Flow"]):
    def sendable(self) -> "FlowQuerySet":
        """Those that WhatsApp lets us send."""
        return self.filter(status__in=SENDABLE).exclude(provider_flow_id="")

    def sendable_from(self, number: Number) -> "FlowQuerySet":
        """Those of the number's business account that WhatsApp lets us send."""
        return self.sendable().filter(waba_id=number.waba_id).exclude(waba_id="")


class FlowManager(TenantManager.from_queryset(FlowQuerySet)):  # type: ignore[misc]
    pass


class Flow(TenantModel):
    """A form that opens inside WhatsApp. Belongs to a business account (WABA), so all its numbers may send it."""

    waba_id = models.CharField(_("WhatsApp business account"), max_length=64)
    provider_flow_id = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=200)
    # Meta's word; a status we do not know is kept and simply is not PUBLISHED.
    status = models.CharField(_("status"), max_length=20, default=FlowStatus.DRAFT)
    categories = ArrayField(models.CharField(max_length=40), default=list)
    # The file as it was uploaded, because Meta's errors name its lines.
    source = models.TextField(blank=True)
    validation_errors = models.JSONField(default=list, blank=True)
    # What Meta last said of the endpoint's speed and errors, by event: {"ENDPOINT_LATENCY": {…}}.
    health = models.JSONField(default=dict, blank=True)
    wish = models.CharField(max_length=10, choices=FlowWish, blank=True)
    # Somebody is telling WhatsApp now; after that it may be tried again. The database's clock.
    claimed_until = models.DateTimeField(null=True, editable=False)
    refusal = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    synced_at = models.DateTimeField(_("synchronised"), null=True, editable=False)

    objects: ClassVar[Any] = FlowManager()

    class Meta:
        verbose_name = _("Flow")
        verbose_name_plural = _("Flows")
        base_manager_name = "objects"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "waba_id", "name"], name="whatsapp_flow_key"),
            models.UniqueConstraint(
                fields=["tenant", "waba_id", "provider_flow_id"],
                condition=~models.Q(provider_flow_id=""),
                name="whatsapp_flow_provider_key",
            ),
            Fence(name="whatsapp_flow_fence"),
        ]
        # The sweep: what WhatsApp has not been told yet
        indexes = [
            models.Index(fields=["created_at"], name="whatsapp_flow_wished", condition=~models.Q(wish="")),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def form(self) -> Form:
        """The screens as the file describes them; none when it is not a Flow's JSON."""
        try:
            return Form.of(json.loads(self.source or "{}"))
        except ValueError:
            return Form()

    def wants(self, wish: FlowWish | None) -> None:
        """Ask for something that WhatsApp is to be told (None: nothing more); what it refused before is forgotten."""
        self.wish, self.claimed_until, self.refusal = wish or "", None, ""
        self.save(update_fields=["wish", "claimed_until", "refusal"])

    @property
    def is_sendable(self) -> bool:
        """Whether WhatsApp lets us send it."""
        return self.status in SENDABLE and bool(self.provider_flow_id)

    @property
    def status_shown(self) -> str:
        """The status in words; Meta's own where we do not know it."""
        return str(FlowStatus(self.status).label) if self.status in FlowStatus.values else self.status.lower()


class FlowToken(TenantModel):
    """One sending of a Flow to somebody: whoever shows the token speaks for that person and fills in that Flow.

    `holder` is whom it was made for, in the words of the layer above. Only the token's digest is kept.
    """

    LIFETIME: ClassVar[timedelta] = timedelta(days=3)
    KEPT: ClassVar[timedelta] = timedelta(days=400)  # it says in which words an answer in a thread is shown

    digest = models.CharField(max_length=64)
    number = TenantForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    flow = TenantForeignKey(Flow, on_delete=models.CASCADE, related_name="+")
    holder = models.UUIDField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    # Of the request that used it up: WhatsApp repeats one whose answer was lost, and gets the same answer.
    last_request = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("Flow token")
        verbose_name_plural = _("Flow tokens")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "digest"], name="whatsapp_flowtoken_key"),
            Fence(name="whatsapp_flowtoken_fence", referenced=False),
            TenantReference("number", name="whatsapp_flowtoken_number_fk"),
            TenantReference("flow", name="whatsapp_flowtoken_flow_fk"),
        ]
        indexes = [
            # Forgetting the old ones
            models.Index(fields=["expires_at"], name="whatsapp_flowtoken_expiry"),
            # A merge of contacts takes them along
            models.Index(fields=["holder"], name="whatsapp_flowtoken_holder"),
            # Deleting a Flow
            models.Index(fields=["flow"], name="whatsapp_flowtoken_flow"),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id} · {self.holder}"

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    def is_over(self, now: datetime) -> bool:
        return now >= self.expires_at
