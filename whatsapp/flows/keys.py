"""The key pair of a number: made here, its public half handed to WhatsApp, replaced without losing an exchange.

A new key opens requests from the moment it is stored, before WhatsApp hears of it; the one it replaces goes on opening
them for a day. So it does not matter which of the two a phone has.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_noop

from tenants.context import current_scope, tenant_transaction
from whatsapp.alerting import tell
from whatsapp.flows import encryption
from whatsapp.models import Flow, FlowKey, KeyState, Number
from whatsapp.providers import UnknownProvider, get_provider
from whatsapp.providers.base import ProviderError, Refused, RemoteKey

# Kind of an alert about a number, as those of `whatsapp.checking`.
WRONG_KEY = gettext_noop("flow-key-mismatch")


def is_ready(number: Number) -> bool | None:
    """Whether phones can seal what they fill in for this number; None where its account has no Flow."""
    if not Flow.objects.filter(waba_id=number.waba_id).exclude(waba_id="").exists():
        return None
    used = FlowKey.objects.filter(number=number, uploaded_at__isnull=False, replaced_at=None)
    return used.exclude(state=KeyState.MISMATCH).exists()


def prepare(*, number: Number) -> FlowKey:
    """A key that waits to be uploaded: the one that waits already, else a new one. In the tenant's transaction."""
    with transaction.atomic():
        Number.objects.select_for_update(no_key=True).get(pk=number.pk)  # two clicks make one key
        waiting = FlowKey.objects.filter(number=number, uploaded_at=None).first()
        if waiting:
            FlowKey.objects.filter(pk=waiting.pk).update(refusal="")
            return waiting
        private_key, public_key = encryption.new_pair()
        return FlowKey.objects.create(
            tenant_id=number.tenant_id, number=number, private_key=private_key, public_key=public_key
        )


def upload(*, tenant_id: UUID, number_id: UUID, now: datetime) -> None:
    """Hand over the number's waiting key, if it has one, and store what WhatsApp says of the key in use.

    Opens its own short transactions with the calls in between, so it must not be called inside one. A refusal is stored
    with the key; what nobody knows is found out by the next call. Raises Number.DoesNotExist.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id):
        number = Number.objects.get(pk=number_id)
        account, waiting = number.account(), FlowKey.objects.filter(number=number, uploaded_at=None).first()
    try:
        provider = get_provider(number.provider)
        if not provider.capabilities.flows:
            return
        if waiting:
            provider.upload_public_key(account, public_key=waiting.public_key)
            with tenant_transaction(tenant_id):
                put_into_use(waiting, now)
    except UnknownProvider:
        return
    except Refused as refusal:
        _note(waiting, now, refusal=(refusal.detail or str(refusal))[:300])
        return
    except ProviderError:
        # Not reached, or the answer was lost: what WhatsApp has now says whether it was taken; the sweep tries again.
        _note(waiting, now, refusal="")
    try:
        remote = provider.fetch_public_key(account)
    except ProviderError:
        return
    with tenant_transaction(tenant_id):
        _record(number_id, remote, now)


def check(*, tenant_id: UUID, now: datetime) -> None:
    """Ask WhatsApp which key phones get for each of the company's numbers; another one than ours raises an alert."""
    with tenant_transaction(tenant_id):
        used = FlowKey.objects.filter(uploaded_at__isnull=False, replaced_at=None, number__is_active=True)
        numbers = list(used.values_list("number_id", flat=True))
    for number_id in numbers:
        upload(tenant_id=tenant_id, number_id=number_id, now=now)


def put_into_use(key: FlowKey, now: datetime) -> None:
    ours = FlowKey.objects.filter(number_id=key.number_id)
    ours.filter(uploaded_at__isnull=False, replaced_at=None).exclude(pk=key.pk).update(replaced_at=now)
    ours.filter(pk=key.pk, uploaded_at=None).update(uploaded_at=now, state=KeyState.UNCHECKED, refusal="")
    ours.filter(replaced_at__lt=now - FlowKey.REPLACED_FOR).delete()


def _note(waiting: FlowKey | None, now: datetime, *, refusal: str) -> None:
    if waiting:
        with tenant_transaction(waiting.tenant_id):
            FlowKey.objects.filter(pk=waiting.pk).update(refusal=refusal, checked_at=now)


def _record(number_id: UUID, remote: RemoteKey, now: datetime) -> None:
    ours = FlowKey.objects.filter(number_id=number_id)
    waiting = ours.filter(uploaded_at=None).first()
    if waiting and _bare(waiting.public_key) == _bare(remote.public_key):
        put_into_use(waiting, now)
    in_use = ours.filter(uploaded_at__isnull=False, replaced_at=None).first()
    if in_use:
        is_valid = _bare(in_use.public_key) == _bare(remote.public_key) and remote.status in ("VALID", "")
        state = KeyState.VALID if is_valid else KeyState.MISMATCH
        ours.filter(pk=in_use.pk).update(state=state, checked_at=now)
        tell(Number.objects.get(pk=number_id), WRONG_KEY, not is_valid)


def _bare(pem: str) -> str:
    """A key without what differs between two ways of writing it."""
    return "".join(line.strip() for line in pem.splitlines() if "-----" not in line)
