"""Reading a script: lines of talk become steps with a moment each. Pure; the same script and `now` give the same steps.

A line is `[+gap] mark [tag]… words`. The mark says who:

    <   the customer            >   the colleague whose talk it is; `>supervisor` another one
    *   a sequence              ~   our side, typed on the phone
    =   what a colleague does: `= ana takes`, `transfers Soporte luis`, `releases`, `reads`, `snoozes 20h`, `closes`

Tags change what the words are. On any message: `[^2]` quotes the second message above, `[react 👍]` (alone) is put on the
last message of the other side. Of a customer: `[image]`, `[video]`, `[voice]`, `[document name]`, `[sticker]`,
`[location place; address; latitude; longitude]`, `[contacts name; phone]`, `[order]`, `[button]`, `[list]`, `[poll]`,
`[edit]`, `[revoke]`, `[ad]`, `[forwarded]`. Of ours: `[template name; values…]`, how far it came (`[sent]`, `[delivered]`,
`[read]`), `[failed code]` as WhatsApp reports it, `[refused reason code]` when it was not taken, `[unknown]`.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from random import Random

_LINE = re.compile(
    r"(?:\+(?P<gap>\S+)\s+)?(?P<mark>[<*~=]|>(?P<author>\w*))\s*(?P<tags>(?:\[[^\]]*\]\s*)*)(?P<text>.*)"
)
_SPANS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
CUSTOMER, AGENT, SEQUENCE, PHONE, ACT = "<", ">", "*", "~", "="


@dataclass(frozen=True, slots=True)
class Scene:
    """One customer with one of our numbers: what was said some time ago, and what is being said now.

    `wrote` is how long ago the customer's last message came (the last line, where they never wrote), so 23h22m leaves
    38 minutes of window. `earlier` names talks of `crm.demo.earlier` and how many days ago each ended, oldest first.
    """

    name: str
    address: str  # wa_id, or a business-scoped id of somebody who shows no phone
    number: str
    wrote: str
    talk: str
    agent: str = ""  # who answers, where it is not the usual colleague of the number
    earlier: tuple[tuple[str, int], ...] = ()
    known_as: str = ""  # the name our people gave
    username: str = ""
    labels: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return f"{self.number}/{self.address}"

    @property
    def first_name(self) -> str:
        return (self.known_as or self.name or "hola").split()[0]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script at its moment. `author` is set where one of our people speaks or acts."""

    mark: str
    text: str
    tags: tuple[tuple[str, str], ...] = ()
    author: str = ""
    position: int = 0  # in the scene, over all its talks
    at: datetime = datetime.min  # noqa: DTZ901 - set by `played`
    pause: float | None = None

    def tag(self, name: str) -> str | None:
        """What is written after the tag, "" when nothing is; None when the line has no such tag."""
        return next((value for tag, value in self.tags if tag == name), None)

    @property
    def is_message(self) -> bool:
        return self.mark != ACT and self.tag("react") is None

    @property
    def is_ours(self) -> bool:
        return self.mark in (AGENT, SEQUENCE)


Talk = tuple[Step, ...]


def span(text: str) -> float:
    """Seconds of “2d3h”, “23h22m”, “40s”."""
    return sum(float(count) * _SPANS[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))


def played(scene: Scene, *, earlier: dict[str, str], usual_agent: str, zone: tzinfo, now: datetime) -> list[Talk]:
    """The talks of a scene, oldest first, each step at its moment; nothing is in the future.

    Earlier ones end in the shop's hours, by `zone`, and before the next one begins.
    """
    chance = Random(scene.key)  # noqa: S311
    agent = scene.agent or usual_agent
    blanks = _blanks(scene, chance)
    scripts = [earlier[name].format(**blanks) for name, _days in scene.earlier] + [scene.talk]
    drafts: list[list[Step]] = []
    for script in scripts:
        drafts.append(_read(script, agent=agent, start=sum(map(len, drafts))))
    wrote = now - timedelta(seconds=span(scene.wrote))
    talks = [_until_now(drafts.pop(), wrote=wrote, now=now, chance=chance)]
    for steps, (_name, days) in zip(reversed(drafts), reversed(scene.earlier), strict=True):
        day = (now - timedelta(days=days)).astimezone(zone)
        ends = day.replace(hour=chance.randrange(10, 19), minute=chance.randrange(60), second=chance.randrange(60))
        talks.insert(0, _paced(steps, ends=min(ends, talks[0][0].at - timedelta(hours=1)), chance=chance))
    return talks


def _read(script: str, *, agent: str, start: int) -> list[Step]:
    lines = [line.strip() for line in script.strip().splitlines() if line.strip()]
    return [_step(line, agent=agent, position=start + at) for at, line in enumerate(lines)]


def _step(line: str, *, agent: str, position: int) -> Step:
    found = _LINE.fullmatch(line)
    assert found, f"This line of the demo cannot be read: {line}"
    mark, text = found["mark"][0], found["text"]
    tags = tuple(_tag(content) for content in re.findall(r"\[([^\]]*)\]", found["tags"]))
    author = (found["author"] or agent) if mark == AGENT else ""
    if mark == ACT:
        author, _space, text = text.partition(" ")
    return Step(
        mark,
        text,
        tags,
        agent if author == "agent" else author,
        position,
        pause=span(found["gap"]) if found["gap"] else None,
    )


def _tag(content: str) -> tuple[str, str]:
    if content.startswith("^"):
        return "quotes", content[1:] or "1"
    name, _space, value = content.partition(" ")
    return name, value


def _paced(steps: list[Step], *, ends: datetime, chance: Random) -> Talk:
    """Give each step a moment, so that the last one is at `ends`; whole seconds, as WhatsApp counts."""
    offsets, elapsed, before = [], 0.0, ""
    for step in steps:
        elapsed += (step.pause if step.pause is not None else _pause(before, step.mark, chance)) if before else 0
        offsets.append(elapsed)
        before = step.mark
    ends = ends.replace(microsecond=0)
    return tuple(
        replace(step, at=ends - timedelta(seconds=int(elapsed) - int(offset)))
        for step, offset in zip(steps, offsets, strict=True)
    )


def _until_now(steps: list[Step], *, wrote: datetime, now: datetime, chance: Random) -> Talk:
    """The present talk: the customer's last message at `wrote`, and what follows it squeezed in before now."""
    last = max((at for at, step in enumerate(steps) if _opens_window(step)), default=len(steps) - 1)
    before = _paced(steps[: last + 1], ends=wrote, chance=chance)
    after = _paced([before[-1], *steps[last + 1 :]], ends=wrote, chance=chance)
    length = (after[-1].at - after[0].at).total_seconds()
    room = max((now - before[-1].at).total_seconds() - 20, 0)
    scale = min(1.0, room / length) if length else 1.0
    moved = tuple(
        replace(step, at=before[-1].at + timedelta(seconds=int((step.at - after[0].at).total_seconds() * scale)))
        for step in after[1:]
    )
    return before + moved


def _opens_window(step: Step) -> bool:
    silent = ("react", "poll", "edit", "revoke")
    return step.mark == CUSTOMER and not any(step.tag(name) is not None for name in silent)


def _pause(before: str, mark: str, chance: Random) -> float:
    """Seconds until this line: people type several lines quickly, and let each other wait."""
    if mark == ACT or before == ACT:
        return chance.randrange(15, 70)
    if before == mark:
        return chance.randrange(7, 45)
    return chance.randrange(50, 600) if mark == CUSTOMER else chance.randrange(40, 420)


def _blanks(scene: Scene, chance: Random) -> dict[str, str]:
    """What the earlier talks leave open; different for each customer, the same every time."""
    return {
        "nombre": scene.first_name,
        "modelo": chance.choice(("Trail Andina 2", "Bota Sierra", "Urbana Lino", "Runner Costa", "Mocasín Lima")),
        "talla": str(chance.randrange(35, 44)),
        "pedido": f"NC-{chance.randrange(1100, 4900)}",
        "distrito": chance.choice(("Surco", "San Borja", "Pueblo Libre", "Los Olivos", "Barranco", "Jesús María")),
        "monto": chance.choice(("S/ 189.90", "S/ 249.00", "S/ 319.90", "S/ 389.90")),
        "dia": chance.choice(("lunes", "martes", "jueves", "sábado")),
    }
