import json
import logging

import pytest
import sentry_sdk
import structlog
from sentry_sdk.transport import Transport

from crm import logs

APP_SECRET = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
TOKEN = "EAAGm0PX4ZCpsBAKZCZAcanary7"
PHONE = "+51 999 888 777"

CANARIES = [
    APP_SECRET,
    TOKEN,
    PHONE,
    "51999888777",
    "(01) 555-010-123",
    "Authorization: Token 0123456789abcdef",
    "Bearer abc.def-ghi",
    "sha256=5d41402abc4b2a76b9719d911017c592",
    "https://graph.facebook.com/v25.0/me?access_token=short-one",
    "wamid.HBgLNTE5OTk4ODg3NzcVAgARGBI5",
    "postgres://crm:hunter22@db.internal:5432/crm",
]


@pytest.fixture(autouse=True)
def _known_secret():
    logs.hide(APP_SECRET)
    yield
    logs._secrets.discard(APP_SECRET)


@pytest.fixture
def lines(settings, capsys):
    """What is written to standard error from now on, as production writes it."""
    before = logging.root.handlers[:], logging.root.level
    settings.LOCAL = False
    logs.configure("INFO")
    yield lambda: capsys.readouterr().err
    logging.root.handlers[:], logging.root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("way", ["text", "argument", "field", "nested", "exception", "structlog"])
def test_nothing_secret_or_personal_is_written(lines, canary, way):
    logger = logging.getLogger("crm.test")
    if way == "text":
        logger.warning(f"failed for {canary}")
    elif way == "argument":
        logger.warning("failed for %s", canary)
    elif way == "field":
        logger.warning("failed", extra={"answer": canary})
    elif way == "nested":
        logger.warning("failed", extra={"answer": {"headers": [canary]}})
    elif way == "structlog":
        structlog.get_logger("crm.test").warning("failed", answer=canary)
    else:
        try:
            raise ValueError(canary)
        except ValueError:
            logger.exception("failed")

    written = lines()
    assert "failed" in written
    for secret in _what_must_not_show(canary):
        assert secret not in written


def test_production_writes_one_json_object_a_line(lines):
    logging.getLogger("whatsapp.intake").warning("webhook rejected", extra={"reason": "signature", "count": 3})

    line = json.loads(lines())
    assert (line["event"], line["level"], line["logger"]) == ("webhook rejected", "warning", "whatsapp.intake")
    assert (line["reason"], line["count"]) == ("signature", 3)


def test_fields_with_a_telling_name_are_hidden_whatever_they_hold(lines):
    logging.getLogger("crm.test").warning("failed", extra={"body": "hola", "api_token": "x1", "cookie": "a=b"})

    line = json.loads(lines())
    assert (line["body"], line["api_token"], line["cookie"]) == (logs.HIDDEN,) * 3


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-11-21 08:04:15",
        "2026-11-21T08:04:15.975185Z",
        "01922f3a-1234-7abc-8abc-123456789012",
        "12345678-1234-7000-8000-123456789012",
        "10.128.100.200",
        "merged 1000 events in 0.123 s",
        "token expired yesterday",
        "US$1,234.56",
    ],
)
def test_what_is_neither_stays_readable(harmless):
    assert logs.redacted(harmless) == harmless


def test_numbers_stay_numbers():
    assert logs.redacted({"rows": 1000, "seconds": 0.25, "ok": True, "nothing": None}) == {
        "rows": 1000,
        "seconds": 0.25,
        "ok": True,
        "nothing": None,
    }
    assert logs.redacted(51999888777) == logs.HIDDEN


def test_sentry_gets_neither_secrets_nor_people():
    kept = Kept()
    logs.report_errors("https://key@sentry.invalid/1", transport=kept)
    try:
        raise ValueError(f"{TOKEN} for {PHONE}")
    except ValueError:
        sentry_sdk.set_extra("Authorization", f"Token {APP_SECRET}")
        sentry_sdk.capture_exception()
    sentry_sdk.flush()
    sentry_sdk.init()

    text = json.dumps(kept.events, default=str)
    assert "ValueError" in text
    for secret in (TOKEN, PHONE, APP_SECRET):
        assert secret not in text


class Kept(Transport):
    """Keeps what would have left for Sentry."""

    def __init__(self):
        super().__init__()
        self.events = []

    def capture_envelope(self, envelope):
        self.events += [item.payload.json for item in envelope.items]


def _what_must_not_show(canary: str) -> list[str]:
    """The part of the canary that is secret."""
    telling = {
        CANARIES[5]: ["0123456789abcdef"],
        CANARIES[6]: ["abc.def-ghi"],
        CANARIES[7]: ["5d41402abc"],
        CANARIES[8]: ["short-one"],
        CANARIES[9]: ["HBgLNTE5"],
        CANARIES[10]: ["hunter22"],
    }
    return telling.get(canary, [canary])
