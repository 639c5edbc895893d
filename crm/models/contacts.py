import unicodedata
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Concat, Lower, Now
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.rls import Fence, TenantReference
from whatsapp import phones

_ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüñçýÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇÝ"
_PLAIN = "aaaaaaeeeeiiiiooooouuuuncyAAAAAAEEEEIIIIOOOOOUUUUNCY"


class ContactQuerySet(models.QuerySet["Contact"]):
    def matching(self, words: str) -> "ContactQuerySet":
        """Contacts whose name, phone or username contains each of the words (accents and case do not matter)."""
        found = self
        for word in words.split():
            digits = "".join(filter(str.isdigit, word))
            by_phone = models.Q(phone__contains=digits) if len(digits) >= 3 else models.Q()
            found = found.filter(models.Q(search_text__contains=folded(word)) | by_phone)
        return found


class ContactManager(TenantManager.from_queryset(ContactQuerySet)):  # type: ignore[misc]
    pass


class Contact(TenantModel):
    """A person who writes to us, known by one or more identities; may have no phone at all."""

    name = models.CharField(_("name"), max_length=200, blank=True, help_text=_("As our people wrote it."))
    profile_name = models.CharField(_("name on WhatsApp"), max_length=200, blank=True)
    username = models.CharField(_("username"), max_length=64, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True, help_text=_("Digits, as WhatsApp writes it."))
    # Lower case, without accents, kept by the database: for the search box.
    search_text = models.GeneratedField(
        expression=Lower(
            Func(
                Concat("name", Value(" "), "profile_name", Value(" "), "username", output_field=models.TextField()),
                Value(_ACCENTED),
                Value(_PLAIN),
                function="translate",
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )
    labels = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("labels"))
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True)
    marketing_stopped = models.BooleanField(_("stopped our marketing"), default=False)
    # The moment of the message that last told us the name on WhatsApp: an older one changes nothing.
    profile_at = models.DateTimeField(null=True, editable=False)
    marketing_preference_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = ContactManager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        base_manager_name = "objects"
        constraints = [Fence(name="crm_contact_fence")]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "id"], name="crm_contact_newest"),  # the list, the API
            models.Index(fields=["tenant", "phone"], name="crm_contact_phone"),  # ?phone=
        ]

    def __str__(self) -> str:
        return self.shown_name

    @property
    def shown_name(self) -> str:
        """What a person calls this contact: our name, WhatsApp's, the username, the phone, else a neutral word."""
        return (
            self.name
            or self.profile_name
            or (f"@{self.username}" if self.username else "")
            or phones.display(self.phone)
            or str(_("Contact without a name"))
        )

    @property
    def shown_phone(self) -> str:
        return phones.display(self.phone) if self.phone else ""

    @property
    def initials(self) -> str:
        words = [word for word in (self.name or self.profile_name or self.username).split() if word[0].isalnum()]
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()

    @property
    def tone(self) -> int:
        """1–8: the colour of the avatar, the same for ever."""
        return self.id.int % 8 + 1


def folded(text: str) -> str:
    """Lower case without accents, as `Contact.search_text` is kept."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


class IdentityKind(models.TextChoices):
    PHONE = "phone", _("phone")
    BSUID = "bsuid", _("WhatsApp user id")
    PARENT_BSUID = "parent_bsuid", _("WhatsApp parent user id")
    USERNAME = "username", _("username")


class Identity(TenantModel):
    """One address of a contact. `value` is the canonical form (a phone's national variants are one), unique in the tenant."""

    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="identities", db_index=True)
    kind = models.CharField(_("kind"), max_length=14, choices=IdentityKind)
    value = models.CharField(_("value"), max_length=200)
    # As the provider wrote it last: what to send to.
    address = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "value"], name="crm_identity_key"),
            Fence(name="crm_identity_fence", referenced=False),
            TenantReference("contact", name="crm_identity_contact_fk"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"
