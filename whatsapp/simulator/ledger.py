"""Every message that was accepted, so that a test can ask what really went out, to whom, with whose token, how often."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    phone_number_id: str
    token: str
    to: str
    type: str
    wamid: str
    reference: str
    at: float
    text: str
    body: bytes


class Ledger:
    MOST = 1_000_000

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._references: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        if len(self._entries) >= self.MOST:
            del self._entries[: self.MOST // 10]
        self._entries.append(entry)
        if entry.reference:
            self._references[_message_of(entry.reference)] += 1

    def clear(self) -> None:
        self._entries.clear()
        self._references.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def doubles(self) -> int:
        """How many of our references were accepted more than once."""
        return sum(1 for count in self._references.values() if count > 1)

    def as_json(self, *, phone_number_id: str = "", to: str = "") -> list[dict[str, Any]]:
        return [
            {
                "phone_number_id": entry.phone_number_id,
                "token": entry.token,
                "to": entry.to,
                "type": entry.type,
                "wamid": entry.wamid,
                "biz_opaque_callback_data": entry.reference or None,
                "count": self._references[_message_of(entry.reference)] if entry.reference else 1,
                "at": datetime.fromtimestamp(entry.at, UTC).isoformat(),
                "text": entry.text,
                "body": json.loads(entry.body),
            }
            for entry in self._entries
            if (not phone_number_id or entry.phone_number_id == phone_number_id) and (not to or entry.to == to)
        ]


def _message_of(reference: str) -> str:
    """A reference is `<message uuid>.<attempt>.<hmac>`: two attempts of one message are a double."""
    return reference.partition(".")[0]
