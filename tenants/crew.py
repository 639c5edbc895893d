"""How many threads of this process do the same work at a time: a campaign must leave some to everything else.

Whoever is turned away leaves word, and so does who goes while there is work; the last to go passes it on. One of those who
are turned away may be a guest, who does what cannot wait until one of the others has a hand free.
"""

import threading
from collections import Counter
from collections.abc import Hashable


class Crew:
    """Who is at work, by what they work on (a number, a kind of work): at most so many of each."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = threading.Condition()
        self._members: Counter[Hashable] = Counter()
        self._wanted: set[Hashable] = set()
        self._guests: set[Hashable] = set()

    def join(self, job: Hashable) -> bool:
        """Whether the caller may work. If not, there are others, and one of them will look once more or pass it on."""
        with self._lock:
            if self._members[job] >= self._most:
                self._wanted.add(job)
                self._lock.notify_all()
                return False
            self._members[job] += 1
            return True

    def seat_guest(self, job: Hashable) -> bool:
        """Whether the caller, who was turned away, may do what cannot wait; then it calls `leave_guest`."""
        with self._lock:
            is_free = job not in self._guests
            self._guests.add(job)
            return is_free

    def leave_guest(self, job: Hashable) -> None:
        with self._lock:
            self._guests.discard(job)

    def has_others(self, job: Hashable) -> bool:
        with self._lock:
            return self._members[job] > 1

    def rest(self, job: Hashable, seconds: float) -> None:
        """Do nothing for a while, but no longer than until somebody is turned away: the caller then looks once more."""
        with self._lock:
            self._lock.wait_for(lambda: job in self._wanted, timeout=seconds)
            self._wanted.discard(job)

    def takes_word(self, job: Hashable) -> bool:
        """Whether somebody was turned away since; the caller looks once more."""
        with self._lock:
            is_wanted = job in self._wanted
            self._wanted.discard(job)
            return is_wanted

    def leave(self, job: Hashable, *, is_done: bool) -> bool:
        """Stop working; answers whether a bell must be rung, because there may be work and nobody is left."""
        with self._lock:
            self._members[job] -= 1
            if not is_done:
                self._wanted.add(job)
            if self._members[job]:
                return False
            del self._members[job]
            is_wanted = job in self._wanted
            self._wanted.discard(job)
            return is_wanted
