"""What the phone that shares a number hands over, in words: how far it has come, and what to do when it does not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.templatetags.inbox import moment_in_words
from whatsapp import handing_over
from whatsapp.errors import Reason
from whatsapp.models import Handover, HandoverKind, HandoverState, Number

TITLES: dict[str, Any] = {
    HandoverKind.CONTACTS: gettext_lazy("Contacts of its address book"),
    HandoverKind.HISTORY: gettext_lazy("Chats of the last 180 days"),
}
BUTTONS: dict[str, Any] = {
    HandoverKind.CONTACTS: gettext_lazy("Ask for the contacts"),
    HandoverKind.HISTORY: gettext_lazy("Ask for the chats"),
}
_AT_ONCE = timedelta(minutes=2)
_ONCE = gettext_lazy(
    "WhatsApp hands it over only once for each connection. To ask again, disconnect the number in the WhatsApp Business"
    " app and connect it anew."
)
_SENTENCES: dict[str, Any] = {
    handing_over.NOT_SHARED: gettext_lazy("This number is not shared with the app on a phone."),
    Reason.HANDED_OVER: _ONCE,
    Reason.HANDOVER_LATE: gettext_lazy(
        "More than 24 hours have passed since the number was connected. Disconnect it in the WhatsApp Business app,"
        " connect it anew, and ask at once."
    ),
    Reason.HISTORY_DECLINED: gettext_lazy(
        "Whoever connected the number did not share its chats. To get them, disconnect the number in the WhatsApp"
        " Business app and connect it anew, sharing them."
    ),
    Reason.AUTH: gettext_lazy("Meta refuses this number's token. Paste another one, then ask again."),
    Reason.UNREACHABLE: gettext_lazy("WhatsApp could not be reached. Ask again in a moment."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing a phone can hand over. `look` and `icon` are those of its flag; `waits`: something is still to come."""

    kind: str
    title: str
    button: str
    look: str
    icon: str
    state: str
    words: str
    can_be_asked: bool
    waits: bool


def lines_of(number: Number, *, since: datetime, now: datetime) -> list[Line]:
    """The contacts and the chats, each as it is now. One query."""
    known = {handover.kind: handover for handover in Handover.objects.filter(number=number)}
    return [_line(kind, known.get(kind), since, now) for kind in HandoverKind.values]


def time_words(*, since: datetime, now: datetime) -> str:
    """Until when WhatsApp takes it, as far as we know when the number was connected."""
    until = since + handing_over.OPEN_FOR
    if now < until:
        return _("WhatsApp takes this only within 24 hours of connecting: until %(moment)s.") % {
            "moment": moment_in_words(until, now)
        }
    return _("WhatsApp takes this only within 24 hours of connecting, and those are over as far as we know.")


def refusal_words(refusal: handing_over.CannotAsk, *, now: datetime) -> str:
    """Why it may not be asked for, to whoever pressed the button."""
    words = _sentence(refusal.reason, "")
    if refusal.earlier is None:
        return words
    asked = _("Asked for already, %(moment)s.") % {"moment": moment_in_words(refusal.earlier.asked_at, now)}
    return f"{asked} {words}"


def _line(kind: str, handover: Handover | None, since: datetime, now: datetime) -> Line:
    look, icon, state = _flag(handover)
    is_open = not handing_over.holds(handover, since)
    return Line(
        kind=kind,
        title=str(TITLES[kind]),
        button=str(BUTTONS[kind]),
        look=look,
        icon=icon,
        state=state,
        words=_words(handover, now),
        can_be_asked=is_open,
        waits=handover is not None and not is_open and _is_coming(handover, now),
    )


def _flag(handover: Handover | None) -> tuple[str, str, str]:
    if handover is None:
        return "quiet", "clock", _("not asked for")
    if handover.state == HandoverState.ASKED:
        return "quiet", "hourglass", _("being asked for")
    if handover.state == HandoverState.REFUSED:
        return "fail", "x-circle", _("refused")
    if handover.state == HandoverState.DECLINED:
        return "warn", "lock", _("not shared")
    if handover.progress == 100:
        return "ok", "check-circle", _("all of it is here")
    if handover.progress is not None:
        return "ok", "download", _("%(percent)d %% is here") % {"percent": handover.progress}
    return ("ok", "check-circle", _("received")) if handover.heard_at else ("quiet", "hourglass", _("asked for"))


def _words(handover: Handover | None, now: datetime) -> str:
    if handover is None:
        return ""
    asked = _("Asked for %(moment)s.") % {"moment": moment_in_words(handover.asked_at, now)}
    if handover.state == HandoverState.DECLINED:
        return _sentence(Reason.HISTORY_DECLINED, "")
    if handover.state == HandoverState.REFUSED:
        return f"{asked} {_sentence(handover.reason, handover.detail)}"
    if handover.heard_at:
        came = _("The last of it came %(moment)s.") % {"moment": moment_in_words(handover.heard_at, now)}
        return f"{asked} {came}"
    comes = _("It arrives by itself.")
    return asked if handover.state == HandoverState.ASKED else f"{asked} {comes}"


def _sentence(reason: str, detail: str) -> str:
    if reason in _SENTENCES:
        return str(_SENTENCES[reason])
    return _("WhatsApp refused: %(reason)s. Put that right, then ask again.") % {"reason": detail.rstrip(".")}


def _is_coming(handover: Handover, now: datetime) -> bool:
    """Whether more is to be seen soon. Contacts do not say when they are all here; they come at once."""
    if handover.state == HandoverState.DECLINED or handover.progress == 100:
        return False
    is_told = handover.heard_at and handover.kind == HandoverKind.CONTACTS
    return now - (handover.heard_at or handover.asked_at) < (_AT_ONCE if is_told else handing_over.OPEN_FOR)
