"""Does a number work? What its row tells by itself, and what WhatsApp says when asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenants.alerts import raise_alert, resolve_alert
from tenants.context import current_scope, tenant_transaction
from tenants.models import Severity
from whatsapp.errors import Reason
from whatsapp.models import Number, ProviderName, TokenState
from whatsapp.providers import UnknownProvider, get_provider
from whatsapp.providers.base import Account, Provider, ProviderError, Refused, RemoteNumber, TokenFacts

SILENCE = timedelta(days=2)
EXPIRES_SOON = timedelta(days=7)

# Kinds of alerts about a number; their subject is the number's own id, `facts["number"]` its alias. As gettext messages
# so that people read words.
WITHOUT_QUEUE = gettext_noop("number-without-queue")
PAUSED = gettext_noop("number-paused")  # also raised by whoever was refused while sending
TOKEN_REFUSED = gettext_noop("token-refused")
TOKEN_EXPIRES = gettext_noop("token-expires-soon")
CANNOT_SEND = gettext_noop("number-cannot-send")


@dataclass(frozen=True, slots=True)
class Check:
    """What asking WhatsApp brought. `token_state` None: it could not be reached, and nothing was stored."""

    token_state: TokenState | None
    problems: tuple[str, ...] = ()
    quality: str = ""


def check_connection(*, tenant_id: UUID, number_id: UUID, now: datetime) -> Check:
    """Ask WhatsApp about the number with its own token, and store what it says.

    A token that works lets a number that was paused for it send again; one that is refused pauses it. Opens its own
    short transactions with the call in between, so it must not be called inside one. Raises Number.DoesNotExist.
    """
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    with tenant_transaction(tenant_id):
        number = Number.objects.get(pk=number_id)
        provider_name, account = number.provider, number.account()
    try:
        asked = _ask(get_provider(provider_name), account, now=now)
    except UnknownProvider:
        return Check(None, (_("This installation has no such provider."),))
    except ProviderError as failure:
        return Check(None, (_("WhatsApp could not be reached: %(reason)s") % {"reason": failure.detail},))
    with tenant_transaction(tenant_id):
        _record(Number.objects.select_for_update().get(pk=number_id), asked, now=now)
    return Check(asked.token_state, asked.problems, asked.remote.quality if asked.remote else "")


def is_made_up(phone_number_id: str) -> bool:
    """An id that an earlier system made up (`wsp-12345`): Meta's consist of digits."""
    return not (phone_number_id.isascii() and phone_number_id.isdigit())


def problems_of(number: Number, *, now: datetime) -> list[str]:
    """What is wrong with the number as far as its row tells, in short claims."""
    problems = []
    if number.provider == ProviderName.CLOUD and is_made_up(number.phone_number_id):
        problems.append(_("its id was made up by an earlier system"))
    if not number.is_active:
        problems.append(_("inactive"))
    if number.queue_id is None:
        problems.append(_("no queue: its conversations go to triage"))
    if not number.token:
        problems.append(
            _("no token of its own: the environment's is used") if settings.WHATSAPP_ACCESS_TOKEN else _("no token")
        )
    elif number.token_state in (TokenState.EXPIRED, TokenState.MISSING):
        problems.append(_("its token is refused"))
    if number.paused_reason:
        problems.append(_("paused: %(reason)s") % {"reason": number.paused_reason})
    silence = now - number.last_webhook_at if number.last_webhook_at else None
    if number.is_active and silence is None:
        problems.append(_("no webhook yet"))
    elif number.is_active and silence is not None and silence > SILENCE:
        problems.append(_("no webhook for %(days)d days") % {"days": silence.days})
    return problems


@dataclass(frozen=True, slots=True)
class _Asked:
    token_state: TokenState
    problems: tuple[str, ...] = ()
    remote: RemoteNumber | None = None
    expires_at: datetime | None = None


def _ask(provider: Provider, account: Account, *, now: datetime) -> _Asked:
    """The number's facts and its token's. Raises ProviderError when there is no answer that says anything."""
    if not account.token:
        return _Asked(TokenState.MISSING, (_("no token"),))
    refusal: Refused | None = None
    remote: RemoteNumber | None = None
    try:
        remote = provider.fetch_number(account)
    except Refused as error:
        if error.reason not in (Reason.AUTH, Reason.INVALID, Reason.NOT_REGISTERED, Reason.UNKNOWN):
            raise
        refusal = error
    facts = _token_facts(provider, account)
    if (facts is not None and not facts.is_valid) or (refusal is not None and refusal.reason is Reason.AUTH):
        return _Asked(TokenState.EXPIRED, (_("its token is refused"),), remote)
    if refusal is not None:
        # Meta answers 100 for an id that does not exist and for one that the token may not see alike.
        return _Asked(TokenState.VALID, (_("WhatsApp knows no such id, or the token may not see it"),))
    assert remote is not None
    expires_at = facts.expires_at if facts else None
    problems = list(remote.obstacles) if remote.can_send in ("LIMITED", "BLOCKED") else []
    if expires_at and expires_at - now < EXPIRES_SOON:
        problems.append(_("its token expires on %(date)s") % {"date": f"{expires_at:%Y-%m-%d}"})
    return _Asked(TokenState.VALID, tuple(problems), remote, expires_at)


def _token_facts(provider: Provider, account: Account) -> TokenFacts | None:
    """None when the provider will not say: then a number that answers is proof enough."""
    try:
        return provider.inspect_token(account)
    except ProviderError:
        return None


def _record(number: Number, asked: _Asked, *, now: datetime) -> None:
    is_valid = asked.token_state is TokenState.VALID
    number.token_state, number.checked_at = asked.token_state, now
    if not is_valid:
        number.paused_reason = number.paused_reason or Reason.AUTH.value
    elif number.paused_reason == Reason.AUTH or (asked.remote and asked.remote.can_send == "AVAILABLE"):
        number.paused_reason = ""
    if asked.remote:
        number.quality = asked.remote.quality[:10]
        number.display_number = number.display_number or asked.remote.display_phone[:32]
    number.save(update_fields=["token_state", "checked_at", "paused_reason", "quality", "display_number"])
    soon = asked.expires_at is not None and asked.expires_at - now < EXPIRES_SOON
    blocked = is_valid and (asked.remote is None or asked.remote.can_send == "BLOCKED")
    tell(number, TOKEN_REFUSED, not is_valid, severity=Severity.CRITICAL)
    tell(number, TOKEN_EXPIRES, soon, expires_at=asked.expires_at.isoformat() if asked.expires_at else "")
    tell(number, CANNOT_SEND, blocked, severity=Severity.CRITICAL, problems=list(asked.problems))
    if not number.paused_reason:
        tell(number, PAUSED, False)


def tell(number: Number, kind: str, is_so: bool, *, severity: Severity = Severity.WARNING, **facts: Any) -> None:
    """Raise the alert about the number while it is so; resolve it when it is not."""
    tenant_id, subject = number.tenant_id, str(number.pk)
    if is_so:
        facts = {"number": str(number), "phone_number_id": number.phone_number_id} | facts
        raise_alert(tenant_id=tenant_id, kind=kind, subject=subject, severity=severity, facts=facts)
    else:
        resolve_alert(tenant_id=tenant_id, kind=kind, subject=subject)
