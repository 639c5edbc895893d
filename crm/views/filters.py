"""What the address of the inbox asks for: a work mode, filters and words. Anything unreadable in it is ignored."""

from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict

from crm import searching
from crm.models import Contact, ConversationStatus
from crm.models.conversations import ConversationQuerySet
from tenants.models import Membership

ME, NOBODY = "me", "nobody"
_FEW = 500


class Mode(StrEnum):
    """The work modes, as the address spells them."""

    ANSWER = "answer"
    SOON = "soon"
    TRIAGE = "triage"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Filters:
    """A narrowed view of the inbox; `query` gives back the address that leads to it."""

    mode: Mode = Mode.ANSWER
    queue: UUID | None = None
    number: UUID | None = None
    status: str = ""
    assignee: str = ""  # me, nobody, or a membership's id
    words: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Filters":
        """Read the address. A status or words look through everything: a mode would hide what is asked for."""
        status = query.get("status", "")
        assignee = query.get("assignee", "")
        filters = cls(
            mode=_mode(query.get("mode", "")),
            queue=_uuid(query.get("queue", "")),
            number=_uuid(query.get("number", "")),
            status=status if status in ConversationStatus.values else "",
            assignee=assignee if assignee in (ME, NOBODY) or _uuid(assignee) else "",
            words=query.get("q", "").strip()[:100],
        )
        return replace(filters, mode=Mode.ALL) if filters.status or filters.words else filters

    @property
    def query(self) -> str:
        """The part of the address after “?”, without what is usual."""
        values = {
            "mode": "" if self.mode == Mode.ANSWER else self.mode.value,
            "queue": str(self.queue or ""),
            "number": str(self.number or ""),
            "status": self.status,
            "assignee": self.assignee,
            "q": self.words,
        }
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def is_narrowed(self) -> bool:
        """Whether something beside the mode and the words hides conversations."""
        return self.narrowed_by > 0

    @property
    def narrowed_by(self) -> int:
        """How many filters are in use."""
        return sum(map(bool, (self.queue, self.number, self.status, self.assignee)))

    def in_mode(self, mode: Mode) -> "Filters":
        """The same in another work mode; a status and words belong to “All” alone."""
        return replace(self, mode=mode, status="", words="")

    def narrow(self, conversations: ConversationQuerySet, *, membership: Membership) -> ConversationQuerySet:
        """Of these conversations, what the filters and words let through; the mode is `listing`'s."""
        if self.queue:
            conversations = conversations.filter(queue_id=self.queue)
        if self.number:
            conversations = conversations.filter(number_id=self.number)
        if self.status:
            conversations = conversations.filter(status=self.status)
        if self.assignee == NOBODY:
            conversations = conversations.filter(assignee=None)
        elif self.assignee:
            owner = membership.pk if self.assignee == ME else UUID(self.assignee)
            conversations = conversations.filter(assignee_id=owner)
        if self.words:
            conversations = conversations.filter(_of_people(self.words) | Q(pk__in=searching.find(self.words)))
        return conversations


def _of_people(words: str) -> Q:
    """Conversations with whom the words name: a few people by their ids, so that an index answers; many as a question."""
    people = Contact.objects.matching(words)
    few = list(people.values_list("pk", flat=True)[: _FEW + 1])
    return Q(contact__in=few) if len(few) <= _FEW else Q(contact__in=people)


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        return Mode.ANSWER


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
