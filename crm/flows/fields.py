"""A form's fields are the contact's: `name` is the name, every other an attribute of the same name.

A form reads and writes only what it asks for: nobody changes an attribute that no field of the Flow is called after.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from crm.models import Contact
from whatsapp.flows.forms import Field, Form, Screen

NAME = "name"
_MOST_TEXT, _MOST_NAME, _MOST_CHOICES = 1_000, 200, 50
_SEVERAL = frozenset({"CheckboxGroup", "ChipsSelector"})
_SEPARATOR = ", "


def known(contact: Contact, form: Form, names: frozenset[str]) -> dict[str, Any]:
    """What we know of the person under these names, as the form takes it; empty for what we do not know."""
    found: dict[str, Any] = {}
    for name in names & set(form.fields):
        value = contact.name or contact.profile_name if name == NAME else contact.attributes.get(name, "")
        if form.fields[name].kind in _SEVERAL and isinstance(value, str):
            value = [part for part in value.split(_SEPARATOR) if part]
        found[name] = value
    return found


def asked(form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that the form asks for, as they may be stored; whatever else was sent is left out."""
    return {name: value for name in form.fields if (value := _storable(given.get(name))) is not None}


def fault(screen: Screen, values: Mapping[str, Any], *, today: date) -> str:
    """What the person should correct on this screen, said to them; empty when it can be taken."""
    for field in screen.fields:
        value = values.get(field.name)
        if field.is_required and field.name in values and value in ("", []):
            return _("Please fill in: %(field)s") % {"field": field.label}
        if isinstance(value, str) and value and (said := _fault_of(field, value, today)):
            return said
    return ""


def changes(contact: Contact, values: Mapping[str, Any]) -> dict[str, Any]:
    """The contact's fields as the answers make them, those that differ; an empty answer forgets, but never the name."""
    found: dict[str, Any] = {}
    attributes = dict(contact.attributes)
    for name, value in values.items():
        if name == NAME:
            if isinstance(value, str) and value and value[:_MOST_NAME] != contact.name:
                found["name"] = value[:_MOST_NAME]
        elif value in ("", []):
            attributes.pop(name, None)
        else:
            attributes[name] = _SEPARATOR.join(value) if isinstance(value, list) else value
    return found | ({"attributes": attributes} if attributes != contact.attributes else {})


def _fault_of(field: Field, value: str, today: date) -> str:
    if field.input_type == "email":
        try:
            validate_email(value)
        except ValidationError:
            return _("This does not look like an e-mail address: %(value)s") % {"value": value[:60]}
    if field.kind == "DatePicker":
        try:
            chosen = date.fromisoformat(value)
        except ValueError:
            return _("Please choose a date: %(field)s") % {"field": field.label}
        if field.name == "birthday" and chosen > today:
            return _("This date lies in the future: %(field)s") % {"field": field.label}
    return ""


def _storable(value: Any) -> Any:
    """The value within bounds and safe for PostgreSQL; None for what is no answer."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return str(value)[:_MOST_TEXT]
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "ignore").decode().strip()[:_MOST_TEXT]
    if isinstance(value, list):
        parts = [_storable(each) for each in value[:_MOST_CHOICES] if isinstance(each, str | int | float)]
        return [part for part in parts if isinstance(part, str) and part]
    return None
