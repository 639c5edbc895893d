"""Talk that happened before the simulator looked: put on the phone as it was, with no webhook."""

from datetime import datetime
from typing import Any

from .identities import bsuid_of, message_id
from .threads import Bubble
from .world import World


def remember(world: World, one: dict[str, Any]) -> None:
    """Take `{phone_number_id, from, name, at?, messages?: [{direction, text, at, type?, wamid?, status?}]}`.

    `at` alone opens the window at that moment. Moments are seconds, or ISO 8601.
    """
    number = world.numbers.get_or_register(str(one.get("phone_number_id") or ""))
    thread = world.threads.open(number_id=number.id, customer=str(one.get("from") or one.get("bsuid") or ""))
    thread.name = str(one.get("name") or thread.name)
    thread.bsuid = thread.bsuid or str(one.get("bsuid") or bsuid_of(thread.key, account_id=number.account_id))
    if one.get("at"):
        thread.last_inbound_at = max(thread.last_inbound_at, _moment(one["at"]))
    for message in one.get("messages") or []:
        mine, at = message.get("direction", "inbound") == "inbound", _moment(message.get("at") or world.clock.now())
        wamid = str(message.get("wamid") or message_id(thread.key, inbound=mine))
        if thread.find(wamid):
            continue
        kind, text = str(message.get("type") or "text"), str(message.get("text") or "")
        world.threads.add(thread, Bubble(wamid, mine, kind, at, text, str(message.get("status") or "read")))
        if mine:
            thread.last_inbound_at = max(thread.last_inbound_at, at)
    thread.bubbles.sort(key=lambda bubble: bubble.at)
    world.journal.touch()


def _moment(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
