from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.audit import audited
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.encryption import EncryptedTextField
from tenants.models import Queue
from tenants.rls import Fence, TenantReference
from whatsapp.phones import variants
from whatsapp.providers.base import Account


class ProviderName(models.TextChoices):
    CLOUD = "cloud", "WhatsApp Cloud API"
    TWILIO = "twilio", "Twilio"
    LITE = "lite", "WhatsApp Web (Lite)"


@audited(exclude=("app_secret", "verify_token"))
class Endpoint(TenantModel):
    """A webhook address with a secret of its own, for a company that brings its own Meta app.

    `/webhooks/whatsapp/<key>/`. The address without a key belongs to the platform's app, whose secret is a setting.
    """

    name = models.CharField(_("name"), max_length=80)
    key = models.SlugField(_("key in the address"), max_length=64, unique=True)
    provider = models.CharField(_("provider"), max_length=10, choices=ProviderName, default=ProviderName.CLOUD)
    app_secret = EncryptedTextField(_("app secret"), blank=True, default="")
    verify_token = EncryptedTextField(_("verify token"), blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("webhook address")
        verbose_name_plural = _("webhook addresses")
        base_manager_name = "objects"
        constraints = [Fence(name="whatsapp_endpoint_fence")]

    def __str__(self) -> str:
        return self.name


class TokenState(models.TextChoices):
    UNKNOWN = "unknown", _("not checked yet")
    VALID = "valid", _("valid")
    EXPIRED = "expired", _("expired or revoked")
    MISSING = "missing", _("missing")


class NumberManager(TenantManager):
    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().defer("token", "verify_token")


@audited(exclude=("token", "verify_token", "last_webhook_at", "checked_at", "findings", "loop_started_at"))
class Number(TenantModel):
    """One of the company's WhatsApp numbers, and the queue that answers it. The only place a number is registered."""

    alias = models.CharField(_("alias"), max_length=80)
    provider = models.CharField(_("provider"), max_length=10, choices=ProviderName, default=ProviderName.CLOUD)
    phone_number_id = models.CharField(
        _("phone number id"), max_length=64, help_text=_("Meta's id of the number, not the number itself.")
    )
    waba_id = models.CharField(_("WhatsApp business account"), max_length=64, blank=True)
    display_number = models.CharField(_("number"), max_length=32, blank=True, help_text=_("As people dial it."))
    token = EncryptedTextField(_("access token"), blank=True, default="")
    verify_token = EncryptedTextField(_("verify token"), blank=True, default="")
    endpoint = TenantForeignKey(
        Endpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="numbers", verbose_name=_("endpoint")
    )
    queue = TenantForeignKey(
        Queue,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="numbers",
        verbose_name=_("queue"),
        help_text=_("Without one, its conversations go to triage."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_coexistence = models.BooleanField(_("also used on a phone"), default=False)
    catalog_id = models.CharField(
        _("catalogue"), max_length=64, blank=True, help_text=_("Meta's id of the catalogue whose products it may send.")
    )
    sends_per_second = models.PositiveSmallIntegerField(_("sends per second"), null=True, blank=True)
    token_state = models.CharField(
        _("token"), max_length=10, choices=TokenState, default=TokenState.UNKNOWN, editable=False
    )
    # Sending stops while this is set; nothing fails, everything waits. See whatsapp.errors.
    paused_reason = models.CharField(_("paused because"), max_length=40, blank=True)
    # It sends to these phones alone while it is being tried: digits, as contacts have them.
    is_test = models.BooleanField(_("test mode"), default=False, help_text=_("It sends to its test phones alone."))
    test_phones = models.JSONField(_("test phones"), default=list, blank=True)
    quality = models.CharField(_("quality"), max_length=10, blank=True, editable=False)
    # Meta's own words: TIER_2K, STANDARD, CONNECTED, APPROVED. See whatsapp.health.
    messaging_limit = models.CharField(_("messaging limit"), max_length=20, blank=True, default="", editable=False)
    throughput = models.CharField(_("throughput"), max_length=20, blank=True, default="", editable=False)
    status = models.CharField(_("status"), max_length=20, blank=True, default="", editable=False)
    verified_name = models.CharField(_("display name"), max_length=120, blank=True, default="", editable=False)
    name_status = models.CharField(_("name review"), max_length=30, blank=True, default="", editable=False)
    token_expires_at = models.DateTimeField(_("token expires"), null=True, editable=False)
    # What WhatsApp said when it was last asked whether everything is in place; see whatsapp.preconditions.
    findings = models.JSONField(default=dict, editable=False)
    # By the database's clock, as `last_webhook_at`: a webhook since then has come all the way.
    loop_started_at = models.DateTimeField(null=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), null=True, editable=False)
    last_webhook_at = models.DateTimeField(_("last webhook"), null=True, editable=False)
    # When the system this was imported from last changed it: an older file never overwrites a newer one.
    source_updated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = NumberManager()

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        base_manager_name = "objects"
        ordering = ["alias"]
        constraints = [
            # A number belongs to one company only: this is also what routes a webhook, so it spans tenants on purpose.
            models.UniqueConstraint(fields=["provider", "phone_number_id"], name="whatsapp_number_provider_id_key"),
            Fence(name="whatsapp_number_fence"),
            TenantReference("endpoint", name="whatsapp_number_endpoint_fk"),
            TenantReference("queue", name="whatsapp_number_queue_fk"),
        ]

    def __str__(self) -> str:
        return self.alias or self.display_number or self.phone_number_id

    @property
    def can_send(self) -> bool:
        return self.is_active and not self.paused_reason

    @property
    def is_shared(self) -> bool:
        """Whether the app on a phone uses it too, as we were told or as WhatsApp says (coexistence)."""
        return self.is_coexistence or bool(self.findings.get("is_coexistent"))

    def may_reach(self, phone: str) -> bool:
        """Whether it may send to this phone; in test mode only to those that were named, however they are written."""
        return not self.is_test or not {*variants(phone)}.isdisjoint(self.test_phones)

    def account(self) -> Account:
        """What a provider needs to act for this number: **its own token**; the environment's is only the fallback."""
        return Account(
            number_id=self.phone_number_id,
            business_id=self.waba_id,
            token=self.token or settings.WHATSAPP_ACCESS_TOKEN,
            api_url=settings.GRAPH_API_URL,
            api_version=settings.GRAPH_API_VERSION,
            media_hosts=tuple(settings.MEDIA_HOSTS),
        )
