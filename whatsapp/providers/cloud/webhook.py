"""Meta's callbacks: is it Meta, and what does it say.

One delivery may hold up to 1,000 updates of several numbers and business accounts, twice, in any order. Every level is
read as a list, every change is routed by its own `metadata.phone_number_id`, and nothing that one item contains can cost
another one: what cannot be read is returned as `Unrecognised`.
"""

import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from whatsapp.events import Event, Happening, Notice, Unrecognised
from whatsapp.providers.cloud import coexistence, messages
from whatsapp.providers.cloud.people import People
from whatsapp.providers.cloud.values import Unreadable, cleaned, decoded, identifier, moment, object_of, objects_of

SIGNATURE_HEADER = "x-hub-signature-256"
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)

Reader = Callable[[dict[str, Any], People, str], Event]

_CONVERSATIONAL: dict[str, tuple[tuple[str, Reader], ...]] = {
    "messages": (("messages", messages.received), ("statuses", messages.status)),
    "smb_message_echoes": (("message_echoes", messages.echoed),),
    "message_echoes": (("message_echoes", messages.echoed),),
    "user_preferences": (("user_preferences", messages.preference),),
}
"""Fields about conversations, with the lists in them and who reads an element."""

_CALLS: dict[str, Reader] = {"connect": messages.call, "terminate": messages.call_ended}

ACCOUNT_FIELDS = frozenset(
    {
        "account_alerts",
        "account_review_update",
        "account_update",
        "automatic_events",
        "business_capability_update",
        "calls",
        "flows",
        "group_lifecycle_update",
        "group_participants_update",
        "group_settings_update",
        "group_status_update",
        "history",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "partner_solutions",
        "payment_configuration_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "smb_app_state_sync",
        "standby",
        "template_category_update",
    }
)
"""Fields that become a `Notice` with their whole value."""


def verify(secret: str, signature_header: str | None, body: bytes) -> bool:
    """Whether Meta signed these very bytes with the app's secret. Without a secret, nothing is ever genuine."""
    if not secret or not signature_header:
        return False
    given = _SIGNATURE.fullmatch(signature_header)
    if given is None:
        return False
    expected = hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(expected, given[1])


def handshake(parameters: Mapping[str, str], verify_token: str) -> str | None:
    """The challenge to send back as plain text when Meta checks our address; None when the token is not ours."""
    if not verify_token or parameters.get("hub.mode") != "subscribe":
        return None
    given = parameters.get("hub.verify_token", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), verify_token.encode()):
        return None
    return parameters.get("hub.challenge") or None


def parse(body: bytes) -> list[Happening]:
    """Everything that a delivery says, in its order. Raises MalformedBody when it is no JSON object."""
    document = decoded(body)
    entries = document.get("entry")
    if not isinstance(entries, list):
        return [_unrecognised("", "", "no list of entries", document)]
    happenings: list[Happening] = []
    for entry in entries:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            happenings.append(_unrecognised("", "", "an entry without a list of changes", entry))
            continue
        for change in changes:
            happenings.extend(_read_change(entry, change))
    return happenings


def _read_change(entry: dict[str, Any], change: Any) -> Iterator[Happening]:
    if not isinstance(change, dict):
        yield _unrecognised("", "", "a change that is not an object", change)
        return
    field, value = _kept(change.get("field")), change.get("value")
    if not isinstance(field, str):
        yield _unrecognised("", "", "a change without a field", change)
        return
    field = field[:64]
    if not isinstance(value, dict):
        yield _unrecognised(field, "", "a value that is not an object", value)
        return
    number_id = _number_of(value)
    if field in _CONVERSATIONAL:
        yield from _read_conversational(field, entry, value, number_id)
    elif field in ACCOUNT_FIELDS:
        yield _notice(field, entry, value if field != "history" else _without_messages(value), number_id)
        if field in _BESIDE_NOTICE and number_id:
            yield from _BESIDE_NOTICE[field](value, number_id)
    else:
        yield _unrecognised(field, number_id, "a field that we do not know", value)


def _read_conversational(
    field: str, entry: dict[str, Any], value: dict[str, Any], number_id: str
) -> Iterator[Happening]:
    if not number_id:
        yield _unrecognised(field, "", "no phone_number_id", value)
        return
    people = People(value.get("contacts"))
    understood = False
    for key, reader in _CONVERSATIONAL[field]:
        if key in value:
            understood = True
            yield from _read_items(field, number_id, value[key], reader, people)
    if value.get("errors"):
        # Errors beside messages and statuses are about the number or the app (Cloud API, "errors webhook").
        understood = True
        yield _notice(field, entry, {"errors": value["errors"]}, number_id)
    if not understood:
        yield _unrecognised(field, number_id, "nothing in it that we know", value)


def _read_items(field: str, number_id: str, items: Any, reader: Reader, people: People) -> Iterator[Happening]:
    if not isinstance(items, list):
        yield _unrecognised(field, number_id, "not a list", items)
        return
    for item in items:
        yield _read_item(field, number_id, item, reader, people)


def _read_item(field: str, number_id: str, item: Any, reader: Reader, people: People) -> Happening:
    if not isinstance(item, dict):
        return _unrecognised(field, number_id, "not an object", item)
    try:
        return reader(cleaned(item), people, number_id)
    except Unreadable as problem:
        return _unrecognised(field, number_id, str(problem), item)
    except Exception as error:
        # A fault of ours costs this item and no other; it is kept, counted, and read again once mended.
        return _unrecognised(field, number_id, f"{type(error).__name__} while reading", item)


def _read_calls(value: dict[str, Any], number_id: str) -> Iterator[Happening]:
    """Calls that people make to us, beside the notice that holds everything about them."""
    calls = value.get("calls")
    people = People(value.get("contacts"))
    for call in calls if isinstance(calls, list) else ():
        reader = _CALLS.get(str(call.get("event"))) if isinstance(call, dict) else None
        if reader and call.get("direction") == "USER_INITIATED":
            yield _read_item("calls", number_id, call, reader, people)


def _read_history(value: dict[str, Any], number_id: str) -> Iterator[Happening]:
    """Messages of the past, each of which may cost itself only."""
    around = {key: value.get(key) for key in ("contacts", "metadata")}
    for customer, item in coexistence.items_of(value):
        if not isinstance(item, dict):
            yield _unrecognised("history", number_id, "not an object", item)
            continue
        try:
            yield from coexistence.remembered(cleaned(item), customer, around, number_id)
        except Unreadable as problem:
            yield _unrecognised("history", number_id, str(problem), item)
        except Exception as error:
            yield _unrecognised("history", number_id, f"{type(error).__name__} while reading", item)


def _read_address_book(value: dict[str, Any], number_id: str) -> Iterator[Happening]:
    entries = value.get("state_sync")
    for item in entries if isinstance(entries, list) else ():
        try:
            if event := coexistence.named(cleaned(object_of(item)), number_id):
                yield event
        except Unreadable as problem:
            yield _unrecognised("smb_app_state_sync", number_id, str(problem), item)


def _without_messages(value: dict[str, Any]) -> dict[str, Any]:
    """A notice of history says how far it has come and what went wrong; its thousands of messages come beside it."""
    chunks = [
        {key: chunk.get(key) for key in ("metadata", "errors") if key in chunk}
        for chunk in objects_of(value.get("history"))
    ]
    return {key: value[key] for key in ("messaging_product", "metadata") if key in value} | {"history": chunks}


_BESIDE_NOTICE: dict[str, Callable[[dict[str, Any], str], Iterator[Happening]]] = {
    "calls": _read_calls,
    "history": _read_history,
    "smb_app_state_sync": _read_address_book,
}


def _number_of(value: dict[str, Any]) -> str:
    number_id = _kept(object_of(value.get("metadata")).get("phone_number_id"))
    if number_id is None and value.get("entity_type") == "PHONE_NUMBER":
        number_id = _kept(value.get("entity_id"))
    return identifier(number_id) or ""


def _notice(field: str, entry: dict[str, Any], value: dict[str, Any], number_id: str) -> Happening:
    try:
        kept = cleaned(value)
    except Unreadable as problem:
        return _unrecognised(field, number_id, str(problem), value)
    return Notice(
        field=field,
        account_id=identifier(_kept(entry.get("id"))) or "",
        number_id=number_id,
        value=kept,
        at=moment(entry.get("time")),
    )


def _unrecognised(field: str, number_id: str, reason: str, value: Any) -> Unrecognised:
    return Unrecognised(field=field, number_id=number_id, reason=reason, value=_kept(value))


def _kept(value: Any) -> Any:
    """The value, safe to store; None when it is nested too deeply (the stored delivery still has it)."""
    try:
        return cleaned(value)
    except Unreadable:
        return None
