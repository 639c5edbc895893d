"""One place for what needs a person: raise it as often as it is seen, resolve it when it is gone, and say it in words.

Which words and which page belong to a kind is known by the layer that shows pages: `ALERT_WORDS` names its function.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from tenants.models import Alert, Severity, User

# What grew worse is told again: somebody who saw the warning has not seen that it is critical now.
_RAISE = """
INSERT INTO tenants_alert AS a (id, tenant_id, kind, subject, severity, facts)
VALUES (gen_random_uuid(), %s, %s, %s, %s, %s::jsonb)
ON CONFLICT (tenant_id, kind, subject) WHERE resolved_at IS NULL
DO UPDATE SET last_seen_at = statement_timestamp(), facts = EXCLUDED.facts, severity = EXCLUDED.severity,
    acknowledged_at = CASE WHEN array_position(%s::text[], EXCLUDED.severity::text) > array_position(%s::text[], a.severity::text)
                           THEN NULL ELSE a.acknowledged_at END
RETURNING (xmax = 0)
"""
_BY_WEIGHT = [Severity.INFO.value, Severity.WARNING.value, Severity.CRITICAL.value]

_RESOLVE = """
UPDATE tenants_alert SET resolved_at = statement_timestamp()
WHERE tenant_id IS NOT DISTINCT FROM %s AND kind = %s AND subject = %s AND resolved_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Words:
    """An alert as a person reads it: what is so, what to do about it, and where; `url` is a path of ours or empty."""

    title: str
    about: str
    advice: str = ""
    action: str = ""
    url: str = ""


def raise_alert(
    *, tenant_id: UUID | None, kind: str, subject: str, severity: Severity, facts: Mapping[str, Any] | None = None
) -> bool:
    """Open the alert, or refresh the one that is open. True when it is new. `facts` must hold no content or secret."""
    said = json.dumps(dict(facts or {}))
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [tenant_id, kind, subject[:120], severity.value, said, _BY_WEIGHT, _BY_WEIGHT])
        return bool(cursor.fetchone()[0])


def resolve_alert(*, tenant_id: UUID | None, kind: str, subject: str) -> None:
    """Close the alert if it is open."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [tenant_id, kind, subject[:120]])


def acknowledge(alert: Alert, *, by: User, now: datetime) -> bool:
    """Somebody knows of it; False when it is over or somebody knew already."""
    unseen = Alert.objects.filter(pk=alert.pk, acknowledged_at=None, resolved_at=None)
    return bool(unseen.update(acknowledged_at=now, acknowledged_by=by))


def reopen(alert: Alert) -> bool:
    """Put it back among those that nobody has seen to; False when it is over."""
    seen = Alert.objects.filter(pk=alert.pk, acknowledged_at__isnull=False, resolved_at=None)
    return bool(seen.update(acknowledged_at=None, acknowledged_by=None))


def words_of(alert: Alert) -> Words:
    """The alert in the reader's language; a kind that nobody has words for shows its own."""
    for path in settings.ALERT_WORDS:
        if words := import_string(path)(alert):
            return words
    return Words(title=gettext(alert.kind).replace("-", " ").capitalize(), about=about(alert))


def about(alert: Alert) -> str:
    """Whom or what it is about, by its name where it has one."""
    return str(alert.facts.get("number") or alert.subject)
