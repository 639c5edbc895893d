"""Who may be the same person: contacts with the same e-mail, or whose phone is a spelling of the other's."""

from uuid import UUID

from crm.models import Contact, ContactWord, Identity, IdentityKind
from crm.words import folded

MOST = 5
# So many last digits in common are one subscriber, with and without a country or an area before it.
_SAME_ENDING = 8


def of(contact: Contact) -> list[Contact]:
    """Others who are probably this person, at most MOST."""
    words = [folded(contact.email)] if contact.email else []
    for value in _phones(contact.pk):
        words.append(value[-_SAME_ENDING:])
    if not words:
        return []
    known = ContactWord.objects.filter(word__in=words).exclude(contact_id=contact.pk)
    found = Contact.objects.filter(pk__in=list(known.values_list("contact_id", flat=True)[: MOST * 4]))
    return [each for each in found.order_by("created_at", "pk") if _is_alike(contact, each)][:MOST]


def _is_alike(contact: Contact, other: Contact) -> bool:
    """The same e-mail, or a name that begins alike: eight digits in common alone happen among a hundred thousand."""
    if contact.email and folded(contact.email) == folded(other.email):
        return True
    mine, theirs = (set(folded(f"{each.name} {each.profile_name}").split()) for each in (contact, other))
    return not mine or not theirs or bool(mine & theirs)


def _phones(contact_id: UUID) -> list[str]:
    found = Identity.objects.filter(contact=contact_id, kind=IdentityKind.PHONE).values_list("value", flat=True)
    return [value for value in found if len(value) >= _SAME_ENDING]
