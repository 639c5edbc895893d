"""`python -m tests.evaluation.blocks`: how well blocks are noticed, in a world where the truth is known.

A number writes to people of two countries for three months. Some block it; some have their phone off for days, some are
always slow, some gave their number up; one country's carrier fails twice, and the provider loses the statuses of some
hours. Every six hours both rules look at what a real system would see at that moment: `crm.blocking`, and the rule of
the system that it replaces (two messages in a row without a second tick after 72 hours, three for "very likely").
Writes docs/block-detection.md.
"""

import math
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from crm.blocking import FOR_GOOD, PATIENCE, Kind, Level, Send, Silences, judge
from tests.evaluation.clock import HOUR, at

PAGE = Path(__file__).resolve().parents[2] / "docs" / "block-detection.md"
DAYS, LOOK = 90, 6
WAIT = PATIENCE.total_seconds() / 3600
OUTAGES = ((20.0, 24.5, "PE"), (61.0, 61.8, ""), (70.0, 73.5, "CL"))  # days, and whose; "" is everybody's
LOST = ((35.0, 35.4), (48.0, 48.25))  # statuses of what was sent then never come
SHARES = {"blocks": 0.03, "off": 0.09, "slow": 0.06, "gone": 0.01, "usual": 0.81}


@dataclass(slots=True)
class Message:
    """Hours since the beginning. `reached` is when the second tick comes to us; infinite: never."""

    at: float
    reached: float = math.inf
    undeliverable: bool = False


@dataclass(slots=True)
class Person:
    kind: str
    country: str
    blocked_at: float = math.inf
    away: list[tuple[float, float]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    written: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Score:
    """What one rule flagged: rightly, and wrongly by kind of person; and how long after the block, in days."""

    right: set[int] = field(default_factory=set)
    wrong: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float:
        flagged = len(self.right) + self.wrong.total()
        return len(self.right) / flagged if flagged else 1.0

    def recall(self, detectable: set[int]) -> float:
        return len(self.right & detectable) / len(detectable) if detectable else 1.0


@dataclass(slots=True)
class Found:
    people: list[Person]
    detectable: set[int]  # blockers who were sent enough for anybody to notice
    scores: dict[tuple[str, Level], Score]


def world(count: int, random: Random) -> list[Person]:
    kinds = random.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    return [_person(kind, random) for kind in kinds]


def _person(kind: str, random: Random) -> Person:
    person = Person(kind, random.choice(("PE", "CL")))
    end = DAYS * 24.0
    if kind in ("blocks", "gone"):
        person.blocked_at = random.uniform(5 * 24, end - 14 * 24)
    if kind == "off":
        for _ in range(random.choice((1, 1, 2))):
            start = random.uniform(0, end)
            person.away.append((start, start + 24 * random.uniform(3.2, 12)))
    pace = random.choice((20, 48, 72, 120))  # hours between messages: a daily sequence, a campaign now and then
    moment = random.uniform(0, pace)
    while moment < end:
        person.messages.append(_message(person, moment, random))
        if random.random() < 0.08 and person.messages[-1].reached < math.inf:
            person.written.append(person.messages[-1].reached + random.uniform(0.05, 20))
        moment += pace * random.uniform(0.7, 1.6)
    return person


def _message(person: Person, moment: float, random: Random) -> Message:
    if moment >= person.blocked_at:
        return Message(moment, undeliverable=person.kind == "gone")
    usual = random.lognormvariate(math.log(30 if person.kind == "slow" else 0.2), 0.9 if person.kind == "slow" else 1.6)
    reached = moment + usual
    for start, end in person.away:
        if start <= reached < end:
            reached = end + random.uniform(0, 1)
    for first, last, country in OUTAGES:
        if first * 24 <= reached < last * 24 and country in ("", person.country):
            reached = last * 24 + random.uniform(0, 3)
    if reached >= person.blocked_at or any(first * 24 <= moment < last * 24 for first, last in LOST):
        return Message(moment)
    return Message(moment, reached)


def evaluate(count: int, seed: int) -> Found:
    """Both rules, on the same world, each seeing at every moment only what had come by then."""
    people = world(count, Random(seed))
    by_country = {country: _sent(people, country) for country in ("PE", "CL")}
    scores: dict[tuple[str, Level], Score] = defaultdict(Score)
    flagged: dict[tuple[str, Level], set[int]] = defaultdict(set)
    silences = Silences()
    for now in range(LOOK, DAYS * 24, LOOK):
        if now % 168 == 0:
            silences = _silences(people, by_country, now)
        for index, person in enumerate(people):
            trail = _trail(person, now)
            said = _said(person, trail, by_country[person.country], silences, now) if trail else {}
            for rule in ("fixed", "evidence"):
                for level in (Level.PROBABLE, Level.VERY_LIKELY):
                    key = (rule, level)
                    is_flagged = said.get(rule) in ((level, Level.VERY_LIKELY) if level is Level.PROBABLE else (level,))
                    if not is_flagged:
                        flagged[key].discard(index)
                    elif index not in flagged[key]:
                        flagged[key].add(index)
                        _count(scores[key], index, person, now)
    return Found(people, {n for n, person in enumerate(people) if _is_detectable(person)}, dict(scores))


def _count(score: Score, index: int, person: Person, now: float) -> None:
    if person.kind == "blocks" and now > person.blocked_at:
        if index not in score.right:
            score.waits.append((now - person.blocked_at) / 24)
        score.right.add(index)
    else:
        score.wrong[person.kind] += 1


def _trail(person: Person, now: float) -> list[Message]:
    """What was sent since the person was last reached, as far as it is known now."""
    reached = max(
        [message.reached for message in person.messages if message.reached <= now]
        + [moment for moment in person.written if moment <= now],
        default=-1.0,
    )
    return [message for message in person.messages if reached < message.at <= now]


def _said(
    person: Person, trail: list[Message], others: tuple[list[float], list[float]], silences: Silences, now: float
) -> dict[str, Level]:
    old = [message for message in trail if message.undeliverable or now - message.at >= WAIT]
    fixed = Level.VERY_LIKELY if len(old) >= 3 else Level.PROBABLE if len(old) == 2 else Level.NONE
    if not old:
        return {}
    sends = [
        Send(at(message.at), Kind.UNDELIVERABLE if message.undeliverable else Kind.STUCK, *_around(others, message.at, now))
        for message in trail
    ]  # fmt: skip
    was_reached = any(message.reached <= now for message in person.messages) or any(w <= now for w in person.written)
    judged = judge(sends, was_reached=was_reached, silences=silences, own=_own(person, others, now), now=at(now))
    return {"fixed": fixed, "evidence": judged.level}


def _sent(people: list[Person], country: str) -> tuple[list[float], list[float]]:
    messages = sorted((m.at, m.reached) for person in people if person.country == country for m in person.messages)
    return [moment for moment, _ in messages], [reached for _, reached in messages]


def _around(others: tuple[list[float], list[float]], moment: float, now: float) -> tuple[int, int]:
    moments, reached = others
    first, last = bisect_left(moments, moment - 12), bisect_left(moments, min(moment + 12, now))
    return last - first, sum(1 for one in reached[first:last] if one <= now)


def _silences(people: list[Person], by_country: dict[str, tuple[list[float], list[float]]], now: float) -> Silences:
    """What the number has seen by now: silences that ended, and those of two weeks that did not."""
    ended, never = [], 0
    for person in people:
        if own := _own(person, by_country[person.country], now):
            ended.append(own[-1])
        trail = _trail(person, now)
        never += bool(len(trail) > 1 and now - trail[0].at > FOR_GOOD / HOUR)
    return Silences(tuple(sorted(ended)), never)


def _own(person: Person, others: tuple[list[float], list[float]], now: float) -> list[timedelta]:
    """A person's silences that ended by now, sorted: of the messages that came on one day, the longest."""
    spells: dict[int, float] = {}
    for message in person.messages:
        late = message.reached - message.at
        if message.reached <= now and late > WAIT and _was_fine(others, message.at):
            spells[int(message.reached // 24)] = max(spells.get(int(message.reached // 24), 0.0), late)
    return [length * HOUR for length in sorted(spells.values())]


def _was_fine(others: tuple[list[float], list[float]], moment: float) -> bool:
    """Whether most of what went there on that day came within 72 hours."""
    sent, in_time = _around(others, moment, moment + WAIT)
    return in_time * 2 >= sent


def _is_detectable(person: Person) -> bool:
    """Somebody who blocked, and was sent two messages on different days early enough to wait for."""
    if person.kind != "blocks":
        return False
    sent = [m.at for m in person.messages if m.at >= person.blocked_at and m.at <= DAYS * 24 - WAIT - LOOK]
    return bool(sent) and sent[-1] - sent[0] >= 20


def table(found: list[Found]) -> str:
    rows = [
        "| rule | flags | precision | … without numbers given up | recall | blockers found | wrong: phone off | slow | gave the number up | usual | days until noticed (median) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for rule, title in (("fixed", "fixed: 2 or 3 in a row"), ("evidence", "`crm.blocking`")):
        for level in (Level.PROBABLE, Level.VERY_LIKELY):
            scores = [one.scores.get((rule, level), Score()) for one in found]
            wrong = sum((score.wrong for score in scores), Counter())
            right, all_ = sum(len(score.right) for score in scores), sum(len(one.detectable) for one in found)
            caught = sum(len(score.right & one.detectable) for score, one in zip(scores, found, strict=True))
            waits = sorted(wait for score in scores for wait in score.waits)
            median = f"{waits[len(waits) // 2]:.1f}" if waits else "–"
            precision = right / (right + wrong.total()) if right + wrong.total() else 1.0
            others = wrong.total() - wrong["gone"]
            without = right / (right + others) if right + others else 1.0
            rows.append(
                f"| {title} | {level.replace('_', ' ')} | {precision:.1%} | {without:.1%} | {caught / all_:.1%} | {caught} of {all_} "
                f"| {wrong['off']} | {wrong['slow']} | {wrong['gone']} | {wrong['usual']} | {median} |"
            )
    return "\n".join(rows)


def main(count: int = 3000, seeds: int = 3) -> None:
    found = [evaluate(count, seed) for seed in range(1, seeds + 1)]
    print(table(found))
    PAGE.write_text(PAGE_TEXT.format(count=count, seeds=seeds, days=DAYS, table=table(found)))


PAGE_TEXT = """# Noticing blocks: how well

Written by `make blocks` (`python -m tests.evaluation.blocks`): {seeds} worlds of {count} people, {days} days, one number,
looked at every six hours. The truth is known there; the rules see only what a real system would have seen by then.

- 3 % block the number at some moment and are never reached again; 1 % give their phone number up (131026 from then on).
- 9 % have their phone off for 3 to 12 days, once or twice; 6 % always take long, some of their messages over 72 hours.
- One country's carrier is down for four and a half days, the other's for three and a half, everything for 19 hours;
  twice the statuses of some hours are lost for good.
- Messages go out every 20 to 120 hours, by person; one in twelve is answered.

The fixed rule is that of the system this one replaces: two messages in a row without a second tick after 72 hours are
"probable", three "very likely". `crm.blocking` counts misses of different days only, only while the same number reached
others in the same country, and by how often this number misses people who did not block it.

{table}

**Precision** is the share of flags that were right at their moment, **recall** the share of blockers found of those who
were sent at least two messages on different days in time. One person may be flagged wrongly more than once. Who gave the
number up counts as wrong, although stopping there is right as well: nothing that WhatsApp says tells the two apart. Without them the precision is what the two levels promise: 95 and 99 %.

What it costs: a block is noticed later than by the fixed rule, because one silence of a phone that is off explains all the
messages that it swallows; where a number knows many of those, it asks for more of them. What it buys is the column of
phones that were off: each of those is a customer whom the fixed rule stops writing to.
"""


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
