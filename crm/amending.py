"""What became of a message after it was said: other words, deleted, or, of a call, how it ended.

Each is a row of its own beside the message (never an overwrite), which names it by the provider's id; it may come before
the message, twice, and in any order. Nothing that was said is lost: the earlier words stay readable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.models import AMENDMENTS, Message


@dataclass(frozen=True, slots=True)
class Amendment:
    """`words` are the newest, None where they were never changed; `earlier` what it said before, oldest first."""

    words: str | None = None
    earlier: tuple[str, ...] = ()
    deleted_at: datetime | None = None
    by_us: bool = False
    call: dict[str, Any] | None = None


def amend(messages: Iterable[Message]) -> None:
    """Set `amendment` on those that have one; one query, whatever their number."""
    named = {(message.number_id, message.provider_message_id): message for message in messages}
    named = {key: message for key, message in named.items() if key[1]}
    if not named:
        return
    numbers, ids = zip(*named, strict=True)
    about = Message.objects.filter(type__in=AMENDMENTS, number_id__in=set(numbers), quoted_message_id__in=ids)
    found: dict[tuple[Any, str], list[Message]] = {}
    for row in about.order_by("sent_at", "id"):
        found.setdefault((row.number_id, row.quoted_message_id), []).append(row)
    for key, rows in found.items():
        # An id may be named by another conversation's row only where somebody made it up.
        of_it = [row for row in rows if row.conversation_id == named[key].conversation_id] if key in named else []
        if of_it:
            named[key].amendment = _amendment(named[key], of_it)


def _amendment(message: Message, rows: list[Message]) -> Amendment:
    wordings = [message.text, *(row.text for row in rows if row.type == "edit")]
    deletion = next((row for row in rows if row.type == "revoke"), None)
    ending = next((row for row in rows if row.type == "call_end"), None)
    return Amendment(
        words=wordings[-1] if len(wordings) > 1 else None,
        earlier=tuple(wordings[:-1]),
        deleted_at=deletion.sent_at if deletion else None,
        by_us=deletion.is_outbound if deletion else False,
        call=ending.payload if ending else None,
    )
