"""The states of a message of ours, and the one order in which provider statuses are merged.

Statuses arrive twice, late and in any order. A message's status is the highest rank ever seen, so merging is
commutative and idempotent, and every worker and every replay comes to the same row. `failed` stands between `sent` and
`delivered`: it is final for what went nowhere, never undoes a delivery, and a delivery undoes it (a phone can receive
what another device of the same person could not).

What our own sender decides (back to `queued` for another try) is no merge; it is a guarded UPDATE of the sender.
"""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"  # written to the provider, no readable answer
    ACCEPTED = "accepted"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


RANK: dict[str, int] = {status.value: position * 10 for position, status in enumerate(Status)}
"""Status to rank; SQL is generated from this. Gaps of ten leave room for a status that Meta invents."""

REPORTED = frozenset({Status.ACCEPTED, Status.SENT, Status.FAILED, Status.DELIVERED, Status.READ, Status.PLAYED})
"""What a provider may say. Anything else it says is kept with the raw event and merged nowhere."""

IMPLIED: dict[str, frozenset[Status]] = {
    # Meta leaves `delivered` out when a message is read at once (status webhook page).
    Status.DELIVERED: frozenset({Status.SENT}),
    Status.READ: frozenset({Status.SENT, Status.DELIVERED}),
    Status.PLAYED: frozenset({Status.SENT, Status.DELIVERED, Status.READ}),
}
"""What a status proves to have happened too, at the latest then."""


def is_reported(word: str) -> bool:
    """Whether a provider's word is one that the merge takes."""
    return word in REPORTED


def merged(current: str, incoming: str) -> str:
    """The status after `incoming` was reported for a message at `current`; a word we do not know changes nothing."""
    if incoming not in REPORTED:
        return current
    return incoming if RANK[incoming] > RANK.get(current, -1) else current


def merged_all(current: str, incoming: Iterable[str]) -> str:
    """`merged` over many reports; their order does not matter."""
    for word in incoming:
        current = merged(current, word)
    return current


def reached(status: str, milestone: Status) -> bool:
    """Whether a message at `status` is known to have been at `milestone`: a read one was delivered, a failed one not."""
    return status == milestone or milestone in IMPLIED.get(status, ())
