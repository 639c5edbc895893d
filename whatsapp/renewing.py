"""Tokens of system users that are about to expire, exchanged for ones that live longer, before they do.

Only those can be (Meta, "System user tokens"): a person's token and a business's own end for good, and a person pastes a
new one. It takes the app's id and secret, META_APP_ID and META_APP_SECRET.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from tenants.alerts import resolve_alert
from tenants.context import current_scope, tenant_transaction
from whatsapp.asking import EXPIRES_SOON
from whatsapp.checking import TOKEN_EXPIRES
from whatsapp.health import note
from whatsapp.models import HealthKind, Number
from whatsapp.providers import get_provider
from whatsapp.providers.base import ProviderError, TokenFacts


def is_renewable(facts: TokenFacts | None) -> bool:
    """Whether this installation can exchange a token with such facts."""
    configured = bool(settings.META_APP_ID and settings.META_APP_SECRET)
    return configured and facts is not None and facts.kind == "SYSTEM_USER" and facts.app_id == settings.META_APP_ID


def renew(*, tenant_id: UUID, number_id: UUID, facts: TokenFacts | None, now: datetime) -> bool:
    """Exchange the number's own token if it ends within two weeks and can be; whether it was. Opens its own transactions.

    The old one lives to its own end, so a renewal that is lost on the way costs nothing: the next hour tries again.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    if facts is None or not facts.is_valid or facts.expires_at is None or not is_renewable(facts):
        return False
    if facts.expires_at - now >= EXPIRES_SOON:
        return False
    with tenant_transaction(tenant_id):
        number = Number.objects.get(pk=number_id)
        had, provider, account = number.token, get_provider(number.provider), number.account()
    if not had:
        return False  # the environment's is not ours to replace
    try:
        fresh = provider.refresh_token(account, app_id=settings.META_APP_ID, app_secret=settings.META_APP_SECRET)
    except ProviderError:
        return False  # the alert stands, and says when it ends
    with tenant_transaction(tenant_id):
        number = Number.objects.select_for_update().get(pk=number_id)
        if number.token != had:
            return False  # a person pasted another one meanwhile
        number.token, number.token_expires_at = fresh.token, fresh.expires_at
        number.save(update_fields=["token", "token_expires_at"])
        note(number, HealthKind.TOKEN, before="expiring", after="renewed", at=now)
        if fresh.expires_at is None or fresh.expires_at - now >= EXPIRES_SOON:
            resolve_alert(tenant_id=tenant_id, kind=TOKEN_EXPIRES, subject=str(number_id))
    return True
