"""Reading values that anybody may have shaped: each function takes anything and gives what was asked for, or nothing.

`cleaned` comes first, on every item: after it a value is safe for PostgreSQL, for JSON and for any later recursion.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from whatsapp.events import Fault, MalformedBody

MAX_DEPTH = 40
MAX_ID_LENGTH = 512
MAX_WORD_LENGTH = 64
MAX_NAME_LENGTH = 255

_SURROGATE = re.compile("[\ud800-\udfff]")
_PHONE = re.compile(r"\+?([0-9]{5,20})", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_BSUID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,200}", re.ASCII)
_EARLIEST = datetime(2009, 1, 1, tzinfo=UTC).timestamp()  # WhatsApp's first year
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class Unreadable(ValueError):
    """An item that cannot be understood; the sentence says which part is wrong."""


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises MalformedBody.

    Lenient where strictness would lose a message: bytes that are no UTF-8 are replaced, control characters are let
    through (and cleaned later), numbers that no computer can hold stay text.
    """
    text = body.decode("utf-8", errors="replace").removeprefix("\ufeff")
    try:
        document = _parsed(text)
    except RecursionError:
        raise MalformedBody("The body is nested too deeply") from None
    except ValueError as error:
        raise MalformedBody(f"The body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedBody(f"The body is a JSON {type(document).__name__}, not an object")
    return document


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python refuses integers of more than 4,300 digits; only then is it worth asking for each one.
        return _PATIENT_DECODER.decode(text)


def _finite(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


def _short(number: str) -> int | str:
    return int(number) if len(number) <= 300 else number


def _no_constant(_: str) -> None:
    """NaN and Infinity are not JSON, and nothing downstream could store them."""


_DECODER = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_no_constant)
_PATIENT_DECODER = json.JSONDecoder(strict=False, parse_float=_finite, parse_int=_short, parse_constant=_no_constant)


def cleaned(value: Any, depth: int = 0) -> Any:
    """A copy without NUL characters and lone surrogates, in keys too. Raises Unreadable when nested too deeply."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            raise Unreadable("nested too deeply")
        return {clean_text(key): cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        if depth >= MAX_DEPTH:
            raise Unreadable("nested too deeply")
        return [cleaned(item, depth + 1) for item in value]
    return value


def clean_text(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii() and _SURROGATE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
    return text


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def name_of(value: Any) -> str | None:
    """A short text, cut to what a name can be; None when there is none."""
    return value[:MAX_NAME_LENGTH] if isinstance(value, str) and value else None


def object_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def identifier(value: Any) -> str | None:
    """An id, which some senders write as a number; None when it is missing, empty or longer than any id."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH else None


def required_id(value: Any, what: str) -> str:
    found = identifier(value)
    return found if found is not None else refuse(f"no readable {what}")


def word(value: Any, what: str) -> str:
    """A word of the vocabulary, such as a type or a status."""
    if isinstance(value, str) and 0 < len(value) <= MAX_WORD_LENGTH:
        return value
    return refuse(f"no readable {what}")


def phone(value: Any) -> str | None:
    """Digits of a wa_id; None for anything else, such as an empty string or a user id in its place."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        value = str(value)
    match = _PHONE.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def bsuid(value: Any) -> str | None:
    """A business-scoped user id, opaque."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH else None


def looks_like_bsuid(value: Any) -> bool:
    return isinstance(value, str) and _BSUID.fullmatch(value) is not None


def moment(value: Any) -> datetime | None:
    """An aware moment from seconds since 1970, as text or number; milliseconds and finer are recognised by their size.

    (nyaruka/courier has met milliseconds in Meta's webhooks.)
    """
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            return None
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    while value > 1e11:
        value /= 1000
    return datetime.fromtimestamp(value, UTC) if _EARLIEST <= value <= _LATEST else None


def required_moment(value: Any) -> datetime:
    found = moment(value)
    return found if found is not None else refuse("no readable timestamp")


def faults(value: Any) -> tuple[Fault, ...]:
    """Meta's error objects: {code, title, message, error_data: {details}}. -1 stands for a code that is missing."""
    if not isinstance(value, list) or not value:
        return ()
    return tuple(_fault(error) for error in value if isinstance(error, dict))


def _fault(error: dict[str, Any]) -> Fault:
    code = error.get("code")
    if isinstance(code, str) and _DIGITS.fullmatch(code):
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool) or not -(2**31) <= code < 2**31:
        code = -1  # Not 0, which Meta uses for a failed login.
    detail = text_of(object_of(error.get("error_data")).get("details")) or text_of(error.get("message"))
    return Fault(code=code, title=text_of(error.get("title")), detail=detail)


def refuse(why: str) -> NoReturn:
    raise Unreadable(why)
