"""Cards of people to get in touch with, in WhatsApp's shape (Cloud API, "Contacts messages")."""

from typing import Any

from whatsapp import phones
from whatsapp.outgoing import Contacts

MOST_CARDS, MOST_NAME = 257, 512
# What is wrong with one; `crm.explanations` says it to a person.
NO_CARD, NO_NAME, NO_PHONE = "card_none", "card_name", "card_phone"


def card(*, name: str, phone: str, company: str = "", email: str = "", country: str | None = None) -> dict[str, Any]:
    """A card with one phone; `country` reads a phone without its country code. Raises NotAPhone.

    `wa_id` is what lets WhatsApp offer to write to the person; where there is no WhatsApp behind it, it offers to invite.
    """
    digits = phones.normalise(phone, country)
    first, _space, last = name.strip().partition(" ")
    made: dict[str, Any] = {
        "name": {"formatted_name": name.strip(), "first_name": first} | ({"last_name": last} if last else {}),
        "phones": [{"phone": f"+{digits}", "wa_id": digits, "type": "CELL"}],
    }
    if company.strip():
        made["org"] = {"company": company.strip()}
    if email.strip():
        made["emails"] = [{"email": email.strip(), "type": "WORK"}]
    return made


def fault(content: Contacts) -> str:
    """What WhatsApp would refuse, as one of the words above; empty where it is well formed.

    Beside the formatted name Meta wants one more part of the name (error 131009 otherwise).
    """
    if not 1 <= len(content.contacts) <= MOST_CARDS:
        return NO_CARD
    for each in content.contacts:
        name, numbers = each.get("name"), each.get("phones", [])
        if not isinstance(name, dict) or not 1 <= len(str(name.get("formatted_name") or "").strip()) <= MOST_NAME:
            return NO_NAME
        if not any(str(text).strip() for part, text in name.items() if part != "formatted_name"):
            return NO_NAME
        if not isinstance(numbers, list) or not all(isinstance(one, dict) and one.get("phone") for one in numbers):
            return NO_PHONE
    return ""


def in_words(content: Contacts) -> str:
    """Each person's name and phones on a line, for who can get no card."""
    return "\n".join(
        " ".join([each["name"]["formatted_name"], *(str(one["phone"]) for one in each.get("phones", ()))])
        for each in content.contacts
    )
