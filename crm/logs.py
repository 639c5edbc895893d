"""What is written down about the running system: facts as fields, and nothing secret or personal.

Redaction is the last thing that happens to a line, whoever wrote it (a library's traceback too), and to what goes to
Sentry. It knows the configured secrets by value, and tokens, signatures and phone numbers by their shape.
"""

import logging
import logging.config
import re
import sys
from typing import Any

import structlog
from django.conf import settings

HIDDEN = "[hidden]"

# Digits with what people write between them; UUIDs and times are let through by what stands around theirs.
_NUMBER = re.compile(r"(?<![\w.:-])\+?\(?\d[\d ()-]{7,20}\d(?![\w:-])")
_SHORTEST_PHONE = 9
_SHAPES = (
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n,}]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(token\s+)(?=\S*\d)[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"\bEAA[A-Za-z0-9]+"), HIDDEN),
    (re.compile(r"(?i)\bsha256=[0-9a-f]+"), f"sha256={HIDDEN}"),
    (
        re.compile(r"(?i)((?:access_token|appsecret_proof|hub\.verify_token|password|secret)=)[^&\s\"']+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), rf"\1{HIDDEN}@"),
    # Meta's message ids hold the customer's phone number in base64.
    (re.compile(r"\bwamid\.[\w+/=-]+"), f"wamid.{HIDDEN}"),
)
_FIELDS = re.compile(r"(?i)authorization|token|secret|password|cookie|phone|body|api_key|signature|csrf|session")
# Fields that machines wrote: a moment or a duration is not a phone number.
_OURS = frozenset({"timestamp", "level", "logger", "seconds", "count", "tenant_id", "number_id", "pid"})

_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Never write this value from now on: for secrets that are not in the settings."""
    if len(secret) >= 6:
        _secrets.add(secret)


def redacted(value: Any) -> Any:
    """The same text, list or dictionary without secrets and phone numbers."""
    if isinstance(value, str):
        for secret in _secrets:
            value = value.replace(secret, HIDDEN)
        for shape, replacement in _SHAPES:
            value = shape.sub(replacement, value)
        return _NUMBER.sub(_without_phone, value)
    if isinstance(value, dict):
        return {
            key: HIDDEN if item and _FIELDS.search(str(key)) and isinstance(item, str | bytes) else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    if value is None or isinstance(value, bool | float):
        return value
    text = redacted(str(value))
    return value if isinstance(value, int) and text == str(value) else text


def configure(level: str) -> None:
    """Send every logger's lines through one formatter to standard error: readable when LOCAL, else JSON."""
    for name in ("SECRET_KEY", "META_APP_SECRET", "META_VERIFY_TOKEN", "WHATSAPP_ACCESS_TOKEN", "EMAIL_HOST_PASSWORD"):
        hide(str(getattr(settings, name, "") or ""))
    hide(str(settings.DATABASES["default"].get("PASSWORD") or ""))

    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.dev.ConsoleRenderer(colors=False) if settings.LOCAL else structlog.processors.JSONRenderer()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": before,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        _redact,
                        last,
                    ],
                }
            },
            "handlers": {"stderr": {"()": _StandardError, "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # One line a request or a task is the proxy's and the worker's business, not ours.
                "django.server": {"level": "WARNING"},
                "celery": {"level": "WARNING"},
                "urllib3": {"level": "WARNING"},
                "django.db.backends": {"level": "INFO"},
            },
        }
    )
    structlog.configure(
        processors=[*before[:4], *before[5:], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def report_errors(dsn: str, *, transport: Any = None) -> None:
    """Send unhandled errors to Sentry: stack and facts, without variables, request bodies or people."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        transport=transport,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=lambda event, hint: redacted(event),
        before_breadcrumb=lambda crumb, hint: redacted(crumb),
    )


class _StandardError(logging.Handler):
    """Standard error as it is at the moment; a line that cannot be made or written is not shown raw either."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception as error:  # logging must never break what it tells about
            sys.stderr.write(f"a line of the log was lost: {type(error).__name__} in {record.pathname}\n")


def _without_phone(found: re.Match[str]) -> str:
    return HIDDEN if sum(character.isdigit() for character in found[0]) >= _SHORTEST_PHONE else found[0]


def _redact(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in event.items() if key in _OURS}
    return redacted({key: value for key, value in event.items() if key not in _OURS}) | kept
