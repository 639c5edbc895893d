"""Who changed what of a contact, read from its audit: each entry keeps the row as it was before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Contact
from tenants.models import Membership
from whatsapp import phones

_SHOWN = 20
_FIELDS = {
    "name": gettext_lazy("name"),
    "email": gettext_lazy("e-mail"),
    "phone": gettext_lazy("phone"),
    "username": gettext_lazy("username"),
    "labels": gettext_lazy("labels"),
    "attributes": gettext_lazy("attributes"),
    "timezone": gettext_lazy("time zone"),
    "marketing_stopped": gettext_lazy("marketing"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `who` is empty where nobody of ours did it; `changes` are (what, before, after)."""

    at: datetime
    who: str
    changes: list[tuple[Any, str, str]]


def of(contact: Contact) -> list[Entry]:
    """The newest changes, the last one on top."""
    events = list(contact.history.order_by("-pgh_created_at", "-pgh_id")[:_SHOWN])  # type: ignore[attr-defined]
    who = _people(events)
    entries, after = [], contact
    for event in events:
        changes = [
            (title, _said(name, getattr(event, name)), _said(name, getattr(after, name)))
            for name, title in _FIELDS.items()
            if getattr(event, name) != getattr(after, name)
        ]
        if changes:
            entries.append(Entry(event.pgh_created_at, who.get(_user_of(event), ""), changes))
        after = event
    return entries


def _people(events: list[Any]) -> dict[str, str]:
    ids = {user for event in events if (user := _user_of(event))}
    members = Membership.objects.filter(user__in=ids).select_related("user") if ids else []
    return {str(member.user_id): str(member) for member in members}


def _user_of(event: Any) -> str:
    context = event.pgh_context if isinstance(event.pgh_context, dict) else {}
    return str(context.get("user") or "")


def _said(name: str, value: Any) -> str:
    if name == "marketing_stopped":
        return _("stopped") if value else _("not stopped")
    if name == "phone":
        return phones.display(value) if value else ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return str(value or "")
