"""An alert about one of our numbers: raised while something is so, resolved when it is not."""

from typing import Any

from django.db import connection

from tenants.alerts import raise_alert, resolve_alert
from tenants.models import Alert, Severity
from whatsapp.models import Number


def tell(number: Number, kind: str, is_so: bool, *, severity: Severity = Severity.WARNING, **facts: Any) -> None:
    """Raise the alert about the number while it is so; resolve it when it is not."""
    tenant_id, subject = number.tenant_id, str(number.pk)
    if is_so:
        facts = {"number": str(number), "phone_number_id": number.phone_number_id} | facts
        raise_alert(tenant_id=tenant_id, kind=kind, subject=subject, severity=severity, facts=facts)
    else:
        resolve_alert(tenant_id=tenant_id, kind=kind, subject=subject)


def resolve_others(kind: str, subjects: list[str]) -> None:
    """Close every open alert of the kind whose subject is none of these; in a system transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Alert._meta.db_table} SET resolved_at = statement_timestamp()"
            " WHERE kind = %s AND resolved_at IS NULL AND subject <> ALL(%s)",
            [kind, subjects],
        )
