"""`{first_name}` and the like in what is prepared beforehand: filled with what is known of the person it goes to."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm.models import Contact

# The words that stand for what every contact may have, in our languages.
_NAME = ("name", "nombre", "nome", "full_name", "nombre_completo")
_FIRST_NAME = ("first_name", "primer_nombre", "primeiro_nome")
_PHONE = ("phone", "telefono", "teléfono", "telefone")


def blanks_for(contact: "Contact") -> dict[str, Any]:
    """The contact's own attributes, and their name, first name and phone (digits), by small letters."""
    name = contact.name or contact.profile_name
    return {
        **{str(key).strip().casefold(): value for key, value in contact.attributes.items()},
        **dict.fromkeys(_NAME, name),
        **dict.fromkeys(_FIRST_NAME, name.split(" ")[0]),
        **dict.fromkeys(_PHONE, contact.phone),
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
        parts.append(before + str(blanks.get(name.strip().casefold(), "")))
        rest = tail
    return "".join(parts) + rest
