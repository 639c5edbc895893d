"""How many dispatchers one number has at a time in this process: a campaign must leave threads to everything else.

Whoever is turned away leaves word, and so does who goes while there is work; the last to go passes it on. One of those who
are turned away may be a guest, who does what cannot wait until one of the others has a hand free.
"""

import threading
from collections import Counter
from uuid import UUID


class Crew:
    """The dispatchers at work, by number: at most so many of each."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = threading.Condition()
        self._members: Counter[UUID] = Counter()
        self._wanted: set[UUID] = set()
        self._guests: set[UUID] = set()

    def join(self, number_id: UUID) -> bool:
        """Whether the caller may work. If not, there are others, and one of them will look once more or pass it on."""
        with self._lock:
            if self._members[number_id] >= self._most:
                self._wanted.add(number_id)
                self._lock.notify_all()
                return False
            self._members[number_id] += 1
            return True

    def seat_guest(self, number_id: UUID) -> bool:
        """Whether the caller, who was turned away, may do what cannot wait; then it calls `leave_guest`."""
        with self._lock:
            is_free = number_id not in self._guests
            self._guests.add(number_id)
            return is_free

    def leave_guest(self, number_id: UUID) -> None:
        with self._lock:
            self._guests.discard(number_id)

    def has_others(self, number_id: UUID) -> bool:
        with self._lock:
            return self._members[number_id] > 1

    def rest(self, number_id: UUID, seconds: float) -> None:
        """Do nothing for a while, but no longer than until somebody is turned away: the caller then looks once more."""
        with self._lock:
            self._lock.wait_for(lambda: number_id in self._wanted, timeout=seconds)
            self._wanted.discard(number_id)

    def leave(self, number_id: UUID, *, is_done: bool) -> bool:
        """Stop working; answers whether a bell must be rung, because there may be work and nobody is left."""
        with self._lock:
            self._members[number_id] -= 1
            if not is_done:
                self._wanted.add(number_id)
            if self._members[number_id]:
                return False
            del self._members[number_id]
            is_wanted = number_id in self._wanted
            self._wanted.discard(number_id)
            return is_wanted
