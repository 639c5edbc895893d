"""Flows at WhatsApp: made, filled, published, taken back, and mirrored.

What a person asks for is written down with the Flow (`Flow.wish`) and done after: by a bell at once, else by the sweep.
Everything here opens its own short transactions with the calls in between.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from tenants.context import current_scope, system_transaction, tenant_transaction
from whatsapp.flows import keys
from whatsapp.models import Flow, FlowKey, FlowStatus, FlowToken, FlowWish, Number
from whatsapp.providers import get_provider
from whatsapp.providers.base import Account, Provider, ProviderError, Refused, RemoteFlow
from whatsapp.providers.downloading import CannotFetch

GONE = "DELETED"
LEASE_SECONDS = 60
_MOST_READ = 20
_CLAIM = """
UPDATE whatsapp_flow SET claimed_until = statement_timestamp() + make_interval(secs => %s)
WHERE id = %s AND wish <> '' AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
"""
_DUE = """
SELECT tenant_id, id FROM whatsapp_flow
WHERE wish <> '' AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
ORDER BY created_at LIMIT 100
"""


def due(*, now: datetime) -> tuple[list[tuple[UUID, UUID]], list[tuple[UUID, UUID]]]:
    """(tenant, Flow) and (tenant, number) of what WhatsApp has not been told yet; tokens long over are forgotten."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_DUE)
        flows = cursor.fetchall()
        FlowToken.objects.filter(expires_at__lt=now - FlowToken.KEPT).delete()
        waiting = FlowKey.objects.filter(uploaded_at=None, refusal="")
        keys = waiting.exclude(checked_at__gt=now - FlowKey.TRY_AGAIN_AFTER).values_list("tenant_id", "number_id")
        return flows, list(keys[:100])


def perform(*, tenant_id: UUID, flow_id: UUID, now: datetime) -> None:
    """Tell WhatsApp what was asked for. A refusal is stored with the Flow; what did not arrive is tried again."""
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [LEASE_SECONDS, flow_id])
        if not cursor.rowcount:
            return
        flow = Flow.objects.get(pk=flow_id)
        number = _numbers(flow.waba_id).first()
        account = number.account() if number else None
        keys_first = _waiting_keys(flow)
        url = f"{settings.BASE_URL.rstrip('/')}/flows/{number.phone_number_id}/" if number else ""
    if number is None or account is None:
        _finish(flow, refusal=_("No active number belongs to this WhatsApp business account."))
        return
    for number_id in keys_first:
        keys.upload(tenant_id=tenant_id, number_id=number_id, now=now)
    try:
        _tell(get_provider(number.provider), account, flow, url, now)
    except Refused as refusal:
        _finish(flow, refusal=refusal.detail or str(refusal))
    except ProviderError:
        return  # its wish stays, and with the lease over the sweep finds it


def sync(*, tenant_id: UUID, now: datetime) -> list[ProviderError]:
    """Mirror the Flows of every business account of the company. Returns the failures; those change nothing."""
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id):
        accounts = {number.waba_id: (number.provider, number.account()) for number in _numbers().reverse()}
    failures = []
    for waba_id, (provider_name, account) in accounts.items():
        provider = get_provider(provider_name)
        if not provider.capabilities.flows:
            continue
        try:
            remotes = list(provider.fetch_flows(account))
        except ProviderError as failure:
            failures.append(failure)
            continue
        with tenant_transaction(tenant_id):
            _mirror(tenant_id, waba_id, remotes, now)
            unread = list(Flow.objects.filter(waba_id=waba_id, source="").exclude(provider_flow_id="")[:_MOST_READ])
        for flow in unread:
            _read(provider, account, flow)
    return failures


def _read(provider: Provider, account: Account, flow: Flow) -> None:
    """Take over the file of one that was made elsewhere: it says what is asked and where the screens come from."""
    try:
        source = provider.fetch_flow(account, flow_id=flow.provider_flow_id)
    except (ProviderError, CannotFetch):
        return  # with the next synchronisation
    if source and "\x00" not in source:
        with tenant_transaction(flow.tenant_id):
            Flow.objects.filter(pk=flow.pk, source="").update(source=source)


def _numbers(waba_id: str = ""):
    """Active numbers that may speak for their business account, those that work first."""
    numbers = Number.objects.filter(is_active=True).exclude(waba_id="").order_by("paused_reason", "pk")
    return numbers.filter(waba_id=waba_id) if waba_id else numbers


def _waiting_keys(flow: Flow) -> list[UUID]:
    """Numbers whose key is still to be uploaded: Meta publishes nothing with an endpoint that no phone can seal for."""
    if flow.wish != FlowWish.PUBLISH or not flow.form.uses_endpoint:
        return []
    waiting = FlowKey.objects.filter(number__waba_id=flow.waba_id, number__is_active=True, uploaded_at=None, refusal="")
    return list(waiting.values_list("number_id", flat=True))


def _tell(provider: Provider, account: Account, flow: Flow, url: str, now: datetime) -> None:
    if flow.wish == FlowWish.DELETE:
        if flow.provider_flow_id and flow.status != GONE:
            provider.delete_flow(account, flow_id=flow.provider_flow_id)
        with tenant_transaction(flow.tenant_id):
            Flow.objects.filter(pk=flow.pk).delete()
    elif flow.wish == FlowWish.DEPRECATE:
        provider.deprecate_flow(account, flow_id=flow.provider_flow_id)
        _finish(flow, status=FlowStatus.DEPRECATED, synced_at=now)
    else:
        _upload(provider, account, flow, url)
        if flow.validation_errors:
            refused = flow.wish == FlowWish.PUBLISH
            _finish(flow, refusal=_("Correct what WhatsApp found in the file, then publish.") if refused else "")
            return
        if flow.wish == FlowWish.PUBLISH:
            provider.publish_flow(account, flow_id=flow.provider_flow_id)
            flow.status = FlowStatus.PUBLISHED
        _finish(flow, status=flow.status, synced_at=now)


def _upload(provider: Provider, account: Account, flow: Flow, url: str) -> None:
    """Bring the draft to what the file says, making it first where WhatsApp has none."""
    if not flow.provider_flow_id:
        endpoint = url if flow.form.uses_endpoint else ""
        try:
            flow.provider_flow_id = provider.create_flow(
                account, name=flow.name, categories=flow.categories or ["OTHER"], endpoint_url=endpoint
            )
        except Refused:
            # An earlier try may have made it although its answer was lost.
            made = next((each for each in provider.fetch_flows(account) if each.name == flow.name), None)
            if made is None or made.status != FlowStatus.DRAFT:
                raise
            flow.provider_flow_id = made.flow_id
        with tenant_transaction(flow.tenant_id):
            Flow.objects.filter(pk=flow.pk).update(provider_flow_id=flow.provider_flow_id)
    faults = provider.upload_flow(account, flow_id=flow.provider_flow_id, source=flow.source.encode())
    flow.validation_errors = [asdict(fault) for fault in faults]
    with tenant_transaction(flow.tenant_id):
        Flow.objects.filter(pk=flow.pk).update(validation_errors=flow.validation_errors)


def _finish(flow: Flow, *, refusal: str = "", **changes: object) -> None:
    """The wish is done, or will not be; one that was made meanwhile stays."""
    with tenant_transaction(flow.tenant_id):
        Flow.objects.filter(pk=flow.pk).update(refusal=refusal[:300], **changes)
        Flow.objects.filter(pk=flow.pk, wish=flow.wish).update(wish="", claimed_until=None)


def _mirror(tenant_id: UUID, waba_id: str, remotes: Iterable[RemoteFlow], now: datetime) -> None:
    stored = list(Flow.objects.filter(waba_id=waba_id))
    ours, names = (
        {flow.provider_flow_id: flow for flow in stored if flow.provider_flow_id},
        {flow.name for flow in stored},
    )
    remotes = sorted(remotes, key=lambda each: each.flow_id)
    there = {remote.flow_id for remote in remotes}
    # One that was removed there and made again under its name is the same to us, with another file.
    lost = {flow.name: flow for flow in ours.values() if flow.provider_flow_id not in there}
    changed, new = [], []
    for remote in remotes:
        flow = ours.pop(remote.flow_id, None)
        if flow is None and remote.name in lost:
            flow = ours.pop(lost.pop(remote.name).provider_flow_id)
            flow.provider_flow_id, flow.source = remote.flow_id, ""
        if flow is not None:
            flow.status, flow.categories, flow.synced_at = remote.status[:20], list(remote.categories), now
            flow.validation_errors = [asdict(fault) for fault in remote.faults]
            changed.append(flow)
        elif remote.name not in names:
            # One that has a name of ours and no id yet is being made at this moment.
            new.append(
                Flow(tenant_id=tenant_id, waba_id=waba_id, provider_flow_id=remote.flow_id, name=remote.name[:200],
                     status=remote.status[:20], categories=list(remote.categories), synced_at=now)
            )  # fmt: skip
    for gone in ours.values():
        gone.status, gone.synced_at = GONE, now
        changed.append(gone)
    Flow.objects.bulk_create(new, ignore_conflicts=True)
    Flow.objects.bulk_update(
        changed, ["provider_flow_id", "source", "status", "categories", "validation_errors", "synced_at"]
    )
