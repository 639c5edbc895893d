"""Taking a person's parts out of a delivery, so that what it says of others can still be read.

Whose part it is says the part itself: who it is from, to whom it went, whose contact, thread or receipt it is. What somebody
else wrote is theirs and is not looked into. The rest of the delivery stays as it was.
"""

import json
from typing import Any

from whatsapp.events import MalformedBody
from whatsapp.phones import canonical
from whatsapp.providers.base import Erased
from whatsapp.providers.cloud.values import decoded, object_of

NOTHING = b"{}"
_GONE = object()
# Where an item says whom it is about (Cloud API: messages, statuses, contacts, calls, preferences, groups, history).
_OWN = (
    "from", "to", "from_user_id", "to_user_id", "from_parent_user_id", "to_parent_user_id", "recipient_id",
    "recipient_user_id", "recipient_parent_user_id", "recipient_participant_id", "wa_id", "user_id", "parent_user_id",
    "phone_number", "participant", "input", "id",
)  # fmt: skip


def without(body: bytes, erased: Erased) -> bytes:
    """The delivery without what is of the person; the same bytes where nothing is. What nobody can read goes whole."""
    try:
        return _rewritten(body, decoded(body), erased)
    except (MalformedBody, RecursionError):
        return NOTHING


def _rewritten(body: bytes, document: dict[str, Any], erased: Erased) -> bytes:
    changed = False
    entries = document.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            continue
        kept = []
        for change in changes:
            value = change.get("value") if isinstance(change, dict) else None
            left = _without(value, erased) if isinstance(value, dict) and _is_ours(value, erased) else value
            changed = changed or left != value
            if left is not _GONE:
                kept.append(change if left is value else change | {"value": left})
        entry["changes"] = kept
    return json.dumps(document, separators=(",", ":")).encode() if changed else body


def _is_ours(value: dict[str, Any], erased: Erased) -> bool:
    """Whether this is about a number of the company that erases: another one may know the same person."""
    return erased.numbers is None or str(object_of(value.get("metadata")).get("phone_number_id")) in erased.numbers


def _without(value: dict[str, Any], erased: Erased) -> Any:
    left: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, list):
            left[key] = _without_items(key, item, erased)
        elif isinstance(item, dict):
            inner = _GONE if _is_theirs(item, erased) else _without(item, erased)
            if inner is _GONE:
                return _GONE
            left[key] = inner
        else:
            left[key] = item
    return left


def _without_items(key: str, items: list[Any], erased: Erased) -> list[Any]:
    kept = []
    for item in items:
        if not isinstance(item, dict):
            kept.append(item)
        elif _is_theirs(item, erased):
            # A contact leaves its place: whoever is left must not be taken for the sender of what names none.
            kept += [{}] if key == "contacts" else []
        elif "from" in item:
            kept.append(item)
        elif (left := _without(item, erased)) is not _GONE:
            kept.append(left)
    return kept


def _is_theirs(item: dict[str, Any], erased: Erased) -> bool:
    if str(item.get("id")) in erased.message_ids:
        return True
    return any(_is_address(item.get(name), erased.addresses) for name in _OWN)


def _is_address(value: Any, addresses: frozenset[str]) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    written = str(value).removeprefix("+")
    return written in addresses or canonical(written) in addresses
