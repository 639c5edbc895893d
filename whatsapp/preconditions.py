"""What must be in place before a number works, judged one by one, each with the exact thing to do about it.

`Findings` is what WhatsApp said, as it is kept with the number; `judge` reads them and nothing else, so a page can show
them at any time and in any language without asking again.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from whatsapp.asking import SCOPES, Answer
from whatsapp.meta_words import said
from whatsapp.models import TokenState

LOOP_PATIENCE = timedelta(minutes=10)
LOOP_FRESH = timedelta(days=1)
LOOP_SLACK = timedelta(seconds=5)  # the last webhook is noted at most every five seconds


class Kind(StrEnum):
    TOKEN = "token"  # noqa: S105
    SCOPES = "scopes"
    NUMBER = "number"
    REGISTERED = "registered"
    SENDING = "sending"
    SUBSCRIBED = "subscribed"
    ADDRESS = "address"
    LOOP = "loop"
    FLOWS = "flows"
    QUEUE = "queue"


class State(StrEnum):
    OK = "ok"
    FAILED = "failed"
    WAITING = "waiting"  # for another one, for an answer, or for a person's test


@dataclass(frozen=True, slots=True)
class Precondition:
    """`detail` is what was seen, `fix` what to do; a fix is never empty when it failed."""

    kind: Kind
    state: State
    detail: str = ""
    fix: str = ""

    @property
    def is_ok(self) -> bool:
        return self.state is State.OK

    @property
    def is_failed(self) -> bool:
        return self.state is State.FAILED


@dataclass(frozen=True, slots=True)
class Findings:
    """What an answer of WhatsApp says about the preconditions; None and "" are “was not said”."""

    token_state: str = TokenState.UNKNOWN
    app_id: str = ""
    scopes: tuple[str, ...] | None = None
    missing_scopes: tuple[str, ...] = ()
    refusal: str = ""
    is_known: bool = False
    status: str = ""
    is_coexistent: bool = False
    can_send: str = ""
    obstacles: tuple[str, ...] = ()
    subscribers: tuple[str, ...] | None = None
    webhook_url: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, kept: dict[str, Any]) -> "Findings | None":
        """None when WhatsApp was never asked. Fields of another time are left out."""
        if not kept:
            return None
        known: dict[str, Any] = {name: value for name, value in kept.items() if name in cls.__dataclass_fields__}
        for name, value in known.items():
            if isinstance(value, list):
                known[name] = tuple(value)
        return cls(**known)


def found(answer: Answer, *, waba_id: str) -> Findings:
    """What an answer says about the preconditions of a number of this business account."""
    remote, token = answer.remote, answer.token
    return Findings(
        token_state=answer.token_state,
        app_id=token.app_id if token else "",
        scopes=token.scopes if token and token.scopes else None,
        missing_scopes=_missing(answer, waba_id),
        refusal=answer.refusal,
        is_known=remote is not None,
        status=remote.status if remote else "",
        is_coexistent=remote.is_coexistent if remote else False,
        can_send=remote.can_send if remote else "",
        obstacles=remote.obstacles if remote else (),
        subscribers=answer.subscribers,
        webhook_url=remote.webhook_url if remote else "",
    )


def _missing(answer: Answer, waba_id: str) -> tuple[str, ...]:
    """The scopes that the token has not, or not for this account. Without a list of scopes nothing is missing."""
    token = answer.token
    if token is None or not token.scopes:
        return ()
    lacks = [scope for scope in SCOPES if scope not in token.scopes]
    elsewhere = [
        scope for scope in SCOPES if waba_id and scope in token.targets and waba_id not in token.targets[scope]
    ]
    return tuple(dict.fromkeys(lacks + elsewhere))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What we know by ourselves. Moments are the database's, `now` too."""

    now: datetime
    webhook_url: str  # ours, where the number's messages should be announced
    waba_id: str = ""
    number: str = ""  # as people dial it
    queue: str = ""
    last_webhook_at: datetime | None = None
    loop_started_at: datetime | None = None
    is_silent: bool = False  # it usually hears something by now
    flow_key: bool | None = None  # None: no Flow is used
    refused: dict[str, str] | None = None  # kind → why the last try to mend it did not go


def judge(findings: Findings | None, here: Circumstances) -> list[Precondition]:
    """Every precondition in the order in which they are mended; one that another stands in the way of waits for it."""
    judged = [_token(findings)]
    lives = judged[0].is_ok
    judged.append(_scopes(findings) if findings and lives else _waits(Kind.SCOPES, _("after the token")))
    judged.append(_number(findings, here) if findings and lives else _waits(Kind.NUMBER, _("after the token")))
    known = judged[-1].is_ok and findings is not None
    after = _("after the number")
    judged.append(_registered(findings) if known and findings else _waits(Kind.REGISTERED, after))
    judged.append(_sending(findings) if known and findings else _waits(Kind.SENDING, after))
    judged.append(_subscribed(findings, here) if findings and lives else _waits(Kind.SUBSCRIBED, _("after the token")))
    judged.append(_address(findings, here) if known and findings else _waits(Kind.ADDRESS, after))
    judged += [_loop(here), _flows(here), _queue(here)]
    return [_with_refusal(each, (here.refused or {}).get(each.kind, "")) for each in judged]


def _with_refusal(judged: Precondition, refused: str) -> Precondition:
    """A try to mend it was refused: say why before what to do, until it is mended."""
    if not refused or judged.is_ok:
        return judged
    return Precondition(judged.kind, State.FAILED, judged.detail, f"{refused} {judged.fix}".strip())


def _waits(kind: Kind, detail: str) -> Precondition:
    return Precondition(kind, State.WAITING, detail)


def _token(findings: Findings | None) -> Precondition:
    if findings is None:
        return Precondition(Kind.TOKEN, State.WAITING, _("not asked yet"))
    if findings.token_state == TokenState.MISSING:
        return Precondition(
            Kind.TOKEN,
            State.FAILED,
            _("missing"),
            _(
                "Paste a token: in Meta, Business settings › Users › System users › Generate token, with both WhatsApp"
                " permissions."
            ),
        )
    if findings.token_state != TokenState.VALID:
        return Precondition(
            Kind.TOKEN,
            State.FAILED,
            _("refused"),
            _(
                "Meta no longer takes this token: it expired or was revoked. Generate a new one in Business settings ›"
                " Users › System users, and paste it here. Nothing is lost: what waits is sent then."
            ),
        )
    return Precondition(Kind.TOKEN, State.OK, _("valid"))


def _scopes(findings: Findings) -> Precondition:
    if findings.missing_scopes:
        return Precondition(
            Kind.SCOPES,
            State.FAILED,
            ", ".join(findings.missing_scopes),
            _(
                "The token lacks %(scopes)s for this account. In Meta, Business settings › Users › System users: assign"
                " the WhatsApp account with full control, generate a token with both permissions, and paste it here."
            )
            % {"scopes": ", ".join(findings.missing_scopes)},
        )
    if findings.scopes is None:
        return Precondition(Kind.SCOPES, State.OK, _("Meta does not say"))
    return Precondition(Kind.SCOPES, State.OK, _("%(have)d of %(all)d") % {"have": len(SCOPES), "all": len(SCOPES)})


def _number(findings: Findings, here: Circumstances) -> Precondition:
    if findings.is_known:
        return Precondition(Kind.NUMBER, State.OK, here.number)
    return Precondition(
        Kind.NUMBER,
        State.FAILED,
        _("not found"),
        _(
            "WhatsApp knows no such id, or the token may not see it. Copy the phone number id, not the number, from"
            " WhatsApp manager › API setup, and assign its account to the token's system user."
        ),
    )


def _registered(findings: Findings) -> Precondition:
    detail = said(findings.status)
    if findings.status in ("", "CONNECTED", "FLAGGED", "RESTRICTED", "RATE_LIMITED"):
        return Precondition(Kind.REGISTERED, State.OK, detail)
    if findings.is_coexistent:
        fix = _(
            "This number is shared with the WhatsApp Business app, which has to connect it: open the app on the phone,"
            " Settings › Account › Business platform, and connect it again."
        )
    elif findings.status == "BANNED":
        fix = _("Meta has banned this number. Ask for a review in WhatsApp manager › Account quality.")
    else:
        fix = _(
            "Register it: choose a PIN of six digits, or give the one that it has for its second step. Meta allows ten"
            " tries in 72 hours."
        )
    return Precondition(Kind.REGISTERED, State.FAILED, detail, fix)


def _sending(findings: Findings) -> Precondition:
    if findings.can_send != "BLOCKED":
        detail = _("with limits") if findings.can_send == "LIMITED" else ""
        return Precondition(Kind.SENDING, State.OK, detail)
    # Meta's own sentences, in Meta's language: they name what only Meta knows.
    said = " ".join(findings.obstacles)
    fix = _("Meta lets it send nothing. Look at WhatsApp manager › Account quality.")
    return Precondition(Kind.SENDING, State.FAILED, _("blocked"), f"{said} {fix}".strip())


def _subscribed(findings: Findings, here: Circumstances) -> Precondition:
    if not here.waba_id:
        return Precondition(
            Kind.SUBSCRIBED,
            State.FAILED,
            _("no account"),
            _("Write the id of the number's WhatsApp business account: WhatsApp manager › Account tools shows it."),
        )
    if findings.subscribers is None:
        return Precondition(Kind.SUBSCRIBED, State.WAITING, _("Meta does not say"))
    heard = findings.app_id in findings.subscribers if findings.app_id else bool(findings.subscribers)
    if heard:
        return Precondition(Kind.SUBSCRIBED, State.OK, _("subscribed"))
    return Precondition(
        Kind.SUBSCRIBED,
        State.FAILED,
        _("not subscribed"),
        _("The app does not hear of this account: messages arrive at Meta and stay there. We can subscribe it now."),
    )


def _address(findings: Findings, here: Circumstances) -> Precondition:
    """The address at Meta. Where Meta shows none, a webhook that came all the way proves that there is one."""
    if findings.webhook_url.rstrip("/") == here.webhook_url.rstrip("/"):
        return Precondition(Kind.ADDRESS, State.OK, _("ours"))
    if not findings.webhook_url and _loop(here).is_ok:
        return Precondition(Kind.ADDRESS, State.OK, _("webhooks arrive"))
    steps = _(
        "We can direct this number here now. Or in Meta, your app › WhatsApp › Configuration: callback URL %(url)s and"
        " the verify token of this installation; then subscribe to the field messages."
    ) % {"url": here.webhook_url}
    if findings.webhook_url:
        said = _("Meta announces its messages at %(url)s, which is not us.") % {"url": findings.webhook_url}
        return Precondition(Kind.ADDRESS, State.FAILED, _("another address"), f"{said} {steps}")
    said = _("Meta has no address for its messages.")
    return Precondition(Kind.ADDRESS, State.FAILED, _("no address"), f"{said} {steps}")


def _loop(here: Circumstances) -> Precondition:
    """Whether a real webhook has come all the way: since the test was begun, else within a day."""
    last, begun = here.last_webhook_at, here.loop_started_at
    since = begun - LOOP_SLACK if begun else here.now - LOOP_FRESH
    if last and last >= since and not here.is_silent:
        return Precondition(Kind.LOOP, State.OK, _("a webhook arrived"))
    write = _("Write to %(number)s from any phone: this page sees by itself when it arrives.") % {"number": here.number}
    if here.is_silent and (begun is None or (last and last > begun)):
        usual = _("It usually hears something by now.")
        return Precondition(Kind.LOOP, State.FAILED, _("silent"), f"{usual} {write}")
    if begun and here.now - begun < LOOP_PATIENCE:
        return Precondition(Kind.LOOP, State.WAITING, _("waiting for a message"), write)
    if begun:
        return Precondition(
            Kind.LOOP,
            State.FAILED,
            _("nothing arrived"),
            _(
                "No webhook came within ten minutes. When everything above is green, the app's secret is another one"
                " than this installation's (META_APP_SECRET, or that of its webhook address): webhooks are refused."
            )
            + f" {write}",
        )
    return Precondition(Kind.LOOP, State.WAITING, _("not tried yet"), write)


def _flows(here: Circumstances) -> Precondition:
    if here.flow_key is None:
        return Precondition(Kind.FLOWS, State.OK, _("not needed until a Flow is used"))
    if here.flow_key:
        return Precondition(Kind.FLOWS, State.OK, _("uploaded"))
    return Precondition(
        Kind.FLOWS, State.FAILED, _("missing"), _("A Flow is used and Meta has no key for this number: upload it.")
    )


def _queue(here: Circumstances) -> Precondition:
    if here.queue:
        return Precondition(Kind.QUEUE, State.OK, here.queue)
    return Precondition(
        Kind.QUEUE,
        State.FAILED,
        _("none"),
        _("Choose who answers: until then its conversations wait in triage, and nobody is told."),
    )
