"""What a company keeps of a person under names of its own: as lines of a form, and back. Plain Python."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MOST = 50
NAME_LENGTH, VALUE_LENGTH = 60, 1000
KINDS = [
    ("text", gettext_lazy("text")),
    ("number", gettext_lazy("number")),
    ("date", gettext_lazy("date")),
    ("yes_no", gettext_lazy("yes or no")),
]
_YES = frozenset({"yes", "y", "true", "1", "si", "sí", "sim", "x"})
_NO = frozenset({"no", "n", "false", "0", "não", "nao"})


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute as it is written; `error` says what to do. What programs nested in it is shown and kept as it is."""

    name: str
    kind: str
    value: str
    error: str = ""
    is_nested: bool = False


def lines_of(attributes: Any) -> list[Line]:
    """The attributes as lines, in their order."""
    if not isinstance(attributes, dict):
        return []
    return [
        Line(str(name), _kind(value), _written(value), is_nested=isinstance(value, dict | list))
        for name, value in attributes.items()
    ]


def read(query: QueryDict, *, present: Any) -> tuple[dict[str, Any], list[Line]]:
    """(attributes, lines) of a form with `a-name`, `a-kind` and `a-value` side by side. A line without a name is left out."""
    nested = (
        {name: value for name, value in present.items() if isinstance(value, dict | list)}
        if isinstance(present, dict)
        else {}
    )
    found: dict[str, Any] = {}
    lines = []
    given = zip(query.getlist("a-name"), query.getlist("a-kind"), query.getlist("a-value"), strict=False)
    for name, kind, written in list(given)[: MOST + 1]:
        name, written = name.strip(), written.strip()
        if not name:
            continue
        value, error = value_of(kind, written)
        if len(name) > NAME_LENGTH:
            error = _("A name has at most %(most)d letters.") % {"most": NAME_LENGTH}
        elif name in found or name in nested:
            error = _("There is one with this name already.")
        elif len(found) >= MOST:
            error = _("At most %(most)d attributes can be kept.") % {"most": MOST}
        if not error:
            found[name] = value
        lines.append(Line(name, kind, written, error))
    return found | nested, lines


def value_of(kind: str, written: str) -> tuple[Any, str]:
    """(the value, "") of what is written, or (None, what to write instead)."""
    if len(written) > VALUE_LENGTH or "\x00" in written:
        return None, _("At most %(most)d letters.") % {"most": VALUE_LENGTH}
    if kind == "number":
        return _number(written)
    if kind == "date":
        try:
            return date.fromisoformat(written).isoformat(), ""
        except ValueError:
            return None, _("Write a day as year-month-day, like 2026-11-27.")
    if kind == "yes_no":
        word = written.casefold()
        return (word in _YES, "") if word in _YES | _NO else (None, _("Write yes or no."))
    return written, ""


def _number(written: str) -> tuple[Any, str]:
    plain = written.replace(" ", "")
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        value = int(plain) if plain.lstrip("+-").isascii() and plain.lstrip("+-").isdigit() else float(plain)
        if value in (float("inf"), float("-inf")) or value != value:
            raise ValueError
    except (ValueError, OverflowError):
        return None, _("Write a number, like 12 or 12.5.")
    return value, ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "yes_no"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str) and len(value) == 10:
        try:
            date.fromisoformat(value)
            return "date"
        except ValueError:
            return "text"
    return "text"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "" if value is None else str(value)
