import re
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Coalesce, Concat, Left, Lower, Now, NullIf
from django.utils.translation import gettext_lazy as _

from crm.words import folded
from tenants.audit import audited
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.rls import TENANT, Fence, TenantReference
from whatsapp import phones

_ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüñçýÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇÝ"
_PLAIN = "aaaaaaeeeeiiiiooooouuuuncyAAAAAAEEEEIIIIOOOOOUUUUNCY"


NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""`Contact.seen_at` of who has never written: the end of a list by it."""

# The letters of `crm_words_of_contact` in the database: what is between them parts words.
_WORD = re.compile("[0-9a-z\u00df-\u024f\u0370-\u1fff\u3040-\ud7af]+")
# Folding has made plain ones of the other spaces.
_SPACES = re.compile(r"\s+", re.ASCII)
_PHONE = re.compile(r"[\d\s()+./-]+")
_PHONE_WITHIN = re.compile(r"\+?\d(?:[\s().-]*\d){6,}")
_SHORTEST_DIGITS = 4
# After every text in collation "C": what begins with a word lies between the word and the word with this behind it.
_LAST = "\U0010ffff"
_SORTED_LENGTH = 80


class ContactQuerySet(models.QuerySet["Contact"]):
    def matching(self, words: str) -> "ContactQuerySet":
        """Contacts of whom each of the words begins a word of the name, the username or the e-mail, or is in a phone.

        Accents and case do not matter; a phone is found by four of its digits in a row. What begins nothing that can
        be looked up (a sign alone) finds nobody.
        """
        if not words.strip():
            return self
        found = self
        for beginning in beginnings_of(words) or [""]:
            found = found.filter(pk__in=ContactWord.objects.beginning(beginning).values("contact_id"))
        return found

    def labelled(self, label: str) -> "ContactQuerySet":
        """Contacts with this label, whatever its capitals and accents."""
        kept = ContactWord.objects.filter(word=f"#{folded(label)}"[:WORD_LENGTH])
        return self.filter(pk__in=kept.values("contact_id"))

    def seen_since(self, moment: datetime) -> "ContactQuerySet":
        return self.filter(seen_at__gte=moment)


def beginnings_of(words: str) -> list[str]:
    """What a person looks for, as the beginnings of kept words: a phone in one piece, an e-mail too, else word by word."""
    if _PHONE.fullmatch(words) and len(digits := "".join(filter(str.isdigit, words))) >= _SHORTEST_DIGITS:
        return [digits]
    found: list[str] = []
    # A phone beside a name is one piece too, however it is spaced.
    words = _PHONE_WITHIN.sub(lambda phone: f" {''.join(filter(str.isdigit, phone[0]))} ", words)
    for word in _SPACES.split(folded(words)):
        found += [word] if "@" in word.strip("@") else _WORD.findall(word)
    return list(dict.fromkeys(word[:WORD_LENGTH] for word in found))


class ContactManager(TenantManager.from_queryset(ContactQuerySet)):  # type: ignore[misc]
    pass


class MarketingSource(models.TextChoices):
    """Who said last whether a person wants our marketing."""

    WHATSAPP = "whatsapp", _("in WhatsApp")
    WORD = "word", _("by a word they wrote")
    PERSON = "person", _("one of us")
    IMPORT = "import", _("an import")


@audited(changes_only=True, exclude=("search_text", "sort_name", "profile_name", "profile_at", "seen_at", "erased_at"))
class Contact(TenantModel):
    """A person who writes to us, known by one or more identities; may have no phone at all."""

    name = models.CharField(_("name"), max_length=200, blank=True, help_text=_("As our people wrote it."))
    profile_name = models.CharField(_("name on WhatsApp"), max_length=200, blank=True)
    username = models.CharField(_("username"), max_length=64, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True, help_text=_("Digits, as WhatsApp writes it."))
    email = models.EmailField(_("e-mail"), max_length=254, blank=True, db_default="", default="")
    # Lower case, without accents, kept by the database: for the admin's conversations; people are found by ContactWord.
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
    # What the page is sorted by: the name that is shown, folded, so that no accent or capital matters. Who has none comes
    # after those who have one.
    sort_name = models.GeneratedField(
        expression=Left(
            Func(
                Coalesce(
                    NullIf("name", Value("")),
                    NullIf("profile_name", Value("")),
                    NullIf("username", Value("")),
                    Concat(Value(_LAST), "phone", output_field=models.TextField()),
                    output_field=models.TextField(),
                ),
                function="crm_folded",
                output_field=models.TextField(),
            ),
            _SORTED_LENGTH,
        ),
        output_field=models.CharField(max_length=_SORTED_LENGTH, db_collation="C"),
        db_persist=True,
    )
    labels = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("labels"))
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True)
    marketing_stopped = models.BooleanField(_("stopped our marketing"), default=False)
    # Null: they never said that they want it. What they stop they have not agreed to, whatever this says.
    marketing_consent_at = models.DateTimeField(_("agreed to marketing"), null=True, editable=False)
    marketing_source = models.CharField(
        max_length=8, choices=MarketingSource, blank=True, default="", db_default="", editable=False
    )
    # When they last wrote, kept to within five minutes: a talk under way does not write it with every message.
    seen_at = models.DateTimeField(db_default=models.Value(NEVER), default=NEVER, editable=False)
    # The moment of the message that last told us the name on WhatsApp: an older one changes nothing.
    profile_at = models.DateTimeField(null=True, editable=False)
    marketing_preference_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # Since when they are being erased: the company's own statements see them no more. See `crm.erasing`.
    erased_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = ContactManager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        base_manager_name = "objects"
        constraints = [Fence(name="crm_contact_fence", condition=f"tenant_id = {TENANT} AND erased_at IS NULL")]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "id"], name="crm_contact_newest"),  # the list, the API
            models.Index(fields=["tenant", "phone"], name="crm_contact_phone"),  # ?phone=, a country
            models.Index(fields=["tenant", "-seen_at", "-id"], name="crm_contact_seen"),  # the page of contacts
            models.Index(fields=["tenant", "sort_name", "id"], name="crm_contact_by_name"),  # the same by name
            models.Index(
                fields=["tenant", "-seen_at", "-id"],
                name="crm_contact_stopped",
                condition=models.Q(marketing_stopped=True),
            ),
            models.Index(
                fields=["tenant", "-seen_at", "-id"],
                name="crm_contact_agreed",
                condition=models.Q(marketing_stopped=False, marketing_consent_at__isnull=False),
            ),
            models.Index(
                fields=["tenant", "email"], name="crm_contact_email", condition=~models.Q(email="")
            ),  # imports
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
    def marketing(self) -> str:
        """`stopped`, `agreed`, or empty while nobody said anything."""
        if self.marketing_stopped:
            return "stopped"
        return "agreed" if self.marketing_consent_at else ""

    @property
    def last_seen(self) -> datetime | None:
        return None if self.seen_at <= NEVER else self.seen_at

    @property
    def initials(self) -> str:
        words = [word for word in (self.name or self.profile_name or self.username).split() if word[0].isalnum()]
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()

    @property
    def tone(self) -> int:
        """1–8: the colour of the avatar, the same for ever."""
        return self.id.int % 8 + 1


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


WORD_LENGTH = 100


class ContactWordQuerySet(models.QuerySet["ContactWord"]):
    def beginning(self, beginning: str) -> "ContactWordQuerySet":
        """Words that begin so. As a range, which row security lets an index answer; LIKE it does not."""
        return self.filter(word__gte=beginning, word__lt=beginning + _LAST) if beginning else self.none()


class ContactWordManager(TenantManager.from_queryset(ContactWordQuerySet)):  # type: ignore[misc]
    pass


class ContactWord(models.Model):
    """A word by which a contact is found. The database keeps them with every statement that writes a contact or an identity.

    Folded words of the names, the username and the e-mail; the e-mail as a whole; of a phone each ending of four digits
    and more, so that what begins with some digits has them anywhere; a label as `#label`. `origin` is the contact or the
    identity that says so. Without references: a word is gone with its origin.
    """

    pk = models.CompositePrimaryKey("tenant_id", "word", "contact_id", "origin")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.CharField(max_length=WORD_LENGTH, db_collation="C")
    contact_id = models.UUIDField()
    origin = models.UUIDField()

    objects: ClassVar[Any] = ContactWordManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [Fence(name="crm_contactword_fence", referenced=False)]
        indexes = [models.Index(fields=["origin"], name="crm_contactword_origin")]  # a contact or identity changes

    def __str__(self) -> str:
        return self.word
