"""How a number is at WhatsApp, over time: what the hourly question and the webhooks say, as a timeline and as alerts.

A webhook may come late, twice, or again from our own store: a change counts once (its number, kind, value and moment),
and an older one never replaces what a newer one said.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from tenants.alerts import resolve_alert
from tenants.context import system_transaction
from tenants.models import Severity
from whatsapp.alerting import tell
from whatsapp.events import Notice
from whatsapp.models import HealthChange, HealthKind, Number, ProviderName
from whatsapp.providers.base import RemoteNumber

LOW_QUALITY = gettext_noop("number-quality-low")
LOWER_LIMIT = gettext_noop("number-limit-lowered")
RESTRICTED = gettext_noop("account-restricted")
DISCONNECTED = gettext_noop("number-disconnected")
ACCOUNT_WARNING = gettext_noop("account-warning")
NAME_REJECTED = gettext_noop("number-name-rejected")
PIN_ASKED = gettext_noop("number-pin-changed")
ERRORS = gettext_noop("number-errors")
NOT_SUBSCRIBED = gettext_noop("app-not-subscribed")

# Meta repeats a delivery for up to seven days, and what it says of errors carries no moment and no id.
SAME_ERROR_WITHIN = timedelta(days=7)

LIMITS = ("TIER_50", "TIER_250", "TIER_1K", "TIER_2K", "TIER_10K", "TIER_100K", "TIER_UNLIMITED")
_TIERS = {50: "TIER_50", 250: "TIER_250", 1000: "TIER_1K", 2000: "TIER_2K", 10_000: "TIER_10K", 100_000: "TIER_100K"}
# Column of a number → the kind of its timeline, and the word of `RemoteNumber` it holds.
_WATCHED = {
    "quality": HealthKind.QUALITY,
    "messaging_limit": HealthKind.LIMIT,
    "throughput": HealthKind.THROUGHPUT,
    "status": HealthKind.STATUS,
    "verified_name": HealthKind.NAME,
    "name_status": HealthKind.NAME_REVIEW,
}
_COLUMNS = {kind: column for column, kind in _WATCHED.items()}
_RESTRICTING = frozenset({"ACCOUNT_RESTRICTION", "ACCOUNT_DELETED", "DISABLE"})
_DISCONNECTING = frozenset({"ACCOUNT_OFFBOARDED", "PARTNER_REMOVED"})
_CONNECTING = frozenset({"ACCOUNT_RECONNECTED", "PARTNER_ADDED", "PARTNER_APP_INSTALLED"})
_FREEING = frozenset({"ACCOUNT_RECONNECTED", "REINSTATE"})
_STATUS_EVENTS = {"FLAGGED": "FLAGGED", "UNFLAGGED": "CONNECTED", "RESTRICTED": "RESTRICTED"}


def absorb(number: Number, remote: RemoteNumber, *, now: datetime) -> list[str]:
    """Take over what WhatsApp says of the number now; returns the columns to save. Changes are told and remembered."""
    said = {
        "quality": remote.quality,
        "messaging_limit": remote.messaging_limit,
        "throughput": remote.throughput,
        "status": remote.status,
        "verified_name": remote.name,
        "name_status": remote.name_status,
    }
    for column, word in said.items():
        if word:
            _change(number, column, word, at=now)
    if remote.can_send == "AVAILABLE":
        for kind in (RESTRICTED, DISCONNECTED):
            resolve_alert(tenant_id=number.tenant_id, kind=kind, subject=str(number.pk))
    return list(said)


def note(number: Number, kind: HealthKind, *, before: str = "", after: str, at: datetime) -> bool:
    """Add a line to the number's timeline; False when it has stood there already."""
    row = HealthChange(
        tenant_id=number.tenant_id, number=number, kind=kind, before=before[:120], after=after[:120], at=at
    )
    held = HealthChange.objects.filter(number=number, kind=kind, after=row.after, at=at).exists()
    if not held:
        HealthChange.objects.bulk_create([row], ignore_conflicts=True)
    return not held


def forget(*, before: datetime) -> int:
    """Drop the lines of all timelines that are older; returns how many."""
    with system_transaction():
        return HealthChange.objects.filter(at__lt=before).delete()[0]


def merge_notices(notices: Iterable[tuple[Notice, datetime]]) -> None:
    """Apply what webhooks say about accounts and numbers, each with the moment it was stored; in a system transaction."""
    for notice, received_at in notices:
        reader = _READERS.get(notice.field)
        if reader is None:
            continue
        told: set[UUID] = set()
        for number in _numbers_of(notice):
            # What is about the whole account is a line for each of its numbers, and one alert for each company.
            reader(number, notice.value, notice.at or received_at, number.tenant_id not in told)
            told.add(number.tenant_id)


def _numbers_of(notice: Notice) -> list[Number]:
    """The numbers that a notice is about: the one it names, else all of its business account."""
    cloud = Number.objects.filter(provider=ProviderName.CLOUD).select_for_update(no_key=True).order_by("pk")
    if notice.number_id:
        return list(cloud.filter(phone_number_id=notice.number_id))
    if not notice.account_id:
        return []
    numbers = list(cloud.filter(waba_id=notice.account_id))
    named = _digits(notice.value.get("display_phone_number") or notice.value.get("phone_number"))
    return [number for number in numbers if _digits(number.display_number) == named] if named else numbers


def _change(number: Number, column: str, word: str, *, at: datetime) -> bool:
    """Set the column to what WhatsApp says, when it is another word than before; tells what a person must know."""
    longest = Number._meta.get_field(column).max_length  # type: ignore[union-attr]
    word, before = word[:longest], getattr(number, column)
    if word == before:
        return False
    setattr(number, column, word)
    if before:  # the first word that is heard is no change
        note(number, _WATCHED[column], before=before, after=word, at=at)
    _judge(number, column, before, word)
    return True


def _judge(number: Number, column: str, before: str, word: str) -> None:
    if column == "quality":
        severity = Severity.CRITICAL if word == "RED" else Severity.WARNING
        tell(number, LOW_QUALITY, word in ("YELLOW", "RED"), severity=severity, quality=word)
    elif column == "messaging_limit" and word in LIMITS and before in LIMITS:
        fell = LIMITS.index(word) < LIMITS.index(before)
        tell(number, LOWER_LIMIT, fell, before=before, after=word)
    elif column == "name_status":
        tell(number, NAME_REJECTED, word in ("DECLINED", "REJECTED"), name=number.verified_name)


def _heard(number: Number, column: str, word: str, at: datetime) -> None:
    """A webhook's word for a column: it counts unless a newer change of the same kind is known, or this very one."""
    kind = _WATCHED[column]
    known = HealthChange.objects.filter(number=number, kind=kind, at__gte=at).exists()
    if word and not known and _change(number, column, word, at=at):
        number.save(update_fields=[column])
        note(number, kind, after=word, at=at)


def _quality_update(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    event = _word(value.get("event"))
    _heard(number, "messaging_limit", _tier(value.get("max_daily_conversations_per_business")), at)
    if not value.get("max_daily_conversations_per_business"):
        _heard(number, "messaging_limit", _tier(value.get("current_limit")), at)
    if event == "THROUGHPUT_UPGRADE":
        _heard(number, "throughput", "HIGH", at)
    _heard(number, "status", _STATUS_EVENTS.get(event, ""), at)


def _capability_update(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    said = value.get("max_daily_conversations_per_business") or value.get("max_daily_conversation_per_phone")
    _heard(number, "messaging_limit", _tier(said), at)


def _name_update(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    decision = _word(value.get("decision"))
    if decision and note(number, HealthKind.NAME_REVIEW, after=decision, at=at):
        name = _word(value.get("requested_verified_name"))
        reason = _word(value.get("rejection_reason"))
        tell(number, NAME_REJECTED, decision == "REJECTED", name=name, reason=reason)


def _account_update(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    event = _word(value.get("event"))
    ban = _word(_object(value.get("ban_info")).get("waba_ban_state"))
    happened = ban or event
    if not event or not note(number, HealthKind.ACCOUNT, after=happened, at=at):
        return
    if happened in _CONNECTING:
        tell(number, DISCONNECTED, False)
    if happened in _FREEING:
        tell(number, RESTRICTED, False)
    elif not speaks:
        return
    elif happened in _RESTRICTING:
        details = [_word(each.get("restriction_type")) for each in _objects(value.get("restriction_info"))]
        facts = {"event": happened, "details": [detail for detail in details if detail]}
        tell(number, RESTRICTED, True, severity=Severity.CRITICAL, **facts)
    elif happened in _DISCONNECTING:
        reason = _word(_object(value.get("disconnection_info")).get("reason"))
        tell(number, DISCONNECTED, True, severity=Severity.CRITICAL, event=happened, reason=reason)
    elif event == "ACCOUNT_VIOLATION":
        violation = _word(_object(value.get("violation_info")).get("violation_type"))
        tell(number, ACCOUNT_WARNING, True, event=event, details=[violation])


def _account_alert(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    alert = _object(value.get("alert_info"))
    kind, severity = _word(alert.get("alert_type")), _word(alert.get("alert_severity"))
    if not kind or not note(number, HealthKind.ACCOUNT, after=kind, at=at):
        return
    is_over = _word(alert.get("alert_status")) == "NONE"
    if is_over or (speaks and severity in ("WARNING", "CRITICAL")):
        weight = Severity.CRITICAL if severity == "CRITICAL" else Severity.WARNING
        details = [_word(alert.get("alert_description"))[:300]]
        tell(number, ACCOUNT_WARNING, not is_over, severity=weight, event=kind, details=details)


def _review_update(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    decision = _word(value.get("decision"))
    if decision and note(number, HealthKind.ACCOUNT, after=f"REVIEW_{decision}", at=at):
        is_rejected = decision == "REJECTED"
        if speaks or not is_rejected:
            tell(number, RESTRICTED, is_rejected, severity=Severity.CRITICAL, event="REVIEW_REJECTED", details=[])


def _security(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    event = _word(value.get("event"))
    if event and note(number, HealthKind.SECURITY, after=event, at=at) and speaks:
        tell(number, PIN_ASKED, True, event=event)


def _errors(number: Number, value: dict[str, Any], at: datetime, speaks: bool) -> None:
    """Errors about the number and none of its messages: a line for each, and one alert for what is new of them."""
    around = (at - SAME_ERROR_WITHIN, at + SAME_ERROR_WITHIN)
    told = HealthChange.objects.filter(number=number, kind=HealthKind.ERROR, at__range=around)
    known = set(told.values_list("after", flat=True))
    found = {_error_words(error): _code(error) for error in _objects(value.get("errors"))}
    fresh = [words for words in found if words not in known and note(number, HealthKind.ERROR, after=words, at=at)]
    if fresh:
        # Whoever has seen an earlier error has not seen these.
        tell(number, ERRORS, False)
        tell(number, ERRORS, True, details=fresh, codes=[found[words] for words in fresh])


def _error_words(error: dict[str, Any]) -> str:
    """What Meta calls it, with its number: never its details, which may tell of a person."""
    code = _code(error)
    called = _word(error.get("title")) or _word(error.get("message")) or "?"
    return called if code is None else f"{called[:100]} ({code})"


def _code(error: dict[str, Any]) -> int | None:
    digits = str(error.get("code"))
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None


_READERS = {
    "phone_number_quality_update": _quality_update,
    "business_capability_update": _capability_update,
    "phone_number_name_update": _name_update,
    "account_update": _account_update,
    "account_alerts": _account_alert,
    "account_review_update": _review_update,
    "security": _security,
    **dict.fromkeys(("messages", "message_echoes", "smb_message_echoes", "user_preferences"), _errors),
}


def _tier(value: Any) -> str:
    """A limit as Meta writes it: a word, or a number in its samples, where −1 is “none”."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "TIER_UNLIMITED" if value < 0 else _TIERS.get(value, "")
    return value[:20] if isinstance(value, str) and value.startswith("TIER_") else ""


def _digits(value: Any) -> str:
    return "".join(character for character in str(value or "") if character in "0123456789")


def _word(value: Any) -> str:
    return value.strip()[:120] if isinstance(value, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
