"""The flow builder's `connections.json`, read into values: what is usable, and what is wrong with the rest.

A list of entries, or an object whose `connections` is that list. An entry is `{id, alias, phoneNumberId, displayNumber,
accessToken, verifyToken, wabaId, isActive, createdAt, updatedAt}`; every key may be missing, times are milliseconds.
No sentence in here ever repeats a token.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _


class UnusableFile(ValueError):
    """Nothing in the file can be imported; `str()` says why, with line and column where there is one."""


class UnusableEntry(ValueError):
    """One entry cannot be imported; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One usable entry. Empty text, None: the file does not say. `position` counts from 1, as people do."""

    position: int
    id: str = ""
    alias: str = ""
    phone_number_id: str = ""
    display_number: str = ""
    waba_id: str = ""
    access_token: str = field(default="", repr=False)
    verify_token: str = field(default="", repr=False)
    is_active: bool | None = None
    updated_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.alias or self.display_number or self.phone_number_id or self.id


@dataclass(frozen=True, slots=True)
class Complaint:
    """An entry that cannot be imported, and why."""

    position: int
    name: str
    reason: str


_TEXTS = {
    "id": ("id", 64),
    "alias": ("alias", 80),
    "phoneNumberId": ("phone_number_id", 64),
    "displayNumber": ("display_number", 32),
    "wabaId": ("waba_id", 64),
    "accessToken": ("access_token", 4096),
    "verifyToken": ("verify_token", 4096),
}
"""The file's key → our name and the most characters we keep."""
_UNPRINTABLE = ("Cc", "Cs")  # control characters and lone surrogates, which PostgreSQL would refuse


def read(content: bytes) -> tuple[list[Connection], list[Complaint]]:
    """The usable entries in the file's order, and the complaints. Raises UnusableFile.

    Of several entries with the same phoneNumberId the one changed last counts; the others are complained about.
    """
    connections, complaints = [], []
    for position, entry in enumerate(_entries(content), start=1):
        try:
            connections.append(_connection(position, entry))
        except UnusableEntry as refusal:
            complaints.append(Complaint(position, _name_of(entry), str(refusal)))
    connections, doubles = _without_doubles(connections)
    return connections, sorted(complaints + doubles, key=lambda complaint: complaint.position)


def _entries(content: bytes) -> list[Any]:
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnusableFile(_("The file is not text in UTF-8 (byte %(byte)d).") % {"byte": error.start + 1}) from None
    except json.JSONDecodeError as error:
        raise UnusableFile(
            _("The file is not valid JSON: line %(line)d, column %(column)d: %(reason)s.")
            % {"line": error.lineno, "column": error.colno, "reason": error.msg}
        ) from None
    except (ValueError, RecursionError):  # a number of a million digits, a thousand brackets
        raise UnusableFile(_("The file is not valid JSON.")) from None
    entries = document.get("connections") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise UnusableFile(_("The file holds no list of connections, neither by itself nor under “connections”."))
    return entries


def _connection(position: int, entry: Any) -> Connection:
    if not isinstance(entry, dict):
        raise UnusableEntry(_("The entry is not an object but %(kind)s.") % {"kind": _kind(entry)})
    texts = {ours: _text(entry, key, longest) for key, (ours, longest) in _TEXTS.items()}
    connection = Connection(
        position=position, is_active=_flag(entry, "isActive"), updated_at=_moment(entry, "updatedAt"), **texts
    )
    _moment(entry, "createdAt")
    if not (connection.phone_number_id or connection.display_number):
        raise UnusableEntry(_("phoneNumberId is missing, and there is no displayNumber to find the number by."))
    return connection


def _text(entry: Mapping[str, Any], key: str, longest: int) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableEntry(_("%(key)s must be text, not %(kind)s.") % {"key": key, "kind": _kind(value)})
    value = value.strip()
    if len(value) > longest:
        raise UnusableEntry(_("%(key)s is longer than %(longest)d characters.") % {"key": key, "longest": longest})
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise UnusableEntry(_("%(key)s has characters that cannot be printed.") % {"key": key})
    return value


def _flag(entry: Mapping[str, Any], key: str) -> bool | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, bool):
        raise UnusableEntry(_("%(key)s must be true or false, not %(kind)s.") % {"key": key, "kind": _kind(value)})
    return value


def _moment(entry: Mapping[str, Any], key: str) -> datetime | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableEntry(_("%(key)s must be milliseconds, not %(kind)s.") % {"key": key, "kind": _kind(value)})
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise UnusableEntry(_("%(key)s is not a time in milliseconds.") % {"key": key}) from None


def _without_doubles(connections: list[Connection]) -> tuple[list[Connection], list[Complaint]]:
    newest: dict[str, Connection] = {}
    for connection in connections:
        rival = newest.get(connection.phone_number_id)
        if connection.phone_number_id and (rival is None or _age(connection) > _age(rival)):
            newest[connection.phone_number_id] = connection
    kept, doubles = [], []
    for connection in connections:
        winner = newest.get(connection.phone_number_id, connection)
        if winner is connection:
            kept.append(connection)
            continue
        reason = _("Entry %(position)d has the same phoneNumberId and counts instead.") % {"position": winner.position}
        doubles.append(Complaint(connection.position, connection.name, reason))
    return kept, doubles


def _age(connection: Connection) -> datetime:
    return connection.updated_at or datetime.min.replace(tzinfo=UTC)


def _name_of(entry: Any) -> str:
    """Something to recognise a broken entry by; never a secret."""
    if not isinstance(entry, dict):
        return ""
    values = (entry.get(key) for key in ("alias", "displayNumber", "phoneNumberId", "id"))
    return next((str(value)[:80] for value in values if isinstance(value, str | int) and value), "")


def _kind(value: Any) -> str:
    if value is None:
        return _("nothing")
    if isinstance(value, bool):
        return _("true or false")
    if isinstance(value, int | float):
        return _("a number")
    if isinstance(value, str):
        return _("text")
    return _("a list") if isinstance(value, list) else _("an object")
