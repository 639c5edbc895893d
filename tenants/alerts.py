"""One place for what needs a person: raise it as often as it is seen, resolve it when it is gone."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from tenants.models import Severity

_RAISE = """
INSERT INTO tenants_alert (id, tenant_id, kind, subject, severity, facts)
VALUES (gen_random_uuid(), %s, %s, %s, %s, %s::jsonb)
ON CONFLICT (tenant_id, kind, subject) WHERE resolved_at IS NULL
DO UPDATE SET last_seen_at = statement_timestamp(), facts = EXCLUDED.facts, severity = EXCLUDED.severity
RETURNING (xmax = 0)
"""

_RESOLVE = """
UPDATE tenants_alert SET resolved_at = statement_timestamp()
WHERE tenant_id IS NOT DISTINCT FROM %s AND kind = %s AND subject = %s AND resolved_at IS NULL
"""


def raise_alert(
    *, tenant_id: UUID | None, kind: str, subject: str, severity: Severity, facts: Mapping[str, Any] | None = None
) -> bool:
    """Open the alert, or refresh the one that is open. True when it is new. `facts` must hold no content or secret."""
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [tenant_id, kind, subject[:120], severity.value, json.dumps(dict(facts or {}))])
        return bool(cursor.fetchone()[0])


def resolve_alert(*, tenant_id: UUID | None, kind: str, subject: str) -> None:
    """Close the alert if it is open."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [tenant_id, kind, subject[:120]])
