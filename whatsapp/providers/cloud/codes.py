"""The error answers of the Graph API, read into a `Refused`.

Branching is on `code`, never on the text; `error_subcode` is deprecated since v16 (Cloud API, "Error codes") for messages,
and still the only thing that says what is wrong with a template.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from whatsapp.errors import Reason, classify
from whatsapp.providers.base import Refused

_DETAIL_LENGTH = 500
# Meta repeats a malformed token, and sometimes the recipient, in the text of its error. Ids have 15 digits and more.
_TOKEN = re.compile(r"\bEAA\w{8,}")
_PHONE = re.compile(r"(?<!\d)\+?\d{8,14}(?!\d)")

# Said as a code or, beside a code that says little, as its subcode.
_OF_HANDOVERS = frozenset({Reason.HANDED_OVER, Reason.HANDOVER_LATE, Reason.HISTORY_DECLINED})
_BY_HTTP_STATUS = {
    401: Reason.AUTH,
    403: Reason.AUTH,
    413: Reason.INVALID,
    429: Reason.RATE_NUMBER,
}


def refusal(*, http_status: int, answer: Any, headers: Mapping[str, str], now: datetime) -> Refused:
    """The refusal that an answer stands for: by its code, else by `is_transient`, else by the HTTP status."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        error = {}
    code = _code(error.get("code"))
    reason = classify("cloud", code)
    narrower = classify("cloud", _code(error.get("error_subcode")))
    if narrower in _OF_HANDOVERS:
        reason = narrower
    if reason is Reason.UNKNOWN:
        reason = Reason.TRANSIENT if error.get("is_transient") is True else _BY_HTTP_STATUS.get(http_status, reason)
    return Refused(
        reason=reason,
        code=code,
        detail=_detail(error) or f"HTTP {http_status}",
        trace_id=str(error.get("fbtrace_id") or "")[:_DETAIL_LENGTH],
        retry_after=retry_after(headers, now=now),
        subcode=_code(error.get("error_subcode")),
        said=_said(error),
    )


def has_error(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("error"), dict)


def _code(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _said(error: dict[str, Any]) -> str:
    """Meta's own words for a person: a title and a sentence."""
    parts = [error.get(name) for name in ("error_user_title", "error_user_msg")]
    text = ": ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    return _PHONE.sub("…", _TOKEN.sub("…", text))[:_DETAIL_LENGTH]


def _detail(error: dict[str, Any]) -> str:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    text = str(details or error.get("message") or "")
    return _PHONE.sub("…", _TOKEN.sub("…", text))[:_DETAIL_LENGTH]


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The pause that an answer asks for, in seconds: Retry-After, else Meta's own usage header (in minutes)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    if value:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max((moment.astimezone(UTC) - now).total_seconds(), 0.0)
    return _until_access_returns(headers.get("X-Business-Use-Case-Usage", ""))


def _until_access_returns(usage: str) -> float | None:
    """{"<waba>": [{"estimated_time_to_regain_access": minutes, …}]} ("Rate limits", Graph API)."""
    try:
        accounts = json.loads(usage) if usage else {}
    except ValueError:
        return None
    if not isinstance(accounts, dict):
        return None
    minutes = [
        use["estimated_time_to_regain_access"]
        for uses in accounts.values()
        if isinstance(uses, list)
        for use in uses
        if isinstance(use, dict) and isinstance(use.get("estimated_time_to_regain_access"), int)
    ]
    return max(minutes) * 60.0 if minutes and max(minutes) > 0 else None
