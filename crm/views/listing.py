"""The list of conversations: which sections a work mode has, in which order, and one page of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from crm.amending import amend
from crm.models import Conversation, ConversationStatus
from crm.models.conversations import ConversationQuerySet
from crm.views.filters import Filters, Mode
from tenants.models import Membership, Queue
from whatsapp.models import Number
from whatsapp.window import SOON

PAGE = 30  # twice what a tall screen shows; the next ones come while one scrolls
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of the list: its rows are ordered by `moment` (then id), the first or the last one on top."""

    key: str
    title: Any
    order: Any
    moment: str
    newest_first: bool
    conversations: ConversationQuerySet

    @property
    def ordering(self) -> tuple[str, str]:
        sign = "-" if self.newest_first else ""
        return f"{sign}{self.moment}", f"{sign}id"

    def after(self, moment: datetime, last: UUID) -> ConversationQuerySet:
        """The rows below one. Written so that the index gives the range and the rest only breaks ties."""
        step = "lt" if self.newest_first else "gt"
        beyond = Q(**{f"{self.moment}__{step}": moment}) | Q(**{f"id__{step}": last})
        return self.conversations.filter(beyond, **{f"{self.moment}__{step}e": moment})

    def position(self, conversation: Conversation) -> float:
        """A number that grows down the section: where the live refresh puts a row."""
        seconds = (getattr(conversation, self.moment) or _NEVER).timestamp()
        return -seconds if self.newest_first else seconds


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation with its place in the list."""

    conversation: Conversation
    section: str
    position: float


@dataclass(slots=True)
class Listing:
    """One page: rows by section, and where the next page starts. `continues` is the section the page before began."""

    sections: list[tuple[Section, list[Row]]] = field(default_factory=list)
    continues: str = ""
    next: str = ""

    @property
    def rows(self) -> list[Row]:
        return [row for _section, rows in self.sections for row in rows]


def sections(filters: Filters, *, membership: Membership, now: datetime) -> list[Section]:
    """The sections of a mode from top to bottom; no conversation is in two."""
    mine = filters.narrow(Conversation.objects.visible_to(membership), membership=membership)
    if filters.mode is Mode.SOON:
        soon = mine.running_out(now=now, until=now + SOON)
        return [Section("soon", _("Their window closes soon"), _("first to close"), "window_expires_at", False, soon)]
    if filters.mode is Mode.TRIAGE:
        return [Section("triage", _("In nobody's hands"), _LATEST, "last_message_at", True, mine.in_triage())]
    if filters.mode is Mode.ALL:
        title = _("Found") if filters.words else _("Everything")
        return [Section("all", title, _LATEST, "last_message_at", True, mine.filter(last_message_at__isnull=False))]
    waiting = mine.waiting()
    answered = mine.filter(status=ConversationStatus.OPEN, waiting_since=None, last_message_at__isnull=False)
    return [
        Section(
            "waiting",
            _("They are waiting for you"),
            _("first to close"),
            "window_expires_at",
            False,
            waiting.filter(window_expires_at__gt=now),
        ),
        Section(
            "missed",
            _("Waiting, template only"),
            _LATEST,
            "last_message_at",
            True,
            waiting.filter(Q(window_expires_at__lte=now) | Q(window_expires_at=None), last_message_at__isnull=False),
        ),
        Section("answered", _("Already answered"), _LATEST, "last_message_at", True, answered),
    ]


_LATEST = _("latest activity")


def page(
    filters: Filters,
    *,
    membership: Membership,
    now: datetime,
    cursor: str = "",
    numbers: Iterable[Number] = (),
    queues: Iterable[Queue] = (),
    people: Iterable[Membership] = (),
) -> Listing:
    """Up to PAGE rows after the cursor, filled section by section. A cursor nobody can read starts at the top.

    `numbers`, `queues` and `people` (with their users) are those that have been fetched already.
    """
    start = _read(cursor)
    listing, room = Listing(), PAGE
    for section in sections(filters, membership=membership, now=now):
        conversations = section.conversations
        if start:
            if section.key != start[0]:
                continue
            _key, moment, last = start
            start = None
            if moment and last:
                conversations, listing.continues = section.after(moment, last), section.key
        found = list(conversations.for_rows().order_by(*section.ordering)[: room + 1])
        rows = [Row(each, section.key, section.position(each)) for each in found[:room]]
        if rows or room:
            listing.sections.append((section, rows))
        if len(found) > room:
            listing.next = _write(section, found[room - 1] if room else None)
            break
        room -= len(rows)
    _complete(listing.rows, numbers, queues, people)
    return listing


def rows_of(ids: Iterable[UUID], filters: Filters, *, membership: Membership, now: datetime) -> list[Row]:
    """Where these conversations stand now; those that are no longer in the view are left out. One query a section."""
    ids = list(ids)
    rows = [
        Row(each, section.key, section.position(each))
        for section in sections(filters, membership=membership, now=now)
        for each in section.conversations.filter(pk__in=ids).for_rows()
    ]
    _complete(rows)
    return rows


def _complete(
    rows: list[Row],
    numbers: Iterable[Number] = (),
    queues: Iterable[Queue] = (),
    people: Iterable[Membership] = (),
) -> None:
    """Its number, queue and owner, and what its last message says now: for all rows of all sections at once."""
    conversations = [row.conversation for row in rows]
    number_of, queue_of = {each.pk: each for each in numbers}, {each.pk: each for each in queues}
    person_of: dict[UUID | None, Membership | None] = {None: None} | {each.pk: each for each in people}
    for each in conversations:
        if each.number_id in number_of and each.queue_id in queue_of:
            each.number, each.queue = number_of[each.number_id], queue_of[each.queue_id]
        if each.assignee_id in person_of:
            each.assignee = person_of[each.assignee_id]
    owners = Prefetch("assignee", Membership.objects.select_related("user"))
    prefetch_related_objects(conversations, "number", "queue", owners)
    amend(row.conversation.last_message for row in rows if row.conversation.last_message)


def _write(section: Section, last: Conversation | None) -> str:
    """`<section>~<moment>~<id>` of the last row shown, or `<section>~~` for a section that has not begun."""
    moment = getattr(last, section.moment).isoformat() if last else ""
    return f"{section.key}~{moment}~{last.pk if last else ''}"


def _read(cursor: str) -> tuple[str, datetime | None, UUID | None] | None:
    try:
        key, moment, last = cursor.split("~")
        return (key, datetime.fromisoformat(moment), UUID(last)) if moment else (key, None, None)
    except ValueError:
        return None
