"""How likely it is that a contact has blocked one of our numbers: plain Python, from evidence to a likelihood.

Meta names no blocker: no webhook, code or field does. What a blocked sender sees is a message that stays at one tick for
ever, or 131026 (undeliverable) from somebody who was reached before; a phone that is off, a new phone and a carrier that
is down look the same. So a silence is compared with the silences of the same number that ended: how often they do, and how
long they last. A miss counts only while the number reached others, and whatever shows that the person got something
(delivered, read, written) takes all of it back. The result is a likelihood with its evidence, never a fact.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import exp

PATIENCE = timedelta(hours=72)
"""A message at one tick for less than this says nothing: phones are off over a weekend."""
APART = timedelta(hours=20)
"""Misses closer together than this are one: what keeps a phone from us keeps it from us all day."""
FOR_GOOD = timedelta(days=14)
"""A silence of this length counts among those that never end, until it does."""
PROBABLE, VERY_LIKELY = 0.95, 0.99
CEILING = 0.999
"""Never certain: Meta sends no signal of a block."""
FEWEST_OTHERS = 3
"""Others of the same number who must have got something around a miss, for it to count."""

_ENDED, _NEVER = 3, 2
"""Before a number has silences of its own: of five that begin, three end."""
_STRAY = 0.03
"""Before that, too: how seldom somebody who did not block us is missed once more."""
_WEIGHT = 25
"""So many silences of its own weigh as much as what is thought before."""
_STRANGERS = 0.3
"""The most that is said of somebody who was never reached: the number may have no WhatsApp."""
_REPORTED = 0.99
"""What Twilio says in so many words."""


class Level(StrEnum):
    """What is made of a likelihood. POSSIBLE is only shown, PROBABLE pauses, VERY_LIKELY stops automatic sending."""

    NONE = ""
    POSSIBLE = "possible"
    PROBABLE = "probable"
    VERY_LIKELY = "very_likely"


class Kind(StrEnum):
    """What happened to a message that nobody got."""

    STUCK = "stuck"  # one tick, and no second
    UNDELIVERABLE = "undeliverable"  # 131026
    REPORTED = "reported"  # 63014, 63033: Twilio says that the recipient blocked


class Weight(StrEnum):
    """Whether a message counts as a miss, or why not."""

    COUNTED = "counted"
    TOO_SOON = "too_soon"
    SAME_DAY = "same_day"
    NUMBER_TROUBLE = "number_trouble"
    NOBODY_ELSE = "nobody_else"


@dataclass(frozen=True, slots=True)
class Send:
    """A message since the person was last reached, and what the same number sent and delivered to others around it."""

    at: datetime  # accepted, or refused
    kind: Kind
    others_sent: int = 0
    others_delivered: int = 0


@dataclass(frozen=True, slots=True)
class Silences:
    """What a number knows of people whom it did not reach for 72 hours and more.

    `ended` has for each person whom it reached again the longest such time, sorted; `never` is how many it did not. One
    ended when the person got or wrote something, or somebody said that they had not blocked us.
    """

    ended: tuple[timedelta, ...] = ()
    never: int = 0

    @property
    def odds(self) -> float:
        """That one which begins never ends, to that it does."""
        return (self.never + _NEVER) / (len(self.ended) + _ENDED)

    def share_lasting(self, length: timedelta, misses: int) -> float:
        """Of those that end: how many last so long, or swallow so many messages."""
        count = len(self.ended)
        weight = count / (count + _WEIGHT)
        return weight * _share_longer(self.ended, length) + (1 - weight) * float(_STRAY ** (misses - 1))


def _share_longer(lengths: Sequence[timedelta], length: timedelta) -> float:
    """The share of sorted lengths that were at least so long; beyond all of them it falls with their mean, never to zero."""
    if not lengths:
        return 0.0
    share = (len(lengths) - bisect_left(lengths, length) + 0.5) / (len(lengths) + 1)
    beyond = max(length - lengths[-1], timedelta())
    return share * exp(-beyond / (sum(lengths, timedelta()) / len(lengths)))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The likelihood (0 to CEILING), what is made of it, and for each message whether it counted."""

    likelihood: float
    level: Level
    misses: int
    weights: tuple[Weight, ...]


def judge(
    sends: Iterable[Send], *, was_reached: bool, silences: Silences, own: Sequence[timedelta] = (), now: datetime
) -> Judgement:
    """Judge what was sent since the contact was last reached, oldest first.

    `was_reached`: they ever got or wrote something. `own`: their earlier silences that ended, sorted; whoever is always
    slow is expected to be slow again.
    """
    weights: list[Weight] = []
    counted: list[Send] = []
    for send in sends:
        weights.append(_weigh(send, counted[-1].at if counted else None, now))
        if weights[-1] is Weight.COUNTED:
            counted.append(send)
    if not counted:
        return Judgement(0.0, Level.NONE, 0, tuple(weights))
    # Whatever else counted that day.
    is_reported = any(send.kind is Kind.REPORTED for send in sends)
    length = now - counted[0].at
    share = max(silences.share_lasting(length, len(counted)), _share_longer(own, length))
    odds = silences.odds / (1 + len(own)) / share
    likelihood = min(odds / (1 + odds), CEILING if was_reached else _STRANGERS)
    if is_reported:
        likelihood = max(likelihood, _REPORTED)
    return Judgement(
        likelihood, _level(likelihood, len(counted), is_reported=is_reported), len(counted), tuple(weights)
    )


def _weigh(send: Send, last: datetime | None, now: datetime) -> Weight:
    if send.kind is Kind.STUCK and now - send.at < PATIENCE:
        return Weight.TOO_SOON
    if last is not None and send.at - last < APART:
        return Weight.SAME_DAY
    if send.kind is Kind.STUCK:
        if send.others_delivered * 2 < send.others_sent:
            return Weight.NUMBER_TROUBLE
        if send.others_delivered < FEWEST_OTHERS:
            return Weight.NOBODY_ELSE
    return Weight.COUNTED


def _level(likelihood: float, misses: int, *, is_reported: bool) -> Level:
    if likelihood >= VERY_LIKELY and (misses >= 3 or is_reported):
        return Level.VERY_LIKELY
    if likelihood >= PROBABLE and (misses >= 2 or is_reported):
        return Level.PROBABLE
    return Level.POSSIBLE if misses else Level.NONE
