"""What the provider told us about messages, as the rows they will be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crm.inbound.directory import Line
from crm.models import NOTES, Direction, MessageStatus, Source
from crm.models.messages import CUE_LENGTH
from whatsapp import window
from whatsapp.events import (
    CallEnded,
    Event,
    IdentityChanged,
    MediaReference,
    MessageEchoed,
    MessageEdited,
    MessageReceived,
    MessageRemembered,
    MessageRevoked,
    Person,
)

# A phone that is ahead of the world must not keep a window open for days.
FURTHEST_AHEAD = timedelta(minutes=5)
_PRESSES = frozenset({"button_reply", "list_reply"})


@dataclass(slots=True)
class Entry:
    """One message row to be. `person` is the customer, also for what our side wrote on the phone."""

    line: Line
    person: Person
    provider_message_id: str
    type: str
    sent_at: datetime
    direction: Direction = Direction.INBOUND
    source: Source = Source.CUSTOMER
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    quoted_id: str = ""
    media: MediaReference | None = None
    opens_window: bool = False
    is_unread: bool = False
    is_past: bool = False  # handed over by a phone that was connected: nobody is told, and nothing begins by it

    @property
    def is_outbound(self) -> bool:
        return self.direction == Direction.OUTBOUND

    @property
    def moves_conversation(self) -> bool:
        """Whether it is a message of its own, rather than a note about another one or about the person."""
        return self.type not in NOTES

    @property
    def cue(self) -> str:
        """`ad:` and the ad's id for a message that an ad led to, `button:` and its words for a button that was pressed."""
        if self.is_past:
            return ""
        referral = self.payload.get("referral")
        if isinstance(referral, dict) and not self.is_outbound:
            return f"ad:{referral.get('source_id') or ''}"[:CUE_LENGTH]
        if self.type == "button" or (self.type == "interactive" and self.payload.get("type") in _PRESSES):
            return "" if self.is_outbound else cue_of_button(self.text)
        return ""

    @property
    def status(self) -> MessageStatus:
        return MessageStatus.ACCEPTED if self.is_outbound else MessageStatus.RECEIVED

    @property
    def window_expires_at(self) -> datetime | None:
        return window.expires_after(self.sent_at) if self.opens_window else None


def cue_of_button(words: str) -> str:
    """The cue of a button with these words; capitals and spaces around them do not count."""
    return f"button:{words.strip().casefold()}"[:CUE_LENGTH]


def entries(line: Line, event: Event, *, received_at: datetime) -> Iterator[Entry]:
    """The message rows of one event: none for a status, a reaction, or a group (groups are not ours to answer)."""
    match event:
        case MessageReceived(group_id=None):
            yield Entry(
                line=line,
                person=event.sender,
                provider_message_id=event.message_id,
                type=event.type[:40],
                sent_at=_plausible(event.sent_at, received_at),
                text=event.text,
                payload=_payload(event),
                quoted_id=event.quoted_id or "",
                media=event.media,
                opens_window=event.opens_window,
                is_unread=event.type not in ("system", "request_welcome"),
            )
        case MessageEchoed():
            yield Entry(
                line=line,
                person=event.recipient,
                provider_message_id=event.message_id,
                type=event.type[:40],
                sent_at=_plausible(event.sent_at, received_at),
                direction=Direction.OUTBOUND,
                source=Source.PHONE,
                text=event.text,
                payload=event.payload,
                quoted_id=event.quoted_id or "",
                media=event.media,
            )
        case MessageRemembered():
            yield Entry(
                line=line,
                person=event.person,
                provider_message_id=event.message_id,
                type=event.type[:40],
                sent_at=_plausible(event.sent_at, received_at),
                direction=Direction.OUTBOUND if event.ours else Direction.INBOUND,
                source=Source.PHONE if event.ours else Source.CUSTOMER,
                text=event.text,
                payload=event.payload,
                quoted_id=event.quoted_id or "",
                media=event.media,
                is_past=True,
            )
        case MessageEdited() | MessageRevoked():
            yield Entry(
                line=line,
                person=event.person,
                provider_message_id=event.message_id,
                type="edit" if isinstance(event, MessageEdited) else "revoke",
                sent_at=_plausible(event.at, received_at),
                direction=Direction.OUTBOUND if event.ours else Direction.INBOUND,
                source=Source.PHONE if event.ours else Source.CUSTOMER,
                text=event.text if isinstance(event, MessageEdited) else "",
                payload={"target_id": event.target_id},
                quoted_id=event.target_id,
            )
        case CallEnded():
            yield Entry(
                line=line,
                person=event.person,
                provider_message_id=f"{event.call_id}:end",
                type="call_end",
                sent_at=_plausible(event.at, received_at),
                payload={"answered": event.answered, "seconds": event.seconds},
                quoted_id=event.call_id,
            )
        case IdentityChanged():
            yield Entry(
                line=line,
                person=event.person,
                provider_message_id=event.message_id,
                type="system",
                sent_at=_plausible(event.at, received_at),
                text=event.text,
                payload={"kind": event.kind, "phone": event.person.phone or ""},
            )


def _payload(event: MessageReceived) -> dict[str, Any]:
    """WhatsApp's object, with what it says about the message around it under names of our own."""
    around: dict[str, Any] = {}
    if event.referral:
        around["referral"] = event.referral
    if event.forwarded:
        around["forwarded"] = True
    if event.product:
        around["product"] = event.product
    if event.faults:
        around["errors"] = [
            {"code": fault.code, "title": fault.title, "detail": fault.detail} for fault in event.faults
        ]
    return {**event.payload, **around}


def _plausible(at: datetime, received_at: datetime) -> datetime:
    """WhatsApp's own time, but never far ahead of the moment its webhook was stored: the same on every replay."""
    return min(at, received_at + FURTHEST_AHEAD)
