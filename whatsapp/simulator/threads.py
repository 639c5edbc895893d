"""The customer's side of each conversation: what their phone shows, and when they last wrote to us."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .faults import digits
from .identities import canonical

WINDOW_S = 24 * 3600


@dataclass(slots=True)
class Bubble:
    """One message as the customer's phone shows it. `mine` = the customer wrote it."""

    id: str
    mine: bool
    type: str
    at: float
    text: str = ""
    status: str = ""  # of theirs: sent, delivered, read; of ours: what Meta reported last
    quoted_id: str = ""
    media_id: str = ""
    link: str = ""
    filename: str = ""
    parts: dict[str, Any] = field(default_factory=dict)  # header, footer, buttons, rows, place, cards …
    reactions: dict[str, str] = field(default_factory=dict)  # who ("me" | "business") -> emoji
    edited: bool = False
    revoked: bool = False


@dataclass(slots=True)
class Thread:
    number_id: str
    key: str  # canonical phone, or the business-scoped id
    wa_id: str  # as WhatsApp names this customer; empty when only the business-scoped id is known
    name: str = ""
    username: str = ""
    bsuid: str = ""
    bubbles: list[Bubble] = field(default_factory=list)
    last_inbound_at: float = 0.0
    referral_at: float = 0.0
    blocked: bool = False  # by the customer
    typing_until: float = 0.0  # monotonic
    keys: dict[str, str] = field(default_factory=dict)  # public keys this phone has fetched, by number

    @property
    def address(self) -> str:
        return self.wa_id or self.bsuid

    def find(self, message_id: str) -> Bubble | None:
        return next((bubble for bubble in reversed(self.bubbles) if bubble.id == message_id), None)

    def window_left(self, now: float) -> float:
        return max(0.0, self.last_inbound_at + WINDOW_S - now) if self.last_inbound_at else 0.0


class Threads:
    MOST = 2_000
    MOST_BUBBLES = 120

    def __init__(self) -> None:
        self._threads: dict[tuple[str, str], Thread] = {}
        self._of_message: dict[str, Thread] = {}

    def __iter__(self):
        return iter(self._threads.values())

    def __len__(self) -> int:
        return len(self._threads)

    def get(self, *, number_id: str, customer: str) -> Thread | None:
        return self._threads.get((number_id, canonical(digits(customer))))

    def open(self, *, number_id: str, customer: str) -> Thread:
        """The thread of this customer with this number, made when it is new. The longest idle ones are forgotten."""
        address = digits(customer)
        key = (number_id, canonical(address))
        thread = self._threads.pop(key, None)
        if thread is None:
            is_bsuid = "." in address
            thread = Thread(number_id, key[1], "" if is_bsuid else address, bsuid=address if is_bsuid else "")
            if len(self._threads) >= self.MOST:
                self._forget(next(iter(self._threads)))
        self._threads[key] = thread
        return thread

    def add(self, thread: Thread, bubble: Bubble) -> None:
        thread.bubbles.append(bubble)
        self._of_message[bubble.id] = thread
        if len(thread.bubbles) > self.MOST_BUBBLES:
            for old in thread.bubbles[: self.MOST_BUBBLES // 4]:
                self._of_message.pop(old.id, None)
            del thread.bubbles[: self.MOST_BUBBLES // 4]

    def of_message(self, message_id: str) -> Thread | None:
        return self._of_message.get(message_id)

    def clear(self) -> None:
        self._threads.clear()
        self._of_message.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [{**asdict(thread), "typing_until": 0.0} for thread in self._threads.values()]

    def restore(self, saved: list[dict[str, Any]]) -> None:
        """Take threads back from `as_json`. Parts that do not fit are left out: the file may be from another version."""
        for one in saved:
            thread = self.open(number_id=str(one["number_id"]), customer=str(one.get("wa_id") or one.get("bsuid")))
            thread.name, thread.username = str(one.get("name", "")), str(one.get("username", ""))
            thread.bsuid = str(one.get("bsuid", ""))
            thread.keys = dict(one.get("keys") or {})
            thread.last_inbound_at = float(one.get("last_inbound_at", 0))
            thread.referral_at, thread.blocked = float(one.get("referral_at", 0)), bool(one.get("blocked"))
            for bubble in one.get("bubbles", []):
                known = {name: bubble[name] for name in Bubble.__slots__ if name in bubble}
                self.add(thread, Bubble(**known))

    def _forget(self, key: tuple[str, str]) -> None:
        for bubble in self._threads.pop(key).bubbles:
            self._of_message.pop(bubble.id, None)
