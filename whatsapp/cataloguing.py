"""Templates as Meta holds them, kept beside our numbers: a mirror, one business account (WABA) at a time."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from uuid_utils.compat import uuid7

from tenants.context import current_scope, tenant_transaction
from whatsapp import template_alerts
from whatsapp.models import Number, Template
from whatsapp.providers import UnknownProvider, get_provider
from whatsapp.providers.base import ProviderError, RemoteTemplate

GONE = "DELETED"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How many templates the provider has, and how many of ours it no longer has."""

    present: int = 0
    gone: int = 0


def sync_templates_of(number: Number, *, now: datetime) -> Mirrored:
    """Fetch the templates of the number's business account with the number's token, and mirror them.

    A template that Meta no longer has stays, as DELETED: what was sent with it refers to it. Fetches before it opens a
    transaction, so it must not be called inside one. Raises ProviderError, and then changes nothing.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(number.tenant_id):
        number = Number.objects.get(pk=number.pk)
        account = number.account()
    try:
        provider = get_provider(number.provider)
    except UnknownProvider:
        return Mirrored()
    if not number.waba_id or not provider.capabilities.has_templates:
        return Mirrored()
    templates = {(remote.name, remote.language): remote for remote in provider.fetch_templates(account)}
    with tenant_transaction(number.tenant_id):
        return _mirror(number, templates.values(), now=now)


def sync_templates_of_company(tenant_id: UUID, *, now: datetime) -> list[ProviderError]:
    """Mirror every business account of the company, with the first of its numbers that gets an answer.

    Returns the last failure of each account for which none did.
    """
    with tenant_transaction(tenant_id):
        numbers = list(
            Number.objects.filter(is_active=True).exclude(waba_id="").order_by("waba_id", "paused_reason", "pk")
        )
    failures: dict[str, ProviderError | None] = {}
    for number in numbers:
        if failures.get(number.waba_id, ...) is None:
            continue
        try:
            sync_templates_of(number, now=now)
            failures[number.waba_id] = None
        except ProviderError as failure:
            failures[number.waba_id] = failure
    return [failure for failure in failures.values() if failure]


# What a webhook told us while we were asking is newer than the answer, and stays. Only for a while: a moment that is far
# ahead is that of a demonstration's clock which has been put back. What came with a status (its reason) goes with it.
_FRESHER = "(t.{0} > %(now)s AND t.{0} < %(now)s + interval '10 minutes')"
# Webhooks tell of whole seconds: what happens later in the second in which we ask must not look older than the answer.
_TOLD = "date_trunc('second', %(now)s::timestamptz)"
_MIRROR = """
INSERT INTO whatsapp_template AS t (id, tenant_id, waba_id, provider_template_id, name, language, category, status, components,
    quality, reason, advice, previous_category, coming_category, prefilled, synced_at, status_at, quality_at, category_at,
    components_at)
SELECT r.id, %(tenant)s, %(waba)s, r.template_id, r.name, r.language, r.category, r.status, r.components,
    r.quality, r.reason, '', r.previous_category, '', '{{}}', %(now)s, {told}, {told}, {told}, {told}
FROM json_to_recordset(%(rows)s) AS r (id uuid, template_id text, name text, language text, category text, status text,
    components jsonb, quality text, reason text, previous_category text)
ORDER BY r.name, r.language
ON CONFLICT (tenant_id, waba_id, name, language) DO UPDATE
SET provider_template_id = EXCLUDED.provider_template_id, synced_at = EXCLUDED.synced_at,
    status = CASE WHEN {newer_status} THEN t.status ELSE EXCLUDED.status END,
    reason = CASE WHEN {newer_status} OR (t.status = EXCLUDED.status AND EXCLUDED.reason = '') THEN t.reason
                  ELSE EXCLUDED.reason END,
    advice = CASE WHEN {newer_status} OR t.status = EXCLUDED.status THEN t.advice ELSE '' END,
    status_at = CASE WHEN {newer_status} THEN t.status_at ELSE EXCLUDED.status_at END,
    quality = CASE WHEN {newer_quality} OR EXCLUDED.quality = '' THEN t.quality ELSE EXCLUDED.quality END,
    quality_at = CASE WHEN {newer_quality} THEN t.quality_at ELSE EXCLUDED.quality_at END,
    category = CASE WHEN {newer_category} THEN t.category ELSE EXCLUDED.category END,
    previous_category = CASE WHEN {newer_category} OR EXCLUDED.previous_category = '' THEN t.previous_category
                             ELSE EXCLUDED.previous_category END,
    coming_category = CASE WHEN t.coming_category = EXCLUDED.category THEN '' ELSE t.coming_category END,
    category_at = CASE WHEN {newer_category} THEN t.category_at ELSE EXCLUDED.category_at END,
    components = CASE WHEN {newer_components} THEN t.components ELSE EXCLUDED.components END,
    components_at = CASE WHEN {newer_components} THEN t.components_at ELSE EXCLUDED.components_at END
RETURNING t.id
""".format(
    told=_TOLD,
    **{f"newer_{each}": _FRESHER.format(f"{each}_at") for each in ("status", "quality", "category", "components")},
)


def record(tenant_id: UUID, waba_id: str, remote: RemoteTemplate, *, now: datetime) -> None:
    """Mirror one template that the provider has just taken, in the present transaction."""
    parameters: dict[str, Any] = {"tenant": tenant_id, "waba": waba_id, "now": now, "rows": json.dumps([_row(remote)])}
    with connection.cursor() as cursor:
        cursor.execute(_MIRROR, parameters)
        template_alerts.tell(cursor, [row[0] for row in cursor.fetchall()])


def mark_gone(templates: QuerySet[Template], *, now: datetime) -> int:
    """Say of templates that the provider no longer has them; what was sent with them still refers to them. How many."""
    gone = list(templates.exclude(status=GONE).values_list("pk", flat=True))
    Template.objects.filter(pk__in=gone).update(status=GONE, status_at=now.replace(microsecond=0))
    with connection.cursor() as cursor:
        template_alerts.tell(cursor, gone)
    return len(gone)


def _mirror(number: Number, remotes: Iterable[RemoteTemplate], *, now: datetime) -> Mirrored:
    rows = [_row(remote) for remote in remotes]
    parameters: dict[str, Any] = {
        "tenant": number.tenant_id,
        "waba": number.waba_id,
        "now": now,
        "rows": json.dumps(rows),
    }
    with connection.cursor() as cursor:
        cursor.execute(_MIRROR, parameters)
        present = [row[0] for row in cursor.fetchall()]
        template_alerts.tell(cursor, present)
    gone = mark_gone(Template.objects.filter(waba_id=number.waba_id).exclude(synced_at=now), now=now)
    return Mirrored(present=len(present), gone=gone)


def _row(remote: RemoteTemplate) -> dict[str, object]:
    return {
        "id": str(uuid7()),
        "template_id": remote.template_id[:64],
        "name": remote.name[:512],
        "language": remote.language[:10],
        "category": remote.category[:20],
        "status": remote.status[:20],
        "components": remote.components,
        "quality": remote.quality[:10],
        "reason": "" if remote.rejected_reason == "NONE" else remote.rejected_reason[:60],
        "previous_category": remote.previous_category[:20],
    }
