"""What Meta tells of templates by webhook, merged set by set: a status, a quality, a category, other words.

Idempotent and commutative: each aspect of a template has the moment it was last told of, and only what is newer changes
it; of two things said in the same second, the later in a template's life wins. A moment that is missing is the earliest.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from whatsapp import template_alerts
from whatsapp.events import Notice
from whatsapp.template_content import normalised_language

FIELDS = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
    }
)

# In the order of a template's life.
_STATUSES = ("PENDING", "IN_APPEAL", "APPROVED", "LIMIT_EXCEEDED", "REJECTED", "PAUSED", "DISABLED", "ARCHIVED",
             "PENDING_DELETION", "DELETED")  # fmt: skip
# FLAGGED announces a pause, and is none yet.
_AS_STATUS = {"REINSTATED": "APPROVED", "UNARCHIVED": "APPROVED", "FLAGGED": "", "LOCKED": "DISABLED"}
_LONG_AGO = datetime(2009, 1, 1, tzinfo=UTC)

# Always in this order, by whatever changes many of them: two workers then wait for each other and never in a circle.
_LOCK = """
SELECT FROM whatsapp_template t
JOIN unnest(%s::text[], %s::text[], %s::text[]) AS n (waba_id, name, language)
  ON t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language
ORDER BY t.waba_id, t.name, t.language, t.tenant_id
FOR NO KEY UPDATE OF t
"""
_STATUS = """
UPDATE whatsapp_template t SET status = n.status, reason = n.reason, advice = n.advice, status_at = n.at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
     AS n (waba_id, name, language, at, status, reason, advice)
WHERE t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language
  AND (t.status_at IS NULL OR n.at > t.status_at
       OR (n.at = t.status_at AND array_position(%s::text[], n.status) > COALESCE(array_position(%s::text[], t.status::text), 0)))
RETURNING t.id
"""
_QUALITY = """
UPDATE whatsapp_template t SET quality = n.quality, quality_at = n.at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS n (waba_id, name, language, at, quality)
WHERE t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language
  AND (t.quality_at IS NULL OR n.at > t.quality_at OR (n.at = t.quality_at AND n.quality > t.quality))
"""
# An announcement (`coming`) changes nothing yet; the change itself takes it away.
_CATEGORY = """
UPDATE whatsapp_template t
SET category = CASE WHEN n.coming = '' THEN n.category ELSE t.category END,
    previous_category = CASE WHEN n.coming = '' THEN n.previous ELSE t.previous_category END,
    coming_category = n.coming, category_changes_at = n.changes_at, category_at = n.at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
     AS n (waba_id, name, language, at, category, previous, coming, changes_at)
WHERE t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language
  AND (t.category_at IS NULL OR n.at > t.category_at)
"""
# The parts that are told of take the place of those of their kind; a header with a file is not told of, and stays.
_COMPONENTS = """
UPDATE whatsapp_template t
SET components_at = n.at, components = (
    SELECT COALESCE(jsonb_agg(merged.part ORDER BY array_position(ARRAY['HEADER', 'BODY', 'FOOTER', 'BUTTONS'], merged.part->>'type')), '[]')
    FROM (
        SELECT COALESCE(old.part, '{}') || new.part AS part
        FROM jsonb_array_elements(n.parts::jsonb) AS new (part)
        LEFT JOIN jsonb_array_elements(t.components) AS old (part) ON old.part->>'type' = new.part->>'type'
        UNION ALL
        SELECT old.part FROM jsonb_array_elements(t.components) AS old (part)
        WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(n.parts::jsonb) AS new (part) WHERE new.part->>'type' = old.part->>'type')
    ) AS merged)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS n (waba_id, name, language, at, parts)
WHERE t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language
  AND (t.components_at IS NULL OR n.at > t.components_at)
"""
_UNKNOWN = """
SELECT DISTINCT number.tenant_id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS n (waba_id, name, language)
JOIN whatsapp_number number ON number.waba_id = n.waba_id AND number.is_active
WHERE NOT EXISTS (SELECT FROM whatsapp_template t
                  WHERE t.tenant_id = number.tenant_id AND t.waba_id = n.waba_id AND t.name = n.name AND t.language = n.language)
"""


@dataclass(frozen=True, slots=True)
class _News:
    """One aspect of one template, as one notice tells it."""

    key: tuple[str, str, str]  # account, name, language
    at: datetime
    values: tuple[Any, ...]


def merge(cursor: Any, notices: Iterable[Notice]) -> list[UUID]:
    """Merge what the notices say of templates; call it in a system transaction.

    Locks the templates first, in the order of their keys. Returns the companies that have a template we know nothing of, whose
    templates should be fetched.
    """
    by_field: dict[str, list[Notice]] = {name: [] for name in FIELDS}
    for notice in notices:
        if notice.field in FIELDS and _key(notice) is not None:
            by_field[notice.field].append(notice)
    if keys := sorted({key for found in by_field.values() for notice in found if (key := _key(notice))}):
        cursor.execute(_LOCK, [list(column) for column in zip(*keys, strict=True)])
    if statuses := _latest(map(_status, by_field["message_template_status_update"])):
        order = list(_STATUSES)
        cursor.execute(_STATUS, [*_columns(statuses, 3), order, order])
        template_alerts.tell(cursor, [row[0] for row in cursor.fetchall()])
    if qualities := _latest(map(_quality, by_field["message_template_quality_update"])):
        cursor.execute(_QUALITY, _columns(qualities, 1))
    if categories := _latest(map(_category, by_field["template_category_update"])):
        cursor.execute(_CATEGORY, _columns(categories, 4))
    if texts := _latest(map(_components, by_field["message_template_components_update"])):
        cursor.execute(_COMPONENTS, _columns(texts, 1))
    return _unknown(cursor, statuses)


def _unknown(cursor: Any, statuses: list[_News]) -> list[UUID]:
    known_of = [news for news in statuses if news.values[0] not in ("DELETED", "PENDING_DELETION")]
    if not known_of:
        return []
    cursor.execute(_UNKNOWN, [list(column) for column in zip(*(news.key for news in known_of), strict=True)])
    return [row[0] for row in cursor.fetchall()]


def _latest(found: Iterable[_News | None]) -> list[_News]:
    """One for each template, the newest, in the order of their keys."""
    newest: dict[tuple[str, str, str], _News] = {}
    for news in found:
        if news and (news.key not in newest or _rank(newest[news.key]) < _rank(news)):
            newest[news.key] = news
    return [newest[key] for key in sorted(newest)]


def _rank(news: _News) -> tuple[datetime, int, str]:
    first = str(news.values[0])
    return news.at, _STATUSES.index(first) if first in _STATUSES else 0, first


def _columns(found: list[_News], values: int) -> list[list[Any]]:
    keys = [[news.key[place] for news in found] for place in range(3)]
    return [*keys, [news.at for news in found], *([news.values[place] for news in found] for place in range(values))]


def _key(notice: Notice) -> tuple[str, str, str] | None:
    name = notice.value.get("message_template_name")
    language = notice.value.get("message_template_language")
    if not isinstance(name, str) or not isinstance(language, str) or not name or not notice.account_id:
        return None
    # Meta writes `en-US` here and `en_US` for sending.
    return notice.account_id, name, normalised_language(language)


def _news(notice: Notice, *values: Any) -> _News | None:
    key = _key(notice)
    return _News(key, notice.at or _LONG_AGO, values) if key else None


def _status(notice: Notice) -> _News | None:
    event = _word(notice.value, "event").upper()
    status = event if event in _STATUSES else _AS_STATUS.get(event, "")
    if not status:
        return None
    about, rejected = _object(notice.value, "other_info"), _object(notice.value, "rejection_info")
    reason = _word(rejected, "reason") or _word(notice.value, "reason") or _word(about, "title")
    advice = _word(rejected, "recommendation") or _word(about, "description")
    return _news(notice, status, "" if reason == "NONE" else reason[:60], advice[:500])


def _quality(notice: Notice) -> _News | None:
    quality = _word(notice.value, "new_quality_score").upper()
    return _news(notice, quality[:10]) if quality else None


def _category(notice: Notice) -> _News | None:
    """`new_category` is the present one in an announcement, and the new one once it has changed."""
    previous, coming = _word(notice.value, "previous_category"), _word(notice.value, "correct_category")
    category = _word(notice.value, "new_category")
    moment = notice.value.get("category_update_timestamp")
    changes_at = datetime.fromtimestamp(moment, UTC) if coming and type(moment) is int and 0 < moment < 4e9 else None
    if not category:
        return None
    return _news(notice, category[:20], previous[:20], "" if previous else coming[:20], changes_at)


def _components(notice: Notice) -> _News | None:
    told = (
        ("HEADER", "message_template_title"),
        ("BODY", "message_template_element"),
        ("FOOTER", "message_template_footer"),
    )
    parts: list[dict[str, Any]] = [
        {"type": kind, "text": text} | ({"format": "TEXT"} if kind == "HEADER" else {})
        for kind, name in told
        if (text := _word(notice.value, name))
    ]
    given = notice.value.get("message_template_buttons")
    if buttons := [_button(each) for each in given if isinstance(each, dict)] if isinstance(given, list) else []:
        parts.append({"type": "BUTTONS", "buttons": buttons})
    return _news(notice, json.dumps(parts)) if parts else None


def _button(told: dict[str, Any]) -> dict[str, Any]:
    names = {"type": "type", "text": "text", "url": "url", "phone_number": "phone_number"}
    return {ours: told[f"message_template_button_{theirs}"] for theirs, ours in names.items()
            if f"message_template_button_{theirs}" in told}  # fmt: skip


def _word(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
