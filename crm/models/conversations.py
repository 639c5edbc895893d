from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from crm.models.contacts import Contact
from tenants.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models import Membership, Queue
from tenants.rls import TENANT, Fence, TenantReference
from whatsapp.models import Number
from whatsapp.window import Window


class ConversationStatus(models.TextChoices):
    OPEN = "open", _("open")
    PENDING = "pending", _("pending")
    SNOOZED = "snoozed", _("snoozed")
    CLOSED = "closed", _("closed")


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, membership: Membership) -> "ConversationQuerySet":
        """Supervisors and up see all; agents what their queues hold, what is theirs, and triage when they are in it."""
        if membership.sees_everything:
            return self
        # Asked first: with a list the planner takes the queues' index, with a subquery it reads every conversation.
        return self.filter(models.Q(queue_id__in=membership.queue_ids) | models.Q(assignee_id=membership.pk))

    def waiting(self) -> "ConversationQuerySet":
        """A customer wrote and nobody has answered."""
        return self.filter(status=ConversationStatus.OPEN, waiting_since__isnull=False)

    def unowned(self) -> "ConversationQuerySet":
        """Waiting, and nobody's."""
        return self.waiting().filter(assignee=None)

    def running_out(self, *, now: datetime, until: datetime) -> "ConversationQuerySet":
        """Waiting, and the window closes before `until`."""
        return self.waiting().filter(window_expires_at__gt=now, window_expires_at__lte=until)

    def in_triage(self) -> "ConversationQuerySet":
        """Open and in nobody's hands: in the triage queue."""
        # One queue by its id, not a join, so that the index gives the newest without sorting.
        triage = Queue.objects.filter(is_triage=True).values("pk")[:1]
        return self.exclude(status=ConversationStatus.CLOSED).filter(queue_id=models.Subquery(triage))

    def for_rows(self) -> "ConversationQuerySet":
        """With the person and the words that a row of the list shows, and nothing unsealed that a row does not show.

        Numbers, queues and owners are fetched beside the page, not joined to it: they are few and the same in most rows.
        And row-level security hides from the planner that every conversation has a number and a queue; it would sort all
        there are rather than read the first of an index.
        """
        return self.select_related("contact", "last_message").defer("last_message__payload")

    def for_thread(self) -> "ConversationQuerySet":
        """With the people and places that the head of a thread and its panel show."""
        related = self.select_related("contact", "number", "queue", "assignee__user")
        return related.defer("number__token", "number__verify_token")


class ConversationManager(TenantManager.from_queryset(ConversationQuerySet)):  # type: ignore[misc]
    pass


class Conversation(TenantModel):
    """One contact × one of our numbers, for ever. Counters are kept by the merge, never counted on the page."""

    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="conversations")
    number = TenantForeignKey(Number, on_delete=models.PROTECT, related_name="conversations")
    queue = TenantForeignKey(Queue, on_delete=models.PROTECT, related_name="conversations")
    assignee = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="conversations")
    status = models.CharField(max_length=8, choices=ConversationStatus, default=ConversationStatus.OPEN)
    snoozed_until = models.DateTimeField(null=True)
    unread_count = models.PositiveIntegerField(default=0)
    # A pointer that merge and compose keep; not a reference in the database, which would check it with every message
    # and look for it with every message that retention drops.
    last_message = TenantForeignKey("Message", null=True, on_delete=models.SET_NULL, related_name="+")
    last_message_at = models.DateTimeField(null=True)
    last_inbound_at = models.DateTimeField(null=True)
    # The last message our side typed on the phone; what is written here ends the waiting at once instead.
    last_echo_at = models.DateTimeField(null=True)
    # The customer's first message that nobody has answered; null when nobody waits.
    waiting_since = models.DateTimeField(null=True)
    window_expires_at = models.DateTimeField(null=True)
    free_entry_expires_at = models.DateTimeField(null=True)
    # How likely the person has blocked this number, in `crm.blocking`'s levels; empty: nothing speaks for it.
    suspicion = models.CharField(max_length=11, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    erased_at = models.DateTimeField(null=True, editable=False)  # as its contact's

    objects: ClassVar[Any] = ConversationManager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["number", "contact"], name="crm_conversation_key"),
            Fence(name="crm_conversation_fence", condition=f"tenant_id = {TENANT} AND erased_at IS NULL"),
            TenantReference("contact", name="crm_conversation_contact_fk"),
            TenantReference("number", name="crm_conversation_number_fk"),
            TenantReference("queue", name="crm_conversation_queue_fk"),
            TenantReference("assignee", name="crm_conversation_assignee_fk"),
        ]
        # The planner knows from `crm_conversation_places` (migration 0016) which queues and people are whose.
        # What they include is what the fence and an agent's rights ask of each row: the inbox is counted from them alone.
        indexes = [
            # "All": newest first
            models.Index(
                fields=["tenant", "-last_message_at", "-id"],
                name="crm_conversation_newest",
                include=["erased_at", "queue", "assignee"],
            ),
            # "To answer" and "Running out": what closes first
            models.Index(
                fields=["tenant", "window_expires_at", "id"],
                name="crm_conversation_waiting",
                include=["erased_at", "queue", "assignee"],
                condition=models.Q(status="open", waiting_since__isnull=False),
            ),
            # Answered and open, newest first (below the waiting ones); queue and assignee filters ride on it
            models.Index(
                fields=["tenant", "queue", "-last_message_at", "-id"],
                name="crm_conversation_queue",
                include=["erased_at", "assignee"],
                condition=~models.Q(status="closed"),
            ),
            models.Index(
                fields=["tenant", "assignee", "-last_message_at", "-id"],
                name="crm_conversation_assignee",
                condition=models.Q(assignee__isnull=False) & ~models.Q(status="closed"),
            ),
            # What waits in a queue for somebody to be given it, the longest waiting first
            models.Index(
                fields=["tenant", "queue", "waiting_since", "id"],
                name="crm_conversation_unowned",
                condition=models.Q(status="open", waiting_since__isnull=False, assignee=None),
            ),
            # wake(): snoozes that are over
            models.Index(
                fields=["snoozed_until"], name="crm_conversation_snoozed", condition=models.Q(status="snoozed")
            ),
            models.Index(fields=["contact"], name="crm_conversation_contact"),  # a person's other conversations
        ]

    def __str__(self) -> str:
        return f"{self.contact} · {self.number}"

    @property
    def is_open(self) -> bool:
        return self.status == ConversationStatus.OPEN

    def window(self, now: datetime) -> Window:
        return Window(expires_at=self.window_expires_at, now=now, free_until=self.free_entry_expires_at)


class Episode(TenantModel):
    """One opening of a conversation until it is closed: what reports count."""

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="episodes")
    queue = TenantForeignKey(Queue, null=True, on_delete=models.SET_NULL, related_name="+")
    opened_at = models.DateTimeField()
    opened_by_customer = models.BooleanField(default=True)
    first_reply_at = models.DateTimeField(null=True)
    first_reply_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("episode")
        verbose_name_plural = _("episodes")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=models.Q(closed_at=None), name="crm_episode_one_open"
            ),
            Fence(name="crm_episode_fence", referenced=False),
            TenantReference("conversation", name="crm_episode_conversation_fk"),
            TenantReference("queue", name="crm_episode_queue_fk"),
            TenantReference("first_reply_by", name="crm_episode_first_reply_by_fk"),
            TenantReference("closed_by", name="crm_episode_closed_by_fk"),
        ]
        indexes = [
            models.Index(fields=["conversation", "-opened_at"], name="crm_episode_of_conversation"),
            models.Index(fields=["tenant", "opened_at"], name="crm_episode_time"),  # reports
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} · {self.opened_at:%Y-%m-%d}"


class ActivityKind(models.TextChoices):
    ASSIGNED = "assigned", _("assigned")
    UNASSIGNED = "unassigned", _("released")
    TRANSFERRED = "transferred", _("transferred")
    CLOSED = "closed", _("closed")
    REOPENED = "reopened", _("reopened")
    SNOOZED = "snoozed", _("snoozed")
    WOKEN = "woken", _("back from snooze")
    SUSPECTED = "suspected", _("suspected of a block")
    REACHED = "reached", _("reached again")
    DISMISSED = "dismissed", _("suspicion dismissed")
    CONFIRMED = "confirmed", _("block confirmed")
    OPTED_OUT = "opted_out", _("marketing stopped")
    OPTED_IN = "opted_in", _("marketing taken up again")
    MERGED = "merged", _("contacts merged")


class Activity(TenantModel):
    """A small centred line in the thread: who did what with the conversation."""

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="activities")
    kind = models.CharField(max_length=16, choices=ActivityKind)
    actor = TenantForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    facts: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        base_manager_name = "objects"
        constraints = [
            Fence(name="crm_activity_fence", referenced=False),
            TenantReference("conversation", name="crm_activity_conversation_fk"),
            TenantReference("actor", name="crm_activity_actor_fk"),
        ]
        indexes = [models.Index(fields=["conversation", "at"], name="crm_activity_of_conversation")]

    def __str__(self) -> str:
        return self.get_kind_display()
