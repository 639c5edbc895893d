"""What a sequence did and why, in words for the person who asks."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.explanations import sentence
from sequences.broadcasting import Pause
from sequences.definition import Delay, Unit
from sequences.freezing import Skip
from sequences.models import Recipient
from sequences.schedule import Action, Why
from whatsapp import cards, interactive, places

_ACTIONS: dict[str, Any] = {
    Action.SEND: gettext_lazy("Sent as a message"),
    Action.TEMPLATE: gettext_lazy("Sent as a template"),
    Action.TASK: gettext_lazy("Given to a person"),
    Action.SKIP: gettext_lazy("Left out"),
    Action.PAUSE: gettext_lazy("Paused"),
    Action.STOP: gettext_lazy("Stopped"),
    Action.GOAL: gettext_lazy("Goal reached"),
    Action.FORCE: gettext_lazy("Sent all the same"),
}
_WHY: dict[str, Any] = {
    Why.WINDOW_OPEN: gettext_lazy("The 24-hour window was open."),
    Why.WINDOW_CLOSED: gettext_lazy("The window was closed, so its template went."),
    Why.NO_TEMPLATE: gettext_lazy("The window was closed and the step has no template."),
    Why.TEMPLATE_STATE: gettext_lazy("Meta has not approved its template, or no longer."),
    Why.MANUAL_STEP: gettext_lazy("This step is for a person."),
    Why.OPTED_OUT: gettext_lazy("This person stopped our marketing messages."),
    Why.REPLIED: gettext_lazy("The customer replied."),
    Why.CLOSED: gettext_lazy("The conversation was closed."),
    Why.LABEL: gettext_lazy("The contact has the label that ends it."),
    Why.GOAL: gettext_lazy("What the sequence is for came about."),
    Why.BLOCKED: gettext_lazy("They have probably blocked this number; see the delivery issues."),
    Why.COST: gettext_lazy("It has cost as much as one contact may."),
    Why.BUDGET: gettext_lazy("This month’s budget does not cover it."),
    Why.NOT_DELIVERED: gettext_lazy("WhatsApp did not deliver it."),
    Why.QUIET: gettext_lazy("It is quiet hours where the contact is."),
    Why.CATCHING_UP: gettext_lazy("It was late; what is late is spread over half an hour."),
    Why.NUMBER_DOWN: gettext_lazy("The number cannot send at the moment."),
    Why.NO_ADDRESS: gettext_lazy("There is no phone or WhatsApp id to write to."),
    Why.NO_FILE: gettext_lazy("The step’s file is not there any more."),
    Why.REFUSED: gettext_lazy("It could not be sent as the step says."),
    Why.BY_HAND: gettext_lazy("Somebody here did it."),
    Why.MERGED: gettext_lazy("The contact was merged with one that is in it already."),
    Why.FINISHED: gettext_lazy("Every step is done."),
}
FAULTS: dict[str, Any] = {
    "no_steps": gettext_lazy("Add a first step."),
    "too_many_steps": gettext_lazy("A sequence has at most 30 steps."),
    "no_weekday": gettext_lazy("Choose a day on which it may write."),
    "time": gettext_lazy("Write the time as 09:30."),
    "cost": gettext_lazy("Write the cost as a number, like 0.50."),
    "says_nothing": gettext_lazy("Write a text, choose a template, or make it a step for a person."),
    "no_instruction": gettext_lazy("Say what the person is to do."),
    "text_too_long": gettext_lazy("WhatsApp takes at most 4,096 characters."),
    "caption_too_long": gettext_lazy("Under a file WhatsApp takes at most 1,024 characters."),
    "options_file": gettext_lazy("Choices go with a text alone. Take the file out, or send it as another step."),
    "options_alone": gettext_lazy("Write the text that the choices answer."),
    "form_alone": gettext_lazy("Write the text above the form's button."),
    "form_with": gettext_lazy("A form goes with a text alone. Take the rest out, or send it as another step."),
    "goes_alone": gettext_lazy("A location or a contact goes alone. Take the rest out, or send it as another step."),
    "card_unreadable_phone": gettext_lazy("This is no phone number. Write it with its country code, like +51 …"),
    **{
        fault: sentence(fault)
        for fault in (
            cards.NO_NAME,
            places.NO_POINT,
            places.NAME_TOO_LONG,
            interactive.TOO_MUCH_SAID,
            interactive.WRONG_COUNT,
            interactive.WRONG_TITLE,
            interactive.WRONG_LABEL,
            interactive.WRONG_LINK,
            interactive.WRONG_FLOW_LABEL,
        )
    },
    "audio_text": gettext_lazy("A sound has no text. Take the text out, or send it as another step."),
    "delay": gettext_lazy("The waiting time is a whole number, at most a year."),
}


def action_words(action: str) -> str:
    return str(_ACTIONS.get(action, action))


def why_words(why: str) -> str:
    """A sentence for a reason; empty for none."""
    return str(_WHY.get(why, why))


def delay_words(delay: Delay) -> str:
    """“at once”, “2 hours later”, “3 days later at 10:00”, “next Tuesday at 10:00”."""
    if delay.weekday is not None:
        return _("next %(day)s at %(time)s") % {"day": weekday_name(delay.weekday), "time": delay.at}
    if not delay.count and not delay.at:
        return _("at once")
    if delay.unit is Unit.MINUTES:
        span = ngettext("%(count)d minute later", "%(count)d minutes later", delay.count) % {"count": delay.count}
    elif delay.unit is Unit.HOURS:
        span = ngettext("%(count)d hour later", "%(count)d hours later", delay.count) % {"count": delay.count}
    elif not delay.count:
        span = _("the same day")
    else:
        span = ngettext("%(count)d day later", "%(count)d days later", delay.count) % {"count": delay.count}
    if delay.unit is Unit.DAYS and delay.at:
        return _("%(span)s at %(time)s") % {"span": span, "time": delay.at}
    return span


def weekday_name(day: int) -> str:
    return date_format(datetime(2026, 11, 23 + day), "l")  # noqa: DTZ001 - a Monday and the days after it


def facts_words(facts: dict[str, Any]) -> list[str]:
    """The facts that a decision was made from, each as a short line."""
    lines = []
    if until := _moment(facts.get("window_until")):
        lines.append(_("window until %(moment)s") % {"moment": until})
    elif "window_until" in facts:
        lines.append(_("no window: the customer never wrote"))
    if due := _moment(facts.get("due_at")):
        lines.append(_("due %(moment)s") % {"moment": due})
    if replied := _moment(facts.get("replied_at")):
        lines.append(_("replied %(moment)s") % {"moment": replied})
    if facts.get("template"):
        lines.append(_("template %(name)s") % {"name": facts["template"]})
    if facts.get("variant"):
        lines.append(_("wording %(number)s") % {"number": "ABCDEFGH"[int(facts["variant"]) - 1]})
    if "spent" in facts:
        lines.append(_("cost so far %(amount)s") % {"amount": facts["spent"]})
    if "price" in facts:
        lines.append(_("price %(amount)s") % {"amount": facts["price"]})
    if facts.get("by"):
        lines.append(_("by %(name)s") % {"name": facts["by"]})
    if facts.get("held_because"):
        lines.append(_("held back because: %(reason)s") % {"reason": why_words(facts["held_because"])})
    if facts.get("error"):
        lines.append(str(sentence(facts["error"])))
    if "budget_left" in facts:
        lines.append(_("left of the budget %(amount)s") % {"amount": facts["budget_left"]})
    if facts.get("zone"):
        lines.append(_("time zone %(zone)s") % {"zone": facts["zone"]})
    return lines


def _moment(text: Any) -> str:
    try:
        return date_format(timezone.localtime(datetime.fromisoformat(text)), "SHORT_DATETIME_FORMAT")
    except (TypeError, ValueError):
        return ""


_PAUSES: dict[str, Any] = {
    Pause.BY_HAND: gettext_lazy("Somebody here paused it."),
    Pause.FAILURES: gettext_lazy("Too many messages failed. Look at why before you go on."),
    Pause.BLOCKS: gettext_lazy("Several people have probably blocked the number since it began."),
    Pause.QUALITY: gettext_lazy("Meta rates the number worse than when it began."),
    Pause.BUDGET: gettext_lazy("This month’s budget is spent."),
    Pause.TEMPLATE: gettext_lazy("Meta does not accept the template any more."),
    Pause.NUMBER: gettext_lazy("The number cannot send at the moment."),
}
_SKIPS: dict[str, Any] = {
    Skip.NOT_A_PHONE: gettext_lazy("This is not a phone number."),
    Skip.TWICE: gettext_lazy("This person is on the list already."),
    Skip.EMPTY: gettext_lazy("There is nothing for the variable: %(detail)s"),
    Skip.OPTED_OUT: gettext_lazy("This person stopped our marketing messages."),
    Skip.BLOCKED: gettext_lazy("They have probably blocked this number."),
    Skip.CANCELLED: gettext_lazy("The broadcast was cancelled before."),
    Skip.ERASED: gettext_lazy("This person was erased."),
}
_LIST_FAULTS: dict[str, Any] = {
    "empty": gettext_lazy("The file has no rows."),
    "no_phone_column": gettext_lazy("The first line must name the columns, one of them “phone”."),
    "too_many_rows": gettext_lazy("The file has more than 100,000 rows. Send it in parts."),
    "too_many_columns": gettext_lazy("The file has more than 30 columns. Leave out what is not needed."),
}


def pause_words(reason: str) -> str:
    """Why a broadcast paused; empty where it did not."""
    return str(_PAUSES.get(reason, ""))


def fate_words(recipient: Recipient) -> str:
    """Why somebody on a list got nothing, or why their message failed; empty where all is well."""
    if recipient.message and recipient.message.error_reason:
        return str(sentence(recipient.message.error_reason, recipient.message.error_code))
    if not recipient.reason:
        return ""
    found = _SKIPS.get(recipient.reason)
    return str(found) % {"detail": recipient.detail} if found else str(sentence(recipient.reason))


def list_fault_words(reason: str) -> str:
    """Why a file cannot be read as a list, and what to do."""
    return str(_LIST_FAULTS.get(reason, reason))
