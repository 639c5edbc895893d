"""What a step says to one person: its content filled with what is known of them, as their number can send it."""

from typing import Any

from crm.blanks import blanks_for, filled
from crm.media.outgoing import content_of as media_content
from crm.media.outgoing import kind_by_name
from crm.models import Contact, Conversation
from sequences.definition import Card, Place, Variant
from sequences.models import Enrollment
from sequences.schedule import Action, Decision
from whatsapp import cards, places
from whatsapp.capabilities import CAPABILITIES
from whatsapp.interactive import FLOW, PRODUCT, offering
from whatsapp.outgoing import Contacts, Interactive, Location, Outgoing, Template, Text


def content_of(decision: Decision, conversation: Conversation) -> Outgoing:
    """What is sent; where the number cannot send a place, a contact or choices, the same in words."""
    chosen, blanks = decision.chosen or Variant(), blanks_for(conversation.contact)
    if decision.action is not Action.SEND and chosen.template:
        values = {name: " ".join(filled(said, blanks).split()) for name, said in chosen.template.variables.items()}
        return template_content(chosen.template.name, chosen.template.language, values)
    able, said = CAPABILITIES[conversation.number.provider], words_of(chosen, blanks)
    if chosen.file:
        return media_content(kind_by_name(chosen.file.kind), filename=chosen.file.name, caption=said)
    if chosen.place and able.locations:
        return _location(chosen.place)
    if chosen.card and able.contact_cards:
        return _contacts(chosen.card)
    if chosen.product and able.interactive and conversation.number.catalog_id:
        return Interactive(kind=PRODUCT, body=filled(chosen.text, blanks), product={"id": chosen.product})
    if chosen.form and able.flows:
        return Interactive(kind=FLOW, body=said, label=chosen.form.label, flow={"id": chosen.form.id})
    if chosen.options and able.interactive:
        return offering(said, chosen.options, label=chosen.label)
    return Text("\n".join([said, *(f"• {option}" for option in chosen.options)]))


def words_of(chosen: Variant, blanks: dict[str, Any]) -> str:
    """What is said while the window is open, as words: also what a person reads who does it by hand."""
    if chosen.place:
        return places.in_words(_location(chosen.place))
    if chosen.card:
        return cards.in_words(_contacts(chosen.card))
    return filled(chosen.text, blanks) or chosen.product


def template_content(name: str, language: str, values: dict[str, str]) -> Template:
    in_order = sorted(values, key=int) if all(key.isdigit() for key in values) else values  # Meta counts from {{1}}
    parameters = [
        {"type": "text", "text": values[key]} | ({} if key.isdigit() else {"parameter_name": key}) for key in in_order
    ]
    components: list[dict[str, Any]] = [{"type": "body", "parameters": parameters}] if parameters else []
    return Template(name=name, language=language, components=components)


def blanks_of(enrollment: Enrollment) -> dict[str, Any]:
    """What `{…}` may stand for in a step."""
    return blanks_for(enrollment.conversation.contact)


def filled_attributes(contact: Contact) -> frozenset[str]:
    """The names of the attributes that hold something."""
    return frozenset(name for name, value in contact.attributes.items() if value not in (None, "", [], {}))


def _location(place: Place) -> Location:
    """The definition was read, so its point is one."""
    latitude, longitude = places.read(place.at) or (0.0, 0.0)
    return Location(latitude, longitude, place.name, place.address)


def _contacts(card: Card) -> Contacts:
    return Contacts([cards.card(name=card.name, phone=card.phone)])
