"""What happened, newest last, for the page's list of events. Bounded, and cheap enough to keep under load."""

from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    at: float
    kind: str  # inbound, accepted, sent, delivered, read, failed, refused, lost, held, duplicate, retry, clock …
    number_id: str = ""
    customer: str = ""
    message_id: str = ""
    text: str = ""
    detail: str = ""


class Journal:
    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=300)
        self.version = 0  # grows with everything a page may want to show again

    def add(self, kind: str, at: float, **facts: Any) -> None:
        self.version += 1
        self.entries.append(Entry(self.version, at, kind, **facts))

    def touch(self) -> None:
        self.version += 1

    def since(self, seq: int = 0, *, most: int = 120) -> list[Entry]:
        return [entry for entry in self.entries if entry.seq > seq][-most:]
