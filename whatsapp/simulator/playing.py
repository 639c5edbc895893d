"""The simulated customers act: they answer what the business writes, block it, and now and then write on their own."""

import asyncio
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import inbound
from .personas import PEOPLE, Line, Lines, Persona
from .threads import Bubble, Thread
from .world import World

if TYPE_CHECKING:
    from .sending import Accepted

BETWEEN_LINES_S = (0.9, 2.2)
QUIET_S = 25  # after the last word on either side, before a customer opens a new subject


@dataclass(slots=True)
class Progress:
    """How far a customer is in a conversation."""

    answers: int = 0
    asides: int = 0
    received: int = 0
    planned: bool = False  # an answer is under way; more messages meanwhile do not multiply it


def react(world: World, message: "Accepted") -> None:
    """Let the customer who got this message do what they would."""
    persona = world.persona_of(message.thread.address)
    if persona is None or message.failure or message.kind == "reaction" or message.thread.blocked:
        return
    progress = _progress(world, message.thread)
    progress.received += 1
    if persona.blocks_after and progress.received >= persona.blocks_after:
        message.thread.blocked = True
        world.journal.add(
            "blocked", world.clock.now(), number_id=message.number.id, customer=persona.address,
            text=f"{persona.first_name} bloqueó este número",
        )  # fmt: skip
        return
    silent = persona.phone_off or progress.planned or progress.answers >= persona.most_answers
    if silent or message.settings["block"] or not message.settings["answering"]:
        return
    bubble = message.thread.find(message.wamid)
    lines = _answer_to(persona, progress, message.text, bubble)
    if not lines:
        return
    progress.planned = True
    progress.answers += 1
    _say(world, persona, message.thread.number_id, lines, first_after=random.uniform(*persona.answer_s) + 1.5)  # noqa: S311


def open_subject(world: World, persona: Persona) -> None:
    """Write to the business unasked."""
    thread = world.threads.open(number_id=persona.number_id, customer=persona.address)
    world.progress[persona.number_id, thread.key] = Progress()
    lines = random.choice(persona.openers)  # noqa: S311
    if persona.from_ad and not thread.referral_at:
        lines = ({"text": lines[0], "referral": True}, *lines[1:])
    _say(world, persona, persona.number_id, lines, first_after=0.0)


async def keep_writing(world: World) -> None:
    """While the traffic runs, let someone who has been quiet write, about so many times a minute."""
    next_at = time.monotonic() + 8
    while True:
        await asyncio.sleep(0.5)
        if not world.traffic["running"] or time.monotonic() < next_at:
            continue
        quiet = [persona for persona in PEOPLE if _is_quiet(world, persona)]
        if quiet:
            open_subject(world, random.choice(quiet))  # noqa: S311
        next_at = time.monotonic() + 60 / float(world.traffic["per_minute"]) * random.uniform(0.5, 1.5)  # noqa: S311


def _answer_to(persona: Persona, progress: Progress, text: str, bubble: Bubble | None) -> Lines:
    if bubble and (tapped := _tap(bubble)) and random.random() < 0.8:  # noqa: S311
        return (tapped,)
    for pattern, lines in persona.replies:
        if re.search(pattern, text, re.IGNORECASE):
            return lines
    if progress.asides < len(persona.asides):
        progress.asides += 1
        return persona.asides[progress.asides - 1]
    return ()


def _tap(bubble: Bubble) -> dict[str, Any] | None:
    """The reply that one of its buttons or rows gives."""
    if rows := bubble.parts.get("rows"):
        row = random.choice(rows)  # noqa: S311
        return {"type": "list_reply", "reply_id": row["id"], "title": row["title"],
                "description": row.get("description"), "reply_to": bubble.id}  # fmt: skip
    buttons = [one for one in bubble.parts.get("buttons", []) if one["type"] in {"reply", "quick_reply"}]
    if not buttons:
        return None
    button = random.choice(buttons)  # noqa: S311
    if bubble.type == "template":
        return {"type": "button", "text": button["title"], "payload": button["id"], "reply_to": bubble.id}
    return {"type": "button_reply", "reply_id": button["id"], "title": button["title"], "reply_to": bubble.id}


def _say(world: World, persona: Persona, number_id: str, lines: Lines, *, first_after: float) -> None:
    after = first_after
    for line in lines:
        world.later(after, _write, world, persona, number_id, line)
        after += random.uniform(*BETWEEN_LINES_S)  # noqa: S311


def _write(world: World, persona: Persona, number_id: str, line: Line) -> None:
    spec = {"text": line} if isinstance(line, str) else line
    thread = world.threads.open(number_id=number_id, customer=persona.address)
    _progress(world, thread).planned = False
    who = {"phone_number_id": number_id, "from": persona.address, "name": persona.name, "username": persona.username}
    inbound.receive(world, {**who, **spec})


def _progress(world: World, thread: Thread) -> Progress:
    return world.progress.setdefault((thread.number_id, thread.key), Progress())


def _is_quiet(world: World, persona: Persona) -> bool:
    thread = world.threads.get(number_id=persona.number_id, customer=persona.address)
    if thread is None or not thread.bubbles:
        return True
    if thread.blocked or (persona.phone_off and not thread.bubbles[-1].mine):
        return False
    return world.clock.now() - thread.bubbles[-1].at > QUIET_S
