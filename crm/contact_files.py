"""A file of contacts: its columns, what each may be, and each row as a contact or as the reason why it is none.

Plain Python: it knows no database.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crm.words import folded
from whatsapp import phones

MOST_ROWS = 100_000
MOST_COLUMNS = 40
MOST_BYTES = 25 * 1024 * 1024
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\".]+(\.[^@\s,;<>\".]+)+")
GONE = "\u2013"
"""What stands alone in a row whose person was erased: a row that is empty would not be counted."""
_YES = frozenset(
    {"si", "sim", "yes", "y", "s", "1", "true", "verdadero", "verdadeiro", "x", "acepta", "acepto", "aceita"}
)
_NO = frozenset({"no", "nao", "n", "0", "false", "falso"})

NAME, PHONE, EMAIL, USERNAME, USER_ID, LABELS, CONSENT, ATTRIBUTE = (
    "name", "phone", "email", "username", "user_id", "labels", "consent", "attribute",
)  # fmt: skip
FIELDS = (NAME, PHONE, EMAIL, USERNAME, USER_ID, LABELS, CONSENT, ATTRIBUTE)
_USUAL = {
    NAME: {"name", "nombre", "nombres", "nome", "cliente", "contacto", "contato", "full name", "nombre completo"},
    PHONE: {"phone", "telefono", "telefone", "celular", "movil", "numero", "whatsapp", "wa_id", "mobile", "fone"},
    EMAIL: {"email", "e-mail", "correo", "mail", "correo electronico"},
    USERNAME: {"username", "usuario"},
    USER_ID: {"user_id", "bsuid", "whatsapp_user_id"},
    LABELS: {"labels", "label", "etiquetas", "etiqueta", "tags", "tag"},
    CONSENT: {"consent", "acepta", "marketing", "opt_in", "optin", "aceita", "consentimiento", "consentimento"},
}


class NotAList(ValueError):
    """The file cannot be read as a list of contacts; `reason`: `empty`, `too_many_rows`, `too_many_columns`, `too_large`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class File:
    """`rows` are the cells below the header, as many as there are columns; their numbers begin with 2, as in a spreadsheet."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as a contact. `agreed` is None where nothing is said of marketing."""

    phone: str = ""
    name: str = ""
    email: str = ""
    username: str = ""
    user_id: str = ""
    labels: tuple[str, ...] = ()
    agreed: bool | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What makes two rows one contact."""
        if self.user_id:
            return f"user_id:{self.user_id}"
        return f"phone:{phones.canonical(self.phone)}" if self.phone else f"email:{folded(self.email)}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is no contact. `kind`: `no_address`, `erased`, `not_a_phone` (`sentence` says why, of `written`), `no_country`, `email`, `consent`,
    `repeated` (`sentence` is the row it repeats)."""

    kind: str
    written: str = ""
    sentence: str = ""


def read(content: bytes) -> File:
    """A CSV with a header, separated by comma, semicolon or tab, in UTF-8 or Latin-1. Raises NotAList."""
    if len(content) > MOST_BYTES:
        raise NotAList("too_large")
    return parse(decoded(content))


def decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError:
        return content.decode("latin-1").replace("\x00", "")


def parse(text: str) -> File:
    lines = lines_of(text)
    if len(lines) < 2:
        raise NotAList("empty")
    if len(lines) - 1 > MOST_ROWS:
        raise NotAList("too_many_rows")
    columns = _named([name.strip()[:60] for name in lines[0]])
    if len(columns) > MOST_COLUMNS:
        raise NotAList("too_many_columns")
    width = len(columns)
    return File(columns, [[_plain(cell) for cell in (row + [""] * width)[:width]] for row in lines[1:]])


def separator_of(text: str) -> str:
    return max(",;\t", key=text.lstrip("\r\n").partition("\n")[0].count)


def lines_of(text: str) -> list[list[str]]:
    """The cells of every line that says something, the header first; none where it is no list."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text))
        return [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _plain(cell: str) -> str:
    """What a cell says, without the sign that keeps a spreadsheet from reading a formula in it: our exports have it."""
    said = cell.strip()[:1000]
    return said[1:] if said[:1] == "'" and said[1:2] in ("=", "+", "-", "@") else said


def _named(columns: list[str]) -> list[str]:
    """Each column with a name of its own."""
    found: list[str] = []
    for place, name in enumerate(columns, 1):
        wanted = name or f"{place}"
        found.append(wanted if wanted not in found else f"{wanted} {place}")
    return found


def guess(columns: list[str]) -> dict[str, str]:
    """What each column probably is; a second one of a kind, and any other, becomes an attribute."""
    mapping: dict[str, str] = {}
    for column in columns:
        plain = folded(column).strip()
        kind = next((kind for kind, names in _USUAL.items() if plain in names), ATTRIBUTE)
        mapping[column] = kind if kind == ATTRIBUTE or kind not in mapping.values() else ATTRIBUTE
    return mapping


def entry_of(
    cells: list[str], columns: list[str], mapping: dict[str, str], *, country: str, fixes: dict[str, Any]
) -> Entry | Fault:
    """The contact of one row. `country` is the company's; a phone without a code is of it only when `fixes` says so."""
    if cells[0] == GONE and not any(cells[1:]):
        return Fault("erased")
    given: dict[str, str] = {}
    attributes: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        kind = mapping.get(column, "")
        if kind == ATTRIBUTE and cell:
            attributes[column] = cell
        elif kind and cell and kind not in given:
            given[kind] = cell
    email = given.get(EMAIL, "")
    if (email and not _EMAIL.fullmatch(email)) or len(email) > 254:
        if not fixes.get("without_email"):
            return Fault("email", email)
        email = ""
    agreed = _agreed(given.get(CONSENT, ""))
    if agreed == "unclear":
        return Fault("consent", given[CONSENT])
    phone = _phone(given.get(PHONE, ""), country=country, fixes=fixes)
    if isinstance(phone, Fault):
        return phone
    if not phone and not email and not given.get(USER_ID):
        return Fault("no_address", given.get(NAME, ""))
    return Entry(
        phone=phone,
        name=given.get(NAME, "")[:200],
        email=email,
        username=given.get(USERNAME, "").lstrip("@")[:64],
        user_id=given.get(USER_ID, "")[:200],
        labels=tuple(
            dict.fromkeys(
                " ".join(each.split())[:60] for each in re.split(r"[,;|]", given.get(LABELS, "")) if each.strip()
            )
        ),
        agreed=agreed,  # type: ignore[arg-type]
        attributes=attributes,
    )


def _phone(written: str, *, country: str, fixes: dict[str, Any]) -> str | Fault:
    if not written:
        return ""
    # 00 is how one calls abroad from most countries.
    spelled = f"+{written[2:]}" if written.startswith("00") else written
    try:
        digits = phones.normalise(spelled)
        if spelled.lstrip("(").startswith(("+", "＋")) or phones.is_valid(digits):
            return digits
    except phones.NotAPhone as error:
        why = error.sentence
    else:
        why = ""
    try:
        national = phones.normalise(written, country) if country else ""
    except phones.NotAPhone as error:
        return Fault("not_a_phone", written, error.sentence)
    if not national or not phones.is_valid(national):
        return Fault("not_a_phone", written, why)
    return national if fixes.get("country") == country else Fault("no_country", written)


def _agreed(written: str) -> bool | str | None:
    word = folded(written).strip(" .!")
    if not word:
        return None
    return word in _YES if word in _YES | _NO else "unclear"


def entries(
    file: File, mapping: dict[str, str], *, country: str, fixes: dict[str, Any]
) -> Iterator[tuple[int, Entry | Fault]]:
    """(row number, contact or fault) of every row; a contact that an earlier row has is a fault."""
    seen: dict[str, int] = {}
    for number, cells in enumerate(file.rows, 2):
        found = entry_of(cells, file.columns, mapping, country=country, fixes=fixes)
        if isinstance(found, Entry):
            first = seen.setdefault(found.key, number)
            if first != number:
                found = Fault("repeated", found.phone or found.email or found.user_id, str(first))
        yield number, found
