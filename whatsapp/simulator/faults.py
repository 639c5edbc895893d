"""What goes wrong on purpose: settings everywhere, for one of our numbers, or for one recipient; the narrowest wins."""

import random
from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    # the answer to a send
    "drop": 0.0,  # share of sends refused before they are accepted
    "drop_with": "500",  # "500" | "reset": the connection is cut instead
    "answer_lost": 0.0,  # share of sends accepted, then the connection is cut without an answer
    "delay_ms": 0,  # number or [least, most]; the answer comes late, acceptance does not
    "error_code": None,  # answer this code …
    "error_next": None,  # … to the next so many sends; always when empty
    "failed_code": None,  # accept, then report `failed` with this code
    # webhooks
    "duplicate": 1,  # times each webhook is sent
    "reorder": False,  # the statuses of a message arrive shuffled
    "withhold_statuses": False,  # true, or a list such as ["read"]
    "status_delay": None,  # [least, most] seconds, or {"sent": […], "delivered": […], "read": […]}
    "block": False,  # the customer blocked us: accepted and sent, never delivered
    "webhook_hold": False,  # keep webhooks until this is false again
    "webhook_delay_s": 0.0,
    "batch": 1,  # up to so many updates of a number in one POST
    # files that customers sent
    "media_fail": 0.0,  # share of downloads that break: an error, a cut in the middle, or other bytes than announced
    "media_gone": False,  # Meta no longer has them
    # rules
    "window": "failed",  # closed 24-hour window: "failed" later | "refused" at once | "off"
    "throughput": 80,  # messages a second and number; 0 or null = no limit
    "pair": True,  # 1 message per 6 seconds and recipient, 45 in a burst
    "allowed_recipients": None,  # a test number's list; others get 131030
    "token": None,  # the token this number expects instead of its own
    "answering": True,  # the simulated customers answer
}

# Numbers nobody declared exist for load tests: no rule may stand in the way unless it is asked for.
LENIENT: dict[str, Any] = {"window": "off", "throughput": None, "pair": False}

ALIASES = {"webhook_pause": "webhook_hold", "pause": "webhook_hold", "webhook_delay": "webhook_delay_s"}
SCOPES = {"phone_number_id", "to", "recipient", "numbers", "recipients"}


class UnknownFault(ValueError):
    """A setting that does not exist; the sentence lists those that do."""


class Faults:
    def __init__(self) -> None:
        self.everywhere: dict[str, Any] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.recipients: dict[str, dict[str, Any]] = {}
        self._resolved: dict[tuple[str, str], dict[str, Any]] = {}

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Apply a JSON merge: a null puts a setting back to its default.

        `phone_number_id` or `to` beside the settings narrows them to that number or recipient; `numbers` and `recipients`
        take several at once. Raises UnknownFault and changes nothing when a name is not known.
        """
        settings = {ALIASES.get(name, name): value for name, value in changes.items() if name not in SCOPES}
        numbers = {str(key): _named(value) for key, value in (changes.get("numbers") or {}).items()}
        recipients = {digits(key): _named(value) for key, value in (changes.get("recipients") or {}).items()}
        settings = _named(settings)
        recipient = changes.get("to") or changes.get("recipient")
        if recipient:
            recipients.setdefault(digits(recipient), {}).update(settings)
        elif changes.get("phone_number_id"):
            numbers.setdefault(str(changes["phone_number_id"]), {}).update(settings)
        else:
            _put(self.everywhere, settings)
        for key, value in numbers.items():
            _put(self.numbers.setdefault(key, {}), value)
        for key, value in recipients.items():
            _put(self.recipients.setdefault(key, {}), value)
        self._resolved.clear()

    def reset(self) -> None:
        for scope in (self.everywhere, self.numbers, self.recipients, self._resolved):
            scope.clear()

    def resolve(self, *, number_id: str, known: bool = True, recipient: str = "") -> dict[str, Any]:
        """The settings that hold for one message or webhook. The result is shared: read it only."""
        key = (number_id, recipient if recipient in self.recipients else "")
        settings = self._resolved.get(key)
        if settings is None:
            settings = self._resolved[key] = {
                **DEFAULTS,
                **({} if known else LENIENT),
                **self.everywhere,
                **self.numbers.get(number_id, {}),
                **self.recipients.get(key[1], {}),
            }
        return settings

    def take_error(self, *, number_id: str, recipient: str) -> int | None:
        """The code this send must be answered with, counted down where a number of sends was given."""
        for scope in (self.recipients.get(recipient), self.numbers.get(number_id), self.everywhere):
            if not scope or not scope.get("error_code"):
                continue
            code, left = int(scope["error_code"]), scope.get("error_next")
            if left is not None:
                if left <= 1:
                    scope.pop("error_code"), scope.pop("error_next")
                else:
                    scope["error_next"] = left - 1
                self._resolved.clear()
            return code
        return None

    def as_json(self) -> dict[str, Any]:
        return {**DEFAULTS, **self.everywhere, "numbers": self.numbers, "recipients": self.recipients}


def happens(share: float | bool) -> bool:
    """Whether a fault that strikes this share of cases strikes now."""
    return bool(share) and random.random() < float(share)  # noqa: S311


def between(value: float | list[float]) -> float:
    """A number, or one drawn from [least, most]."""
    if isinstance(value, list | tuple):
        return random.uniform(float(value[0]), float(value[1]))  # noqa: S311
    return float(value or 0)


def digits(phone: object) -> str:
    """A phone as WhatsApp names it: digits only. A business-scoped id (US.1349…) stays as it is."""
    text = str(phone or "").strip()
    return text if "." in text else "".join(character for character in text if character.isdigit())


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    named = {ALIASES.get(name, name): value for name, value in settings.items()}
    unknown = named.keys() - DEFAULTS.keys()
    if unknown:
        raise UnknownFault(f"No such fault: {', '.join(sorted(unknown))}. There are: {', '.join(DEFAULTS)}")
    return named


def _put(scope: dict[str, Any], settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if value is None and name != "throughput":
            scope.pop(name, None)
        else:
            scope[name] = value
