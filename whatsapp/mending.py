"""What can be put right at WhatsApp from here: the app subscribed, the number registered, its webhooks directed to us."""

from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from tenants.context import current_scope, tenant_transaction
from whatsapp.checking import Check, check_connection
from whatsapp.models import Number, TokenState
from whatsapp.preconditions import Kind
from whatsapp.providers import get_provider
from whatsapp.providers.base import ProviderError
from whatsapp.readiness import address_of

MENDABLE = (Kind.REGISTERED, Kind.SUBSCRIBED, Kind.ADDRESS)


def mend(*, tenant_id: UUID, number_id: UUID, kind: Kind, now: datetime, pin: str = "") -> bool:
    """Put one precondition right and ask WhatsApp about all of them again; whether it was taken.

    Why it was not is kept with the number, for the list, until WhatsApp is asked the next time. Opens its own
    transactions, with the calls in between. Raises UnknownProvider for a number that another way leads to.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id):
        number = Number.objects.defer(None).select_related("endpoint").get(pk=number_id)
        provider, account = get_provider(number.provider), number.account()
        url, verify_token = address_of(number)
        is_shared = number.is_shared
    refused = ""
    try:
        if kind is Kind.SUBSCRIBED:
            provider.subscribe(account)
        elif kind is Kind.ADDRESS:
            provider.direct_webhooks(account, url=url, verify_token=verify_token)
        elif is_shared:
            # Registering would take the number away from the app on the phone (Cloud API, "Coexistence").
            refused = _("A number that is shared with the app on a phone is never registered from here.")
        else:
            provider.register(account, pin=pin)
    except ProviderError as failure:
        refused = _refusal(kind, failure, url)
    check_connection(tenant_id=tenant_id, number_id=number_id, now=now)
    if refused:
        with tenant_transaction(tenant_id):
            number = Number.objects.select_for_update().get(pk=number_id)
            number.findings = number.findings | {"refused": {kind.value: refused}}
            number.save(update_fields=["findings"])
    return not refused


def replace_token(*, tenant_id: UUID, number_id: UUID, token: str, waba_id: str, now: datetime) -> Check:
    """Give the number another token or account (an empty one stays as it is), and ask WhatsApp about it."""
    with tenant_transaction(tenant_id):
        number = Number.objects.select_for_update().get(pk=number_id)
        columns = []
        if token:
            number.token, number.token_state = token, TokenState.UNKNOWN
            columns += ["token", "token_state"]
        if waba_id:
            number.waba_id = waba_id
            columns.append("waba_id")
        number.save(update_fields=columns)
    return check_connection(tenant_id=tenant_id, number_id=number_id, now=now)


def begin_loop(number: Number) -> None:
    """From now on a webhook of this number proves the way from WhatsApp to us; by the database's clock."""
    Number.objects.filter(pk=number.pk).update(loop_started_at=Now())


def _refusal(kind: Kind, failure: ProviderError, url: str) -> str:
    if kind is Kind.ADDRESS:
        return _(
            "Meta called %(url)s and got no good answer (%(reason)s): it must be open to the internet by https, and"
            " answer with this installation's verify token."
        ) % {"url": url, "reason": failure.detail.rstrip(".")}
    return _("Meta refused: %(reason)s.") % {"reason": failure.detail.rstrip(".")}
