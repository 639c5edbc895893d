"""Keeps what a phone and Meta remember in a file over a restart: threads, templates, Flows and the numbers' keys.

A file that cannot be read is set aside and forgotten.
"""

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

EVERY_S = 2.0

log = logging.getLogger(__name__)


def load(world: "World") -> None:
    path = world.settings.state_path
    if not path or not path.exists():
        return
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        world.threads.restore(saved.get("threads", []))
        world.flows.restore(saved.get("flows", []))
        for number_id, public_key in saved.get("keys", {}).items():
            world.numbers.get_or_register(number_id).public_key = public_key
        world.templates.restore(saved.get("templates", {}))
        world.clock.offset_s = float(saved.get("offset_s", 0))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as reason:
        log.warning("the saved state cannot be read; starting empty", extra={"reason": str(reason)})
        world.threads.clear()
        if path.exists():
            path.replace(path.with_suffix(".unreadable"))


def save(world: "World") -> None:
    path = world.settings.state_path
    if not path:
        return
    state: dict[str, Any] = {
        "offset_s": world.clock.offset_s,
        "threads": world.threads.as_json(),
        "flows": world.flows.as_json(),
        "keys": {number.id: number.public_key for number in world.numbers if number.public_key},
        "templates": world.templates.as_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(state), encoding="utf-8")
    beside.replace(path)


async def keep_saving(world: "World") -> None:
    """Write when something changed, at most every two seconds."""
    saved = world.journal.version
    while True:
        await asyncio.sleep(EVERY_S)
        if world.journal.version != saved:
            saved = world.journal.version
            save(world)
