"""The daily look at all chains: what is found is an alert of the platform's operator, and the heads leave with the log.

A chain whose end was cut off, rows and entries alike, is a genuine older chain. So its head is kept where whoever has only
the database does not reach: in the log, for as long as that is kept, and in Redis, with which the next look compares. Redis
may forget it; what it has is enough to tell the next day.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.core.cache import cache

from tenants.alerts import raise_alert, resolve_alert
from tenants.audit.chain import Head
from tenants.audit.verifying import Verification, chains, rows_without_entry
from tenants.context import system_transaction
from tenants.models import Severity, Tenant

log = logging.getLogger(__name__)

TAMPERED = "history-tampered"
_REMEMBERED = "head-of-history:{}"


def watch() -> int:
    """Verify every chain, raise or resolve its alert, and log and remember its head; returns how much was found."""
    tenant_ids = chains()
    known = remembered(tenant_ids)
    without_entry: dict[UUID, Counter[str]] = {}
    for finding in rows_without_entry():
        without_entry.setdefault(finding.tenant_id, Counter())[finding.kind.value] += 1
    with system_transaction():
        names = dict(Tenant.objects.values_list("pk", "name"))
    found = 0
    for tenant_id in tenant_ids:
        verification = Verification(tenant_id, known=known.get(tenant_id))
        kinds = Counter(finding.kind.value for finding in verification) + without_entry.pop(tenant_id, Counter())
        _tell(tenant_id, verification.head, kinds, company=names.get(tenant_id, ""))
        found += kinds.total()
    for tenant_id, kinds in without_entry.items():  # of a tenant that there is not, nor a chain
        _tell(tenant_id, Head(), kinds, company="")
        found += kinds.total()
    return found


def remembered(tenant_ids: Iterable[UUID]) -> dict[UUID, Head]:
    """The heads that the last look left, of the tenants that it found in order."""
    keys = {_REMEMBERED.format(tenant_id): tenant_id for tenant_id in tenant_ids}
    return {keys[key]: Head(seq, bytes.fromhex(mac)) for key, (seq, mac) in cache.get_many(list(keys)).items()}


def remember(heads: Mapping[UUID, Head]) -> None:
    """Have the next look compare with these."""
    kept = {_REMEMBERED.format(tenant_id): (head.seq, head.mac.hex()) for tenant_id, head in heads.items()}
    cache.set_many(kept, timeout=None)


def _tell(tenant_id: UUID, head: Head, kinds: Counter[str], *, company: str) -> None:
    log.info("head of history", extra={"tenant_id": str(tenant_id), "seq": head.seq, "mac": head.mac.hex()})
    if not kinds:
        remember({tenant_id: head})
        with system_transaction():
            resolve_alert(tenant_id=None, kind=TAMPERED, subject=str(tenant_id))
        return
    log.error("history was tampered with", extra={"tenant_id": str(tenant_id), "findings": dict(kinds)})
    with system_transaction():
        raise_alert(
            tenant_id=None,
            kind=TAMPERED,
            subject=str(tenant_id),
            severity=Severity.CRITICAL,
            facts={"company": company, "findings": dict(kinds), "count": kinds.total()},
        )
