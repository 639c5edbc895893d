"""What our people and the product did with a conversation, as sentences."""

from datetime import datetime

from django.utils.translation import gettext as _

from crm.models import Activity, ActivityKind
from crm.templatetags.inbox import moment_in_words

_ACTIVITIES = {
    ActivityKind.ASSIGNED: lambda: _("%(actor)s assigned it to %(assignee)s"),
    ActivityKind.UNASSIGNED: lambda: _("%(actor)s released it"),
    ActivityKind.TRANSFERRED: lambda: _("%(actor)s transferred it to %(queue)s"),
    ActivityKind.CLOSED: lambda: _("%(actor)s closed the conversation"),
    ActivityKind.REOPENED: lambda: _("%(actor)s reopened the conversation"),
    ActivityKind.SNOOZED: lambda: _("%(actor)s put it aside until %(until)s"),
    ActivityKind.WOKEN: lambda: _("It is back: the time put aside is over"),
    ActivityKind.SUSPECTED: lambda: _("They have probably blocked this number: %(percent)s"),
    ActivityKind.REACHED: lambda: _("They were reached again: the suspicion of a block is over"),
    ActivityKind.DISMISSED: lambda: _("%(actor)s says that they have not blocked us"),
    ActivityKind.CONFIRMED: lambda: _("%(actor)s says that they have blocked us"),
    ActivityKind.OPTED_OUT: lambda: _("They wrote “%(word)s”: they get no more marketing from us"),
    ActivityKind.OPTED_IN: lambda: _("They wrote “%(word)s”: they take our marketing again"),
    ActivityKind.MERGED: lambda: _("%(actor)s merged %(name)s into this contact"),
}


def activity_words(activity: Activity, now: datetime) -> str:
    """“Ana closed the conversation”."""
    sentence_of = _ACTIVITIES.get(ActivityKind(activity.kind))
    if sentence_of is None:
        return activity.get_kind_display()
    facts = activity.facts
    if activity.kind == ActivityKind.ASSIGNED and activity.actor and facts.get("assignee") == str(activity.actor):
        return _("%(actor)s took it") % {"actor": activity.actor}
    words = sentence_of() % {
        "actor": activity.actor or _("Ventana"),
        "assignee": facts.get("assignee", ""),
        "queue": facts.get("queue", ""),
        "until": _moment(facts.get("until", ""), now),
        "percent": facts.get("percent", ""),
        "word": facts.get("word", ""),
        "name": facts.get("name", ""),
    }
    has_both = activity.kind == ActivityKind.TRANSFERRED and facts.get("assignee")
    return f"{words} · {facts['assignee']}" if has_both else words


def _moment(text: str, now: datetime) -> str:
    try:
        return moment_in_words(datetime.fromisoformat(text), now)
    except ValueError:
        return text
