"""What WhatsApp says about a number when asked with its own token: the number, the token, and who hears of its messages."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from whatsapp.errors import Reason
from whatsapp.models import TokenState
from whatsapp.providers.base import Account, Provider, ProviderError, Refused, RemoteNumber, TokenFacts

EXPIRES_SOON = timedelta(days=14)
SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")


@dataclass(frozen=True, slots=True)
class Answer:
    """None stands for what was not said. `refusal` is why the number itself was not shown, in the provider's words."""

    token_state: TokenState
    problems: tuple[str, ...] = ()
    remote: RemoteNumber | None = None
    token: TokenFacts | None = None
    subscribers: tuple[str, ...] | None = None
    refusal: str = ""

    @property
    def expires_at(self) -> datetime | None:
        return self.token.expires_at if self.token else None


def ask(provider: Provider, account: Account, *, now: datetime) -> Answer:
    """The number's facts and its token's. Raises ProviderError when there is no answer that says anything."""
    if not account.token:
        return Answer(TokenState.MISSING, (_("no token"),))
    refusal: Refused | None = None
    remote: RemoteNumber | None = None
    try:
        remote = provider.fetch_number(account)
    except Refused as error:
        if error.reason not in (Reason.AUTH, Reason.INVALID, Reason.NOT_REGISTERED, Reason.UNKNOWN):
            raise
        refusal = error
    facts = _token_facts(provider, account)
    detail = refusal.detail if refusal else ""
    is_dead = facts is not None and not facts.is_valid
    if is_dead or (refusal is not None and refusal.reason is Reason.AUTH and not _lacks_scopes(facts)):
        return Answer(TokenState.EXPIRED, (_("its token is refused"),), remote, facts, refusal=detail)
    subscribers = _subscribers(provider, account)
    if refusal is not None:
        # Meta answers 100 for an id that does not exist and for one that the token may not see alike.
        problem = _("WhatsApp knows no such id, or the token may not see it")
        return Answer(TokenState.VALID, (problem,), None, facts, subscribers, detail)
    assert remote is not None
    expires_at = facts.expires_at if facts else None
    problems = list(remote.obstacles) if remote.can_send in ("LIMITED", "BLOCKED") else []
    if expires_at and expires_at - now < EXPIRES_SOON:
        problems.append(_("its token expires on %(date)s") % {"date": f"{expires_at:%Y-%m-%d}"})
    return Answer(TokenState.VALID, tuple(problems), remote, facts, subscribers)


def _lacks_scopes(facts: TokenFacts | None) -> bool:
    """Meta refuses a token that lives and lacks a permission as it refuses one that is dead; its own facts tell."""
    return facts is not None and facts.is_valid and bool(facts.scopes) and not set(SCOPES) <= set(facts.scopes)


def _token_facts(provider: Provider, account: Account) -> TokenFacts | None:
    """None when the provider will not say: then a number that answers is proof enough."""
    try:
        return provider.inspect_token(account)
    except ProviderError:
        return None


def _subscribers(provider: Provider, account: Account) -> tuple[str, ...] | None:
    """The apps that hear of the number's account; None without an account, or when the provider will not say."""
    if not account.business_id:
        return None
    try:
        return tuple(provider.fetch_subscribers(account))
    except ProviderError:
        return None
