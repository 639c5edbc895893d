from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Value
from django.db.models.functions import Lower, Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from tenants.audit import audited
from tenants.audit.models import ChainEntry, ChainKey, ForgottenEvent, SealingProgress  # noqa: F401  (for Django to know them)
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.hours import Hours
from tenants.rls import TENANT, TOKEN_HASH, USER, Fence, TenantReference

_OWN_MEMBERSHIP = f"user_id = {USER}"


class TenantRows(TenantManager):
    column = "id"


@audited(tenant_column="id")
class Tenant(models.Model):
    """A company. Everything but people's logins belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    timezone = models.CharField(_("time zone"), max_length=64, default="America/Lima")
    locale = models.CharField(_("language"), max_length=10, default="es")
    default_country = models.CharField(
        _("default country"), max_length=2, default="PE", help_text=_("For phone numbers typed without a country code.")
    )
    billing_currency = models.CharField(
        _("billing currency"), max_length=3, default="USD", help_text=_("In which Meta bills the company, like USD.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TenantRows()
    unfenced: models.Manager["Tenant"] = models.Manager()  # row security alone decides: sign-in, and the system

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        base_manager_name = "unfenced"
        constraints = [
            Fence(
                name="tenants_tenant_fence",
                column="id",
                also=f"id IN (SELECT tenant_id FROM tenants_membership WHERE {_OWN_MEMBERSHIP})",
                referenced=False,
            )
        ]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in; belongs to tenants through memberships. A superuser is the platform's operator.

    While a tenant is set, the database shows only the people of that tenant and oneself; signing in happens before.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    locale = models.CharField(_("language"), max_length=10, blank=True, help_text=_("Empty: the browser's."))
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="tenants_user_email_ci"),
            Fence(
                name="tenants_user_fence",
                condition=(
                    f"{TENANT} IS NULL OR id = {USER}"
                    " OR EXISTS (SELECT FROM tenants_membership m WHERE m.user_id = tenants_user.id)"
                ),
                referenced=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.split("@")[0]


class Role(models.TextChoices):
    OWNER = "owner", _("owner")
    ADMIN = "admin", _("admin")
    SUPERVISOR = "supervisor", _("supervisor")
    AGENT = "agent", _("agent")


class MembershipManager(TenantManager.from_queryset(models.QuerySet)):  # type: ignore[misc]
    pass


@audited()
class Membership(TenantModel):
    """A person's place in a company: their role, and through queues what they may answer."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=12, choices=Role, default=Role.AGENT)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[Any] = MembershipManager()
    unfenced: models.Manager["Membership"] = models.Manager()  # row security alone decides: which companies may I enter

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        base_manager_name = "unfenced"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="tenants_membership_person_key"),
            Fence(name="tenants_membership_fence", also=_OWN_MEMBERSHIP),
        ]
        indexes = [models.Index(fields=["user"], name="tenants_membership_user")]  # which companies may I enter

    def __str__(self) -> str:
        return str(self.user)

    @property
    def sees_everything(self) -> bool:
        """Supervisors and up see every queue; agents see their own queues and what is assigned to them."""
        return self.role != Role.AGENT

    @cached_property
    def queue_ids(self) -> tuple[UUID, ...]:
        """The queues this member answers, asked once for this object; needs the tenant's transaction."""
        return tuple(self.queue_members.values_list("queue_id", flat=True))

    @property
    def administers(self) -> bool:
        return self.role in (Role.OWNER, Role.ADMIN)

    @property
    def initials(self) -> str:
        words = (self.user.name or self.user.email).split()
        return "".join(word[0] for word in words[:2]).upper()


class Distribution(models.TextChoices):
    """How what waits in a queue finds who answers it."""

    BY_HAND = "by_hand", _("by hand")
    BY_TURNS = "by_turns", _("by turns")
    LEAST_BUSY = "least_busy", _("least busy first")


@audited()
class Queue(TenantModel):
    """Which of our people answer. Each tenant has exactly one triage queue, where what has no other queue is seen.

    Outside its hours nobody is given anything: it waits in the queue until the queue opens.
    """

    name = models.CharField(_("name"), max_length=80)
    distribution = models.CharField(
        _("distribution"),
        max_length=10,
        choices=Distribution,
        default=Distribution.BY_HAND,
        db_default=Distribution.BY_HAND,
    )
    most_each = models.PositiveSmallIntegerField(
        _("most each"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Who has so many open conversations is given no more. Empty: no limit."),
    )
    # As `tenants.hours.Hours` stores them; empty: always open.
    hours: "models.JSONField[list[Any], list[Any]]" = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), blank=True, editable=False
    )
    timezone = models.CharField(
        _("time zone"), max_length=64, blank=True, default="", db_default="", help_text=_("Empty: the company's.")
    )
    is_triage = models.BooleanField(_("triage"), default=False, editable=False)
    members = models.ManyToManyField(
        Membership, through="QueueMember", related_name="queues", blank=True, verbose_name=_("members")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        base_manager_name = "objects"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("tenant", Lower("name"), name="tenants_queue_name_key"),
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_triage=True), name="tenants_queue_one_triage"
            ),
            Fence(name="tenants_queue_fence"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def opening(self) -> Hours:
        return Hours.of(self.hours)

    @property
    def is_shared_out(self) -> bool:
        """Whether its conversations are given to people without anybody choosing."""
        return self.distribution != Distribution.BY_HAND and not self.is_triage

    def zone(self, tenant: Tenant) -> ZoneInfo:
        """On which wall clock its hours stand."""
        return ZoneInfo(self.timezone or tenant.timezone)


class QueueMember(TenantModel):
    queue = TenantForeignKey(Queue, on_delete=models.CASCADE, related_name="queue_members", verbose_name=_("queue"))
    membership = TenantForeignKey(
        Membership, on_delete=models.CASCADE, related_name="queue_members", verbose_name=_("member"), db_index=True
    )
    takes_turns = models.BooleanField(
        _("is given conversations"), default=True, db_default=True, help_text=_("Where the queue shares them out.")
    )
    # When they were last given one: whose turn it is.
    given_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("queue member")
        verbose_name_plural = _("queue members")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["queue", "membership"], name="tenants_queuemember_key"),
            Fence(name="tenants_queuemember_fence", referenced=False),
            TenantReference("queue", name="tenants_queuemember_queue_fk"),
            TenantReference("membership", name="tenants_queuemember_membership_fk"),
        ]

    def __str__(self) -> str:
        return f"{self.membership} · {self.queue}"


class ApiToken(TenantModel):
    """A key to the API in one person's name in one company. Only its SHA-256 is kept; who has the key sees the row."""

    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="api_tokens")
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_on = models.DateField(null=True, editable=False)

    unfenced: models.Manager["ApiToken"] = models.Manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        base_manager_name = "objects"
        constraints = [
            Fence(name="tenants_apitoken_fence", also=f"key_hash = {TOKEN_HASH}", referenced=False),
            TenantReference("membership", name="tenants_apitoken_membership_fk"),
        ]

    def __str__(self) -> str:
        return f"{self.membership} · {self.created_at:%Y-%m-%d}"


class Severity(models.TextChoices):
    CRITICAL = "critical", _("critical")
    WARNING = "warning", _("warning")
    INFO = "info", _("info")


class Alert(models.Model):
    """Something a person must do, said once: `(tenant, kind, subject)` is one alert however often it is raised.

    Without a tenant it is the platform operator's.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )
    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("subject"), max_length=120)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity, default=Severity.WARNING)
    facts = models.JSONField(_("facts"), default=dict)
    raised_at = models.DateTimeField(_("raised"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True, editable=False)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # The severity of which people were told by mail; one that grew is told again.
    mailed_severity = models.CharField(max_length=10, blank=True, default="", db_default="", editable=False)

    objects: ClassVar[Any] = TenantManager()
    unfenced: models.Manager["Alert"] = models.Manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "subject"],
                condition=models.Q(resolved_at=None),
                nulls_distinct=False,
                name="tenants_alert_open_key",
            ),
            Fence(name="tenants_alert_fence", referenced=False),
        ]
        indexes = [
            # The list of what is open, newest first.
            models.Index(
                fields=["tenant", "-raised_at"], name="tenants_alert_open", condition=models.Q(resolved_at=None)
            ),
            # The list of what is over.
            models.Index(
                fields=["tenant", "-resolved_at"],
                name="tenants_alert_over",
                condition=models.Q(resolved_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.subject}"
