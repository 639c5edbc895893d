"""Whom a broadcast is for: the rows of a CSV, read with a reason for each that cannot be used. Plain Python."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from whatsapp import phones
from whatsapp.phones import NotAPhone

MOST_ROWS = 100_000
MOST_COLUMNS = 30
PHONE_COLUMNS = ("phone", "telefono", "teléfono", "telefone", "celular", "numero", "número", "whatsapp", "wa_id")


class NotAList(ValueError):
    """The file cannot be read as a list of people; `reason` is one of the words below."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class File:
    """The rows of a file: `columns` are its header's, lower case; each row is `[line, phone as written, values]`."""

    columns: list[str]
    rows: list[list[Any]]


def read(content: bytes) -> File:
    """A CSV with a header and a column of phones, separated by comma, semicolon or tab, in UTF-8 or Latin-1.

    Raises NotAList: `empty`, `no_phone_column`, `too_many_rows`, `too_many_columns`.
    """
    text = _decoded(content)
    lines = text.splitlines()
    if not lines:
        raise NotAList("empty")
    separator = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    columns = [name.strip().lower()[:60] for name in next(reader, [])]
    if len(columns) > MOST_COLUMNS:
        raise NotAList("too_many_columns")
    phone = next((place for place, name in enumerate(columns) if name in PHONE_COLUMNS), None)
    if phone is None:
        raise NotAList("no_phone_column")
    rows: list[list[Any]] = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(rows) == MOST_ROWS:
            raise NotAList("too_many_rows")
        cells = [cell.strip()[:1024] for cell in row] + [""] * (len(columns) - len(row))
        values = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        rows.append([reader.line_num, cells[phone][:40], values])
    if not rows:
        raise NotAList("empty")
    return File([name for place, name in enumerate(columns) if place != phone and name], rows)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def number_of(written: str, country: str) -> tuple[str, str]:
    """(digits, "") of what a row has as its phone, or ("", why not)."""
    try:
        return phones.normalise(written, country or None), ""
    except NotAPhone:
        return "", "not_a_phone"
