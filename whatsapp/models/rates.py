from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from whatsapp import pricing


class RateCategory(models.TextChoices):
    MARKETING = "marketing", _("marketing")
    UTILITY = "utility", _("utility")
    AUTHENTICATION = "authentication", _("authentication")
    AUTHENTICATION_INTERNATIONAL = "authentication_international", _("authentication, international")
    SERVICE = "service", _("service")


class Rate(models.Model):
    """One line of Meta's rate card: what a delivered message costs in a market from a day on. The same for all companies."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    market = models.CharField(_("market"), max_length=60)
    category = models.CharField(_("category"), max_length=30, choices=RateCategory)
    currency = models.CharField(_("currency"), max_length=3)
    valid_from = models.DateField(_("valid from"))
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=6)
    loaded_at = models.DateTimeField(_("loaded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("rate")
        verbose_name_plural = _("rates")
        ordering = ["market", "category", "currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "market", "category", "valid_from"], name="whatsapp_rate_key")
        ]

    def __str__(self) -> str:
        return f"{self.market} · {self.category} · {self.amount} {self.currency}"

    @property
    def as_rate(self) -> pricing.Rate:
        return pricing.Rate(self.market, pricing.Category(self.category), self.currency, self.valid_from, self.amount)
