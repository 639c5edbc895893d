"""What a template's variables hold before a person writes: the contact's own, as far as it is known."""

from crm.blanks import blanks_for, filled
from crm.models import Contact
from whatsapp.models import Template

MOST_PREFILLED = 200


def prefilled(template: Template, contact: Contact) -> dict[str, str]:
    """A value for each variable of the body: as the template says, else what the contact has of this name.

    The first of numbered variables is the first name, unless the template says otherwise: so most are written.
    """
    blanks = blanks_for(contact)
    values: dict[str, str] = {}
    for name in template.variables:
        if said := template.prefilled.get(name):
            values[name] = filled(str(said), blanks)
        else:
            values[name] = str(blanks.get("first_name" if name == "1" else name.casefold(), ""))
    return {name: " ".join(value.split()) for name, value in values.items()}
