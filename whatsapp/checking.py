"""Does a number work? What its row tells by itself, and what WhatsApp says when asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenants.context import current_scope, tenant_transaction
from tenants.models import Severity
from whatsapp.alerting import tell
from whatsapp.asking import EXPIRES_SOON, Answer, ask
from whatsapp.errors import Reason
from whatsapp.health import NOT_SUBSCRIBED, absorb, note
from whatsapp.models import HealthKind, Number, ProviderName, TokenState
from whatsapp.preconditions import found
from whatsapp.providers import UnknownProvider, get_provider
from whatsapp.providers.base import ProviderError, TokenFacts

SILENCE = timedelta(days=2)

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
    token: TokenFacts | None = None


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
        answer = ask(get_provider(provider_name), account, now=now)
    except UnknownProvider:
        return Check(None, (_("This installation has no such provider."),))
    except ProviderError as failure:
        return Check(None, (_("WhatsApp could not be reached: %(reason)s") % {"reason": failure.detail},))
    with tenant_transaction(tenant_id):
        _record(Number.objects.select_for_update().get(pk=number_id), answer, now=now)
    return Check(answer.token_state, answer.problems, answer.remote.quality if answer.remote else "", answer.token)


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


def _record(number: Number, answer: Answer, *, now: datetime) -> None:
    is_valid = answer.token_state is TokenState.VALID
    if number.token_state != answer.token_state:
        if number.token_state != TokenState.UNKNOWN:
            note(number, HealthKind.TOKEN, before=number.token_state, after=answer.token_state, at=now)
        number.token_state = answer.token_state
    number.checked_at = now
    could, can = number.findings.get("can_send", ""), answer.remote.can_send if answer.remote else ""
    if could and can and could != can:
        note(number, HealthKind.SENDING, before=could, after=can, at=now)
    number.findings = found(answer, waba_id=number.waba_id).as_json()
    if not is_valid:
        number.paused_reason = number.paused_reason or Reason.AUTH.value
    elif number.paused_reason == Reason.AUTH or (answer.remote and answer.remote.can_send == "AVAILABLE"):
        number.paused_reason = ""
    columns = ["token_state", "checked_at", "paused_reason", "findings"]
    if answer.token:
        number.token_expires_at = answer.expires_at
        columns.append("token_expires_at")
    if answer.remote:
        columns += absorb(number, answer.remote, now=now)
        number.display_number = number.display_number or answer.remote.display_phone[:32]
        columns.append("display_number")
    number.save(update_fields=columns)
    _tell(number, answer, now=now)


def _tell(number: Number, answer: Answer, *, now: datetime) -> None:
    is_valid, expires_at = answer.token_state is TokenState.VALID, answer.expires_at
    soon = is_valid and expires_at is not None and expires_at - now < EXPIRES_SOON
    blocked = is_valid and (answer.remote is None or answer.remote.can_send == "BLOCKED")
    tell(number, TOKEN_REFUSED, not is_valid, severity=Severity.CRITICAL)
    tell(
        number,
        TOKEN_EXPIRES,
        soon,
        severity=urgency(expires_at, now=now),
        expires_at=expires_at.isoformat() if expires_at else "",
    )
    tell(number, CANNOT_SEND, blocked, severity=Severity.CRITICAL, problems=list(answer.problems))
    if answer.subscribers is not None and answer.token and answer.token.app_id:
        unheard = number.is_active and answer.token.app_id not in answer.subscribers
        tell(number, NOT_SUBSCRIBED, unheard, severity=Severity.CRITICAL)
    if not number.paused_reason:
        tell(number, PAUSED, False)


def urgency(expires_at: datetime | None, *, now: datetime) -> Severity:
    """How bad it is that a token ends then: it is told at 14 days, again at 7, and on the last one."""
    left = expires_at - now if expires_at else EXPIRES_SOON
    if left < timedelta(days=1):
        return Severity.CRITICAL
    return Severity.WARNING if left < timedelta(days=7) else Severity.INFO
