"""Every alert in words: what is so, what solves it, and the page where that is done. For the pages, the admin and mail."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import budgets, erasing, silences
from crm.explanations import sentence
from crm.inbound import groups
from tenants.alerts import Words, about
from tenants.audit import watching as history_watching
from tenants.models import Alert
from whatsapp import checking, health, template_alerts, watching
from whatsapp.errors import Reason, classify
from whatsapp.flows import keys as flow_keys
from whatsapp.flows import watching as flow_watching
from whatsapp.meta_words import said
from whatsapp.models import Number

Writer = Callable[[Alert, str, dict[str, Any]], Words]


def words_of(alert: Alert) -> Words | None:
    """The alert's words in the reader's language; None for a kind that has none here."""
    writer = _WRITERS.get(alert.kind)
    return writer(alert, about(alert), alert.facts) if writer else None


def _page(alert: Alert) -> str:
    """The page of the number that the alert is about; the list of numbers when its subject is none."""
    try:
        return reverse("number", args=[UUID(alert.subject)])
    except ValueError:
        return reverse("numbers")


def _without_queue(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("%(number)s has no queue") % {"number": name},
        name,
        _("Its conversations wait in triage, and nobody is told. Choose who answers it."),
        _("Choose a queue"),
        _page(alert),
    )


def _paused(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("%(number)s is paused") % {"number": name},
        name,
        f"{sentence(str(facts.get('reason', '')))} " + _("What is waiting is sent once that is done."),
        _("See what is missing"),
        _page(alert),
    )


def _refused(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("Meta refuses the token of %(number)s") % {"number": name},
        name,
        _("It expired or was revoked, and the number is paused. Paste a new one; what is waiting is sent then."),
        _("Paste a token"),
        f"{_page(alert)}#token",
    )


def _expires(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("The token of %(number)s expires on %(date)s") % {"number": name, "date": _date(facts.get("expires_at"))},
        name,
        _(
            "Generate a new one in Meta, Business settings › Users › System users, and paste it before that day. One of a"
            " system user is renewed by itself when the app's id and secret are configured."
        ),
        _("Paste a token"),
        f"{_page(alert)}#token",
    )


def _cannot_send(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    told = " ".join(str(problem) for problem in facts.get("problems") or ())
    return Words(
        _("%(number)s cannot send") % {"number": name},
        name,
        told or _("Meta blocks it, or does not know it. See what is missing."),
        _("See what is missing"),
        _page(alert),
    )


def _not_subscribed(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("Nobody hears what is written to %(number)s") % {"number": name},
        name,
        _("The app is not subscribed to its WhatsApp account: messages arrive at Meta and stay there. Subscribe it."),
        _("Subscribe"),
        _page(alert),
    )


def _silent(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    minutes, every = int(facts.get("minutes") or 0), int(facts.get("every") or 1)
    length = _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}
    if minutes < 60:
        length = _("%(minutes)d min") % {"minutes": minutes}
    usual = ngettext("At this hour one comes every minute.", "At this hour one comes every %(count)d minutes.", every)
    return Words(
        _("%(number)s has heard nothing for %(length)s") % {"number": name, "length": length},
        name,
        f"{usual % {'count': every}} " + _("Sending works; there may be messages that we do not see."),
        _("Test the webhook"),
        _page(alert),
    )


def _low_quality(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    is_red = facts.get("quality") == "RED"
    title = _("The quality of %(number)s is low") if is_red else _("The quality of %(number)s has dropped to medium")
    return Words(
        title % {"number": name},
        name,
        _("Too many people blocked or reported it. Send fewer templates, and only to who asked for them."),
        _("See its history"),
        _page(alert),
    )


def _lower_limit(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("%(number)s may begin fewer conversations a day than before") % {"number": name},
        name,
        _("Meta lowered its limit. Improve its quality before you send another broadcast."),
        _("See its history"),
        _page(alert),
    )


def _name_rejected(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("Meta rejected the display name of %(number)s") % {"number": name},
        name,
        _("Choose a name that shows your company, in WhatsApp manager › Phone numbers."),
        _("See its history"),
        _page(alert),
    )


def _restricted(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    details = ", ".join(said(str(each)) for each in facts.get("details") or () if each)
    advice = _("Ask for a review in WhatsApp manager › Account quality; some messages do not go until it is over.")
    return Words(
        _("Meta restricted the account of %(number)s") % {"number": name},
        name,
        f"{advice} ({details})" if details else advice,
        _("See its history"),
        _page(alert),
    )


# Why the phone that shares a number is no longer connected (Cloud API, webhook `account_update`, `disconnection_info`).
_DISCONNECTIONS: dict[str, Callable[[], str]] = {
    "ACCOUNT_DISCONNECTED": lambda: _("Somebody disconnected it in the WhatsApp Business app."),
    "BUSINESS_DOWNGRADE": lambda: _("Its phone uses plain WhatsApp now. Install WhatsApp Business on it again."),
    "CHANGE_NUMBER": lambda: _("Its phone has another number now. Connect that one, or change it back."),
    "COMPANION_INACTIVITY": lambda: _("Its connection was not used for about 30 days."),
    "PRIMARY_INACTIVITY": lambda: _(
        "Nobody opened WhatsApp Business on its phone for about 14 days. Open it there every few days."
    ),
    "USER_RE_REGISTERED": lambda: _("WhatsApp Business was set up anew on its phone."),
}


def _disconnected(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    known = _DISCONNECTIONS.get(str(facts.get("reason", "")))
    why = known() if known else _("Meta no longer lets this app use it.")
    return Words(
        _("%(number)s is no longer connected") % {"number": name},
        name,
        f"{why} "
        + _(
            "Nothing is sent or received until it is connected again: with a phone, in the app, Settings › Account ›"
            " Business platform; without one, by giving the app access to the account in Meta's business settings."
        ),
        _("See what is missing"),
        _page(alert),
    )


def _account_warning(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    details = ", ".join(said(str(each)) for each in facts.get("details") or () if each)
    advice = _("Read what Meta says in WhatsApp manager › Account quality, and mark this as seen.")
    return Words(
        _("Meta warns about the account of %(number)s") % {"number": name},
        name,
        f"{advice} ({details})" if details else advice,
        _("See its history"),
        _page(alert),
    )


def _pin(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("The PIN of %(number)s was changed or asked for") % {"number": name},
        name,
        _("If it was one of you, mark this as seen. If not, change it in WhatsApp manager › Two-step verification."),
        _("See its history"),
        _page(alert),
    )


# What to do about an error of the whole number, by what Meta's code means.
_ERRORS: dict[Reason, Callable[[], str]] = {
    Reason.AUTH: lambda: _("Look at the number's token and its permissions, and paste a new one if Meta refuses it."),
    Reason.BILLING: lambda: _("Give the account a payment method that works, in Meta's business settings › Billing."),
    Reason.POLICY: lambda: _("Read in WhatsApp manager › Account quality what Meta objects to, and ask for a review."),
    Reason.QUALITY: lambda: _("Send fewer templates, and only to who asked for them, until its quality is back."),
    Reason.NOT_REGISTERED: lambda: _("See what is missing, and register the number again."),
    Reason.RATE_NUMBER: lambda: _("It sends faster than Meta allows. What is waiting goes by itself, more slowly."),
    Reason.RATE_API: lambda: _("Meta limits the app's calls for a while. Nothing has to be done unless it goes on."),
    Reason.TRANSIENT: lambda: _(
        "Meta failed, and what somebody wrote at that moment may be missing here. Ask them to send it again; if it goes on,"
        " look at Meta's status page."
    ),
}


def _strange_error() -> str:
    return _("Look up its code among Meta's error codes, and mark this as seen once it is clear.")


def _errors(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    codes = [code if isinstance(code, int) else None for code in facts.get("codes") or (None,)]
    known = dict.fromkeys(_ERRORS.get(classify("cloud", code), _strange_error) for code in codes)
    advice = " ".join(say() for say in known)
    details = ", ".join(str(each) for each in facts.get("details") or ())
    return Words(
        _("Meta reports an error with %(number)s") % {"number": name},
        name,
        f"{details}. {advice}" if details else advice,
        _("See its history"),
        _page(alert),
    )


def _file(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("The file of connected numbers cannot be read"),
        name,
        _("Numbers stay as they were. Look at what writes the file: %(reason)s") % {"reason": facts.get("reason", "")},
        _("See the numbers"),
        reverse("numbers"),
    )


def _template(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("Meta stopped the template %(name)s") % {"name": facts.get("template", "")},
        str(facts.get("language", "")),
        _("Nothing is sent with it. Read why, and change it or choose another one."),
        _("See the template"),
        reverse("template", args=[UUID(alert.subject)]),
    )


def _flow_held_back(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("Meta holds back the form %(name)s") % {"name": facts.get("flow", "")},
        str(facts.get("status", "")).lower(),
        _("It is sent less or not at all until its endpoint answers well again."),
        _("See the form"),
        reverse("flow", args=[UUID(alert.subject)]),
    )


def _flow_unwell(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    events = ", ".join(str(event).replace("_", " ").lower() for event in facts.get("events") or ())
    return Words(
        _("The form %(name)s answers slowly or wrongly") % {"name": facts.get("flow", "")},
        events,
        _("See what Meta measured; if it goes on, Meta holds the form back."),
        _("See the form"),
        reverse("flow", args=[UUID(alert.subject)]),
    )


def _flow_key(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("WhatsApp has another key for the forms of %(number)s") % {"number": name},
        name,
        _("What people fill in cannot be opened. Upload the number's key again."),
        _("See the keys"),
        reverse("flows"),
    )


def _groups(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    number = Number.objects.filter(pk=alert.subject).first()
    return Words(
        _("Somebody writes to %(number)s in a group") % {"number": number or name},
        str(number or name),
        _("Groups are not answered from here, and their messages are in no conversation. Read them on the phone."),
        _("See the number"),
        _page(alert),
    )


def _budget(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    used = facts | {"used": facts.get("used", "")}
    if alert.kind == budgets.REACHED:
        title, advice = _("This month's budget is used up"), _("What goes out by itself waits. Raise it, or wait.")
    else:
        title, advice = _("%(used)s of this month's budget is used") % used, _("Raise it, or send fewer templates.")
    spent = "{} / {} {}".format(facts.get("spent", "?"), facts.get("limit", "?"), facts.get("currency", ""))
    return Words(title, spent.strip(), advice, _("See the costs"), reverse("dashboard"))


def _tampered(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    count = int(facts.get("count") or 0)
    found = ngettext(
        "%(count)d row or entry is not what was sealed.", "%(count)d rows or entries are not what was sealed.", count
    )
    return Words(
        _("Somebody with the database has touched the history of changes"),
        str(facts.get("company") or name),
        f"{found % {'count': count}} "
        + _("“manage.py verify_audit” names each. Find out who has the database, and keep its backups."),
        _("See the alerts"),
        reverse("admin:tenants_alert_changelist"),
    )


def _erasure(alert: Alert, name: str, facts: dict[str, Any]) -> Words:
    return Words(
        _("An erasure is not complete after a day"),
        _("Asked for on %(date)s") % {"date": _date(facts.get("asked_at"))},
        _(
            "It is tried again every few seconds and does not come through. Tell whoever runs Ventana: the workers’ log says"
            " why, under “erasure not gone on with”. It need not be asked for again."
        ),
        _("See the erasures"),
        reverse("erasures"),
    )


_WRITERS: dict[str, Writer] = {
    checking.WITHOUT_QUEUE: _without_queue,
    checking.PAUSED: _paused,
    checking.TOKEN_REFUSED: _refused,
    checking.TOKEN_EXPIRES: _expires,
    checking.CANNOT_SEND: _cannot_send,
    health.NOT_SUBSCRIBED: _not_subscribed,
    silences.SILENT: _silent,
    health.LOW_QUALITY: _low_quality,
    health.LOWER_LIMIT: _lower_limit,
    health.NAME_REJECTED: _name_rejected,
    health.RESTRICTED: _restricted,
    health.DISCONNECTED: _disconnected,
    health.ACCOUNT_WARNING: _account_warning,
    health.PIN_ASKED: _pin,
    health.ERRORS: _errors,
    watching.UNUSABLE_FILE: _file,
    groups.GROUPS: _groups,
    template_alerts.STOPPED: _template,
    flow_watching.HELD_BACK: _flow_held_back,
    flow_watching.UNWELL: _flow_unwell,
    flow_keys.WRONG_KEY: _flow_key,
    erasing.LATE: _erasure,
    budgets.WARNED: _budget,
    budgets.REACHED: _budget,
    history_watching.TAMPERED: _tampered,
}


def _date(moment: Any) -> str:
    read: datetime | None = parse_datetime(str(moment or ""))
    return date_format(timezone.localtime(read), "SHORT_DATE_FORMAT") if read else "?"
