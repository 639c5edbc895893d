"""`{first_name}` and the like in what is prepared beforehand: filled with what is known of the person it goes to."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm.models import Contact


def blanks_for(contact: "Contact") -> dict[str, Any]:
    """The contact's name, first name, phone and own attributes."""
    name = contact.name or contact.profile_name
    return {
        **contact.attributes,
        "name": name,
        "nombre": name,
        "first_name": name.split(" ")[0],
        "phone": contact.phone,
    }


def filled(text: str, blanks: dict[str, Any]) -> str:
    """`{name}` and the like become the contact's own; a blank nobody knows stays empty, and nothing else is read."""
    parts = []
    rest = text
    while "{" in rest:
        before, _brace, after = rest.partition("{")
        name, closing, tail = after.partition("}")
        if not closing or len(name) > 60 or "{" in name:
            parts.append(before + "{")
            rest = after
            continue
        parts.append(before + str(blanks.get(name.strip(), "")))
        rest = tail
    return "".join(parts) + rest
