"""The thread as a person reads it: messages and activity lines in order of time, a line for each new day, and where
the unread part begins. Everything a bubble shows is fetched for the whole page at once."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from crm.amending import amend
from crm.flows import answers
from crm.models import AMENDMENTS, NOTES, Activity, Attachment, Conversation, Direction, Message, Reaction

PAGE = 30  # two tall screens; older ones come while one scrolls
END = 10  # what is fetched as it comes, of a thread that is open
_MOST_ACTIVITIES = 200
CALL_PERMISSION = "call_permission_reply"
# They stand in the thread as a line, not as a bubble: nobody said them.
_LINES = frozenset({"call", "system", "request_welcome", *AMENDMENTS})


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message with all that its bubble shows. `begins` says that somebody else wrote the one above."""

    message: Message
    begins: bool
    quoted: Message | None = None
    attachment: Attachment | None = None
    reactions: tuple[Reaction, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """`message`, or `note` for what is a line among the bubbles."""
        is_line = self.message.type in _LINES or self.message.payload.get("type") == CALL_PERMISSION
        return "note" if is_line else "message"

    @property
    def came_from_elsewhere(self) -> bool:
        """Whether it was forwarded, follows an ad, or is about a product."""
        said = self.message.payload
        return bool(said.get("forwarded") or said.get("referral") or said.get("product"))

    @property
    def is_said(self) -> bool:
        """Whether the customer said it, and it counts as unread."""
        return self.message.direction == Direction.INBOUND and self.message.type not in (*NOTES, "request_welcome")


@dataclass(frozen=True, slots=True)
class ActivityLine:
    activity: Activity
    kind: str = "activity"


@dataclass(frozen=True, slots=True)
class DayLine:
    day: date
    kind: str = "day"


@dataclass(frozen=True, slots=True)
class UnreadLine:
    count: int
    kind: str = "unread"


@dataclass(slots=True)
class Log:
    """One page of a thread, oldest on top.

    `older` is the cursor of the page above, empty at the beginning. `continues` is the day that this page and the one
    below share: its line stands here, so the one below loses its own.
    """

    items: list[Any] = field(default_factory=list)
    older: str = ""
    continues: date | None = None


def newest(conversation: Conversation, *, unread: int = 0, most: int | None = None) -> Log:
    """The end of the thread; `unread` says how many inbound messages nobody has seen."""
    return _log(conversation, before=None, unread=unread, most=most or PAGE)


def before(conversation: Conversation, cursor: str) -> Log:
    """The page above `cursor`, which is the `older` of the page below."""
    return _log(conversation, before=_read(cursor), unread=0, most=PAGE)


def bubble(message: Message) -> Bubble:
    """One message alone, as an answer to the form that made or changed it."""
    return bubbles(message.conversation, [message])[0]


def _log(conversation: Conversation, *, before: tuple[datetime, UUID] | None, unread: int, most: int) -> Log:
    found = Message.objects.filter(conversation=conversation).select_related("author__user")
    activities = Activity.objects.filter(conversation=conversation).select_related("actor__user")
    if before:
        moment, last = before
        found = found.filter(Q(sent_at__lt=moment) | Q(id__lt=last), sent_at__lte=moment)
        activities = activities.filter(at__lt=moment)
    messages = list(found.order_by("-sent_at", "-id")[: most + 1])
    has_older = len(messages) > most
    above = messages[most] if has_older else None
    messages = messages[:most][::-1]
    if has_older:
        activities = activities.filter(at__gte=messages[0].sent_at)
    lines = list(activities.order_by("-at")[:_MOST_ACTIVITIES])
    log = Log(older=_write(messages[0]) if has_older else "")
    log.items = _with_lines(_by_time(bubbles(conversation, messages, above=above), lines), unread=unread)
    if before and log.items and timezone.localdate(before[0]) == _last_day(log.items):
        log.continues = _last_day(log.items)
    return log


def bubbles(conversation: Conversation, messages: list[Message], *, above: Message | None = None) -> list[Bubble]:
    """These messages of one conversation, oldest first, with all that their bubbles show; `above` is the one before.

    What became of a message stands in its bubble; of one that is not among these, it stands where it came.
    """
    present = {message.provider_message_id for message in messages if message.type not in AMENDMENTS}
    messages = [each for each in messages if each.type not in AMENDMENTS or each.quoted_message_id not in present]
    ids = {message.provider_message_id for message in messages if message.provider_message_id}
    quotes = {message.quoted_message_id for message in messages if message.quoted_message_id}
    reactions: dict[str, list[Reaction]] = {}
    if ids:
        for reaction in Reaction.objects.filter(number_id=conversation.number_id, target_message_id__in=ids):
            if reaction.emoji:
                reactions.setdefault(reaction.target_message_id, []).append(reaction)
    quoted = {}
    if quotes:
        of_number = Message.objects.filter(number_id=conversation.number_id, conversation=conversation)
        quoted = {
            message.provider_message_id: message
            for message in of_number.filter(provider_message_id__in=quotes).select_related("author__user")
        }
    amend([*messages, *quoted.values()])
    attachments = {each.message_id: each for each in Attachment.objects.filter(message__in=messages)}
    forms = answers.forms_of(messages)
    return [
        Bubble(
            message=message,
            begins=_voice(message) != _voice(earlier) if earlier else True,
            quoted=quoted.get(message.quoted_message_id),
            attachment=attachments.get(message.pk),
            reactions=tuple(reactions.get(message.provider_message_id or "", ())),
            answers=tuple(forms.get(message.pk, ())),
        )
        for earlier, message in zip([above, *messages], messages, strict=False)
    ]


def _voice(message: Message) -> tuple[str, str, UUID | None]:
    return message.direction, message.source, message.author_id


def _by_time(bubbles: list[Bubble], activities: list[Activity]) -> list[tuple[datetime, Any]]:
    timed: list[tuple[datetime, Any]] = [(each.message.sent_at, each) for each in bubbles]
    timed += [(activity.at, ActivityLine(activity)) for activity in activities]
    return sorted(timed, key=lambda pair: pair[0])


def _with_lines(timed: list[tuple[datetime, Any]], *, unread: int) -> list[Any]:
    inbound = [item for _at, item in timed if isinstance(item, Bubble) and item.is_said]
    first_unread = inbound[-unread] if 0 < unread <= len(inbound) else None
    items: list[Any] = []
    day = None
    for at, item in timed:
        if timezone.localdate(at) != day:
            day = timezone.localdate(at)
            items.append(DayLine(day))
        if item is first_unread:
            items.append(UnreadLine(unread))
        items.append(item)
    return items


def _last_day(items: list[Any]) -> date:
    return next(item.day for item in reversed(items) if item.kind == "day")


def _write(message: Message) -> str:
    return f"{message.sent_at.isoformat()}~{message.pk}"


def _read(cursor: str) -> tuple[datetime, UUID] | None:
    try:
        moment, last = cursor.split("~")
        return datetime.fromisoformat(moment), UUID(last)
    except ValueError:
        return None
