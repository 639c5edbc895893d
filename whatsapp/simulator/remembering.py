"""Talk that happened before the simulator looked: put on the phone as it was, with no webhook."""

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import GraphError
from .identities import bsuid_of, message_id
from .threads import Bubble

if TYPE_CHECKING:
    from .world import World

log = logging.getLogger(__name__)


def remember_seed(world: "World") -> None:
    """Take the threads of the seed that we know nothing of: what was written since is ours to remember.

    The application's demonstration writes the file, so that its customers have a phone and an open window here.
    """
    path = world.settings.seed_path
    if not path or not path.exists():
        return
    try:
        for one in json.loads(path.read_text(encoding="utf-8"))["threads"]:
            customer = str(one.get("from") or one.get("bsuid"))
            if not world.threads.get(number_id=str(one["phone_number_id"]), customer=customer):
                remember(world, one)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, GraphError) as reason:
        log.warning("the seed cannot be read", extra={"reason": str(reason)})


def remember(world: "World", one: dict[str, Any]) -> None:
    """Take `{phone_number_id, from, bsuid?, name, username?, at?, messages?: [{direction, text, at, type?, wamid?, status?,
    quoted_id?, media_id?, filename?}]}`.

    `at` alone opens the window at that moment. Moments are seconds, or ISO 8601.
    """
    number = world.numbers.get_or_register(str(one.get("phone_number_id") or ""))
    thread = world.threads.open(number_id=number.id, customer=str(one.get("from") or one.get("bsuid") or ""))
    thread.name = str(one.get("name") or thread.name)
    thread.username = str(one.get("username") or thread.username)
    thread.bsuid = thread.bsuid or str(one.get("bsuid") or bsuid_of(thread.key, account_id=number.account_id))
    if one.get("at"):
        thread.last_inbound_at = max(thread.last_inbound_at, _moment(one["at"]))
    for message in one.get("messages") or []:
        mine, at = message.get("direction", "inbound") == "inbound", _moment(message.get("at") or world.clock.now())
        wamid = str(message.get("wamid") or message_id(thread.key, inbound=mine))
        if thread.find(wamid):
            continue
        kind, text = str(message.get("type") or "text"), str(message.get("text") or "")
        status, quoted = str(message.get("status") or "read"), str(message.get("quoted_id") or "")
        media, filename = str(message.get("media_id") or ""), str(message.get("filename") or "")
        world.threads.add(thread, Bubble(wamid, mine, kind, at, text, status, quoted, media, "", filename))
        if mine:
            thread.last_inbound_at = max(thread.last_inbound_at, at)
    thread.bubbles.sort(key=lambda bubble: bubble.at)
    world.journal.touch()


def _moment(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
