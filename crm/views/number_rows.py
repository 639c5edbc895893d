"""What the page of numbers shows of each: words and shapes made from its columns, without asking anybody."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm import silences
from crm.models import Message
from crm.templatetags.inbox import row_time, span
from crm.views import queue_rows
from tenants import clock
from tenants.alerts import words_of
from tenants.models import Alert, Membership, Queue
from tenants.requests import MemberRequest
from whatsapp.asking import EXPIRES_SOON
from whatsapp.capabilities import CAPABILITIES
from whatsapp.meta_words import said
from whatsapp.models import HealthChange, HealthKind, Number, TokenState
from whatsapp.preconditions import Kind

MINUTE = timedelta(minutes=1)
SHOWN_ALERTS = 4
SHOWN_CHANGES = 30
TITLES = {
    Kind.TOKEN: gettext_lazy("The token is valid"),
    Kind.SCOPES: gettext_lazy("Its permissions"),
    Kind.NUMBER: gettext_lazy("WhatsApp knows the number"),
    Kind.REGISTERED: gettext_lazy("The number is registered"),
    Kind.SENDING: gettext_lazy("Meta lets it send"),
    Kind.SUBSCRIBED: gettext_lazy("The app hears of its account"),
    Kind.ADDRESS: gettext_lazy("Webhooks come to this address"),
    Kind.LOOP: gettext_lazy("A real message arrives"),
    Kind.FLOWS: gettext_lazy("Key for Flows"),
    Kind.QUEUE: gettext_lazy("Somebody answers"),
}
_QUALITIES = {
    "GREEN": ("ok", "signal", gettext_lazy("High")),
    "YELLOW": ("warn", "arrow-down", gettext_lazy("Medium")),
    "RED": ("fail", "arrow-down", gettext_lazy("Low")),
}
_LIMITS = {
    "TIER_50": 50, "TIER_250": 250, "TIER_1K": 1000, "TIER_2K": 2000, "TIER_10K": 10_000, "TIER_100K": 100_000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flag:
    """A word with its icon; `kind` is the class that gives it a colour."""

    kind: str
    icon: str
    words: Any


@dataclass(frozen=True, slots=True)
class Row:
    number: Number
    quality: Flag | None
    limit: str
    pace: str
    token: Flag
    heard: Flag


def page(request: MemberRequest, *, now: datetime) -> dict[str, Any]:
    """Everything about all numbers and queues; the same few queries however many there are."""
    numbers = list(Number.objects.select_related("queue").order_by("alias"))
    alerts = list(Alert.objects.filter(resolved_at=None, acknowledged_at=None).order_by("-raised_at")[:100])
    subjects = {str(number.pk) for number in numbers}
    about_numbers = [alert for alert in alerts if alert.subject in subjects]
    silent = {alert.subject for alert in about_numbers if alert.kind == silences.SILENT}
    about_numbers.sort(key=lambda alert: alert.severity != "critical")
    sent = _sent_lately(now)
    queues = queue_rows.queues()
    return {
        "rows": [
            row(number, now=now, is_silent=str(number.pk) in silent, sent=sent.get(number.pk, 0)) for number in numbers
        ],
        "alerts": [(alert, words_of(alert)) for alert in about_numbers[:SHOWN_ALERTS]],
        "more_alerts": max(len(about_numbers) - SHOWN_ALERTS, 0),
        "queues": queues,
        "queue_rows": queue_rows.rows(queues, tenant=request.membership.tenant, now=now),
        "summary": _summary(len(numbers), len(queues)),
        "now": now,
        "me": request.membership,
    }


def is_silent(number: Number, *, now: datetime) -> bool:
    """Whether its alert of silence is open, seen or not; one that was heard since is closed by the next sweep."""
    if number.last_webhook_at is None or now - number.last_webhook_at - clock.ahead() < silences.SHORTEST:
        return False
    return Alert.objects.filter(kind=silences.SILENT, subject=str(number.pk), resolved_at=None).exists()


def choosable() -> list[Queue]:
    return list(Queue.objects.filter(is_triage=False).order_by("name"))


def _sent_lately(now: datetime) -> dict[UUID, int]:
    """How many messages each number handed to WhatsApp within the last minute; served by crm_message_time."""
    lately = Message.objects.filter(sent_at__gte=now - 10 * MINUTE, accepted_at__gte=now - MINUTE)
    counted = lately.order_by().values("number").annotate(count=Count("pk"))
    return {line["number"]: line["count"] for line in counted}


def row(number: Number, *, now: datetime, is_silent: bool, sent: int) -> Row:
    capabilities = CAPABILITIES[number.provider]
    pace = capabilities.pace(coexistence=number.is_shared, throughput=number.sends_per_second)
    kind, icon, words = _QUALITIES.get(number.quality, ("", "", ""))
    return Row(
        number=number,
        quality=Flag(kind, icon, words) if words else None,
        limit=limit_words(number.messaging_limit),
        pace=f"{math.ceil(sent / 60)} / {number_format(pace, 0 if pace >= 10 else 1)}",
        token=_token(number, now),
        heard=_heard(number, now, is_silent),
    )


def limit_words(word: str) -> str:
    """“10,000”, “no limit”; a word of Meta's that is not known stays as it is."""
    if word == "TIER_UNLIMITED":
        return _("no limit")
    if word in _LIMITS:
        return number_format(_LIMITS[word], force_grouping=True)
    return "" if word == "TIER_NOT_SET" else word


def _token(number: Number, now: datetime) -> Flag:
    if number.token_state == TokenState.EXPIRED:
        return Flag("fail", "key", _("refused"))
    if number.token_state == TokenState.MISSING:
        return Flag("fail", "key", _("missing"))
    if number.token_state == TokenState.UNKNOWN:
        return Flag("quiet", "key", _("not checked yet"))
    left = number.token_expires_at - now if number.token_expires_at else None
    if left is None:
        return Flag("quiet", "key", _("never expires"))
    if left <= timedelta(0):
        return Flag("fail", "key", _("expired"))
    words = ngettext("expires in %(count)d day", "expires in %(count)d days", left.days) % {"count": left.days}
    return Flag("warn" if left < EXPIRES_SOON else "quiet", "key", words)


def _heard(number: Number, now: datetime, is_silent: bool) -> Flag:
    if number.last_webhook_at is None:
        return Flag("quiet", "webhook", _("none yet"))
    at = number.last_webhook_at + clock.ahead()
    if is_silent and now - at >= silences.SHORTEST:
        return Flag("fail", "webhook", _("silence of %(span)s") % {"span": span(now - at)})
    return Flag("quiet", "webhook", row_time(at, now))


def _summary(numbers: int, queues: int) -> str:
    people = Membership.objects.filter(is_active=True).count()
    return " · ".join(
        [
            ngettext("%(count)d number", "%(count)d numbers", numbers) % {"count": numbers},
            ngettext("%(count)d queue", "%(count)d queues", queues) % {"count": queues},
            ngettext("%(count)d person", "%(count)d people", people) % {"count": people},
        ]
    )


def history(number: Number) -> list[dict[str, Any]]:
    """The newest changes of the number's health, in words."""
    changes = HealthChange.objects.filter(number=number).order_by("-at", "-pk")[:SHOWN_CHANGES]
    return [
        {
            "kind": change.get_kind_display(),
            "before": _word(change.kind, change.before),
            "after": _word(change.kind, change.after),
            "at": change.at,
        }
        for change in changes
    ]


def _word(kind: str, word: str) -> str:
    if kind == HealthKind.QUALITY and word in _QUALITIES:
        return str(_QUALITIES[word][2])
    if kind == HealthKind.LIMIT:
        return limit_words(word)
    if kind == HealthKind.TOKEN:
        named = dict(TokenState.choices) | {"expiring": _("about to expire"), "renewed": _("renewed")}
        return str(named.get(word, word))
    if kind in (HealthKind.NAME, HealthKind.CONNECTED, HealthKind.ERROR):
        return word
    return said(word)
