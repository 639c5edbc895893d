"""Moments, spans and states of the inbox in words and shapes; `{% load inbox %}`."""

from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from crm import costs
from crm.models import Contact, Conversation
from crm.templatetags.drawing import drawn
from crm.views.counting import Counters
from crm.views.filters import Filters, Mode
from tenants.models import Membership
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Number, Template
from whatsapp.pricing import Category, category_of
from whatsapp.window import Panes, Window

register = template.Library()


@register.filter
def window_at(conversation: Conversation, now: datetime) -> Window | None:
    """The conversation's window at this moment; None where the provider knows no window."""
    return conversation.window(now) if CAPABILITIES[conversation.number.provider].has_window else None


@register.simple_tag
def price(conversation: Conversation, now: datetime, template: Template | None = None) -> str:
    """What a reply costs now, or a template: “US$0.0300”, “unknown price”; empty where the provider charges nothing."""
    if not hasattr(conversation, "billed_in"):
        conversation.billed_in = costs.currency_of(conversation.tenant_id)  # type: ignore[attr-defined]
    category = category_of(template.category) if template else Category.SERVICE
    found = costs.price_of(conversation, category, now, conversation.billed_in)  # type: ignore[attr-defined]
    return costs.in_words(found.amount, found.currency) if found.is_priced else ""


@register.filter
def win(window: Window) -> SafeString:
    """The window as four small panes and the time left."""
    glass = window.panes()
    return drawn(
        "crm/inbox/_win.html",
        state=str(window.state),
        value=str(glass.value),
        max=str(glass.max),
        left=span_short(window.remaining) if window.is_open else "",
    )


@register.filter
def avatar(contact: Contact) -> SafeString:
    return drawn("crm/inbox/_avatar.html", initials=contact.initials, tone=str(contact.tone))


@register.filter
def owner(assignee: Membership | None, me: Membership) -> SafeString:
    """Initials in a square; one's own stand out, and nobody's is an empty one."""
    if assignee is None:
        return drawn("crm/inbox/_owner.html", name="")
    return drawn("crm/inbox/_owner.html", name=str(assignee), initials=assignee.initials, is_me=assignee.pk == me.pk)


@register.filter
def status_flag(conversation: Conversation, now: datetime) -> SafeString:
    """What a row says of a conversation that is not open."""
    until = moment_in_words(conversation.snoozed_until, now) if conversation.snoozed_until else ""
    return drawn("crm/inbox/_row_status.html", status=str(conversation.status), until=until)


@register.filter
def iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


@register.filter
def panes(window: Window, count: int) -> Panes:
    return window.panes(count)


@register.filter
def span(length: timedelta) -> str:
    """“11 h 20 min”, “38 min”, “3 d 4 h”: rounded down, so that nobody counts on more than there is."""
    minutes = int(length.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60, minutes % 60
    if days >= 2:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours % 24}
    if hours and rest:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest}
    if hours:
        return _("%(hours)d h") % {"hours": hours}
    return _("%(minutes)d min") % {"minutes": minutes} if minutes else _("less than 1 min")


@register.filter
def span_short(length: timedelta) -> str:
    """“11 h 20”, for a row."""
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    return f"{hours} h {minutes:02}" if hours else span(length)


@register.filter
def since(moment: datetime | None, now: datetime) -> timedelta:
    return max(now - moment, timedelta(0)) if moment else timedelta(0)


@register.filter
def row_time(moment: datetime | None, now: datetime) -> str:
    """“now”, “5 min”, “08:52”, “yesterday”, “Sat”, “12 Aug”: as short as it stays clear."""
    if moment is None:
        return ""
    age = now - moment
    if age < timedelta(minutes=1):
        return _("now")
    if age < timedelta(hours=1):
        return _("%(minutes)d min") % {"minutes": age // timedelta(minutes=1)}
    here, today = timezone.localtime(moment), timezone.localdate(now)
    days = (today - here.date()).days
    if days == 0:
        return f"{here:%H:%M}"
    if days == 1:
        return _("yesterday")
    if days < 7:
        return _dated(here, "D")
    return _dated(here, _("j M")) if days < 300 else date_format(here, "SHORT_DATE_FORMAT")


@register.filter
def day_title(day: date, now: datetime) -> str:
    """“Today, Monday 24 November”, “Yesterday, …”, then without the word, then with the year."""
    days = (timezone.localdate(now) - day).days
    written = _dated(day, _("l j F") if days < 300 else _("l j F Y"))
    if days == 0:
        return _("Today, %(day)s") % {"day": written}
    if days == 1:
        return _("Yesterday, %(day)s") % {"day": written}
    return capfirst(written)


@register.filter
def clock_time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%H:%M}"


@register.filter
def moment_in_words(moment: datetime, now: datetime) -> str:
    """“today 20:34”, “tomorrow 09:00”, “Saturday 22 Nov 14:00”."""
    here = timezone.localtime(moment)
    days = (here.date() - timezone.localdate(now)).days
    named = {0: _("today"), 1: _("tomorrow"), -1: _("yesterday")}.get(days)
    form = _("D j M") if abs(days) < 300 else _("j M Y")
    return f"{named or _dated(here, form)} {here:%H:%M}"


def _dated(day: date, form: str) -> str:
    """Names of days and months as they stand within a sentence: Spanish and Portuguese write them small."""
    written = date_format(day, form)
    return written if (get_language() or "en").startswith("en") else written.lower()


@register.filter
def tone(thing: Any) -> str:
    """1–8: the colour of one of our numbers, the same for ever and always beside its name."""
    return str(thing.id.int % 8 + 1)


@register.filter
def known_by(number: Number) -> str:
    return number.alias or number.display_number


@register.filter
def capped(count: int, most: int = 999) -> str:
    return f"{most}+" if count > most else str(count)


@register.filter
def unread_words(count: int) -> str:
    return ngettext("%(count)d unread", "%(count)d unread", count) % {"count": count}


@register.filter
def count_of(counters: Counters, section: str) -> str:
    return capped(getattr(counters, section))


@register.filter
def unlocalised(number: float) -> str:
    return repr(number)


@register.simple_tag
def get_mode_tabs(filters: Filters, counters: Counters) -> list[dict[str, Any]]:
    """The work modes as tabs, each with its count and the address that keeps the other filters."""
    shown = (
        (Mode.ANSWER, _("To answer"), counters.answer, "unread"),
        (Mode.SOON, _("Running out"), counters.soon, "warn"),
        (Mode.TRIAGE, _("Triage"), counters.triage, ""),
        (Mode.ALL, _("All"), counters.all, ""),
    )
    return [
        {
            "name": name,
            "count": count,
            "kind": kind,
            "is_here": filters.mode == mode,
            "query": filters.in_mode(mode).query,
        }
        for mode, name, count, kind in shown
    ]
