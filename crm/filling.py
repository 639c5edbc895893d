"""What a template's variables hold before a person writes: the contact's own, as far as it is known."""

import re
from typing import Any

from crm.models import Contact
from whatsapp.models import Template

MOST_PREFILLED = 200
_PLACE = re.compile(r"\{\s*([^{}]{1,60}?)\s*\}")


def places_of(contact: Contact) -> dict[str, str]:
    """The contact's attributes and names by the words that stand for them, in small letters; names in our languages."""
    name = contact.name or contact.profile_name
    own = {str(key).strip().casefold(): str(value) for key, value in contact.attributes.items()}
    first, phone = name.split(" ")[0], f"+{contact.phone}" if contact.phone else ""
    return (
        own
        | dict.fromkeys(("name", "nombre", "nome", "full_name", "nombre_completo"), name)
        | dict.fromkeys(("first_name", "primer_nombre", "primeiro_nome"), first)
        | dict.fromkeys(("phone", "telefono", "teléfono", "telefone"), phone)
    )


def prefilled(template: Template, contact: Contact) -> dict[str, str]:
    """A value for each variable of the body: as the template says, else what the contact has of this name.

    The first of numbered variables is the first name, unless the template says otherwise: so most are written.
    """
    places = places_of(contact)
    values: dict[str, str] = {}
    for name in template.variables:
        if said := template.prefilled.get(name):
            values[name] = _written(str(said), places)
        else:
            values[name] = places.get("first_name" if name == "1" else name.casefold(), "")
    return {name: " ".join(value.split()) for name, value in values.items()}


def _written(text: str, places: dict[str, Any]) -> str:
    return _PLACE.sub(lambda place: places.get(place[1].casefold(), ""), text)
