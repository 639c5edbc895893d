"""Templates as Meta holds them, kept beside our numbers: a mirror, one business account (WABA) at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.context import current_scope, tenant_transaction
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


def _mirror(number: Number, remotes: Iterable[RemoteTemplate], *, now: datetime) -> Mirrored:
    rows = [
        Template(
            tenant_id=number.tenant_id,
            waba_id=number.waba_id,
            provider_template_id=remote.template_id[:64],
            name=remote.name[:512],
            language=remote.language[:10],
            category=remote.category[:20],
            status=remote.status[:20],
            components=remote.components,
            synced_at=now,
        )
        for remote in sorted(remotes, key=lambda remote: (remote.name, remote.language))  # one order: no deadlock
    ]
    Template.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["tenant", "waba_id", "name", "language"],
        update_fields=["provider_template_id", "category", "status", "components", "synced_at"],
    )
    ours = Template.objects.filter(waba_id=number.waba_id)
    gone = ours.exclude(synced_at=now).exclude(status=GONE).update(status=GONE)
    return Mirrored(present=len(rows), gone=gone)
