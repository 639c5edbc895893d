"""Alerts about templates that Meta stopped: raised while one is stopped, resolved when it may be sent again or is gone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

# The subject is the template's own id; `facts` hold its name, language, status and Meta's reason.
STOPPED = gettext_noop("template-stopped")

_RAISE = """
INSERT INTO tenants_alert (id, tenant_id, kind, subject, severity, facts)
SELECT gen_random_uuid(), tenant_id, %s, id::text, 'warning',
       jsonb_build_object('template', name, 'language', language, 'status', status, 'reason', reason)
FROM whatsapp_template
WHERE id = ANY(%s) AND status IN ('PAUSED', 'DISABLED', 'REJECTED')
ORDER BY id
ON CONFLICT (tenant_id, kind, subject) WHERE resolved_at IS NULL
DO UPDATE SET last_seen_at = statement_timestamp(), facts = EXCLUDED.facts WHERE tenants_alert.facts <> EXCLUDED.facts
"""
_RESOLVE = """
UPDATE tenants_alert a SET resolved_at = statement_timestamp()
FROM whatsapp_template t
WHERE t.id = ANY(%s) AND t.status NOT IN ('PAUSED', 'DISABLED', 'REJECTED')
  AND a.tenant_id = t.tenant_id AND a.kind = %s AND a.subject = t.id::text AND a.resolved_at IS NULL
"""


def tell(cursor: Any, template_ids: Sequence[UUID]) -> None:
    """Bring the alerts about these templates up to date, in the present transaction."""
    if template_ids:
        cursor.execute(_RAISE, [STOPPED, list(template_ids)])
        cursor.execute(_RESOLVE, [list(template_ids), STOPPED])
