"""Why something did not go out, in words for the person who has to act on it."""

from typing import Any

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from whatsapp import cards, interactive, places
from whatsapp.errors import Reason

# Reasons of our own, beside the provider's.
EMPTY, TOO_LONG, PAUSED, INACTIVE, NO_ADDRESS = "empty", "too_long", "paused", "inactive", "no_address"
UNKNOWN_TEMPLATE, INCOMPLETE_TEMPLATE, UNREADABLE = "unknown_template", "incomplete_template", "unreadable"
NOT_FAILED, NOT_UNKNOWN, CANCELLED, ERASED = "not_failed", "not_unknown", "cancelled", "erased"
CAPTION_TOO_LONG, NO_FILES, NO_OPTIONS = "caption_too_long", "no_files", "no_options"
NO_LOCATIONS, NO_CARDS = "no_locations", "no_cards"
UNKNOWN_FLOW, FLOW_WITHOUT_KEY, NO_FLOWS = "unknown_flow", "flow_without_key", "no_flows"
NO_CATALOGUE = "no_catalogue"
TEST_MODE = "test_mode"
FILE_GONE, FILE_TOO_LARGE, FILE_UNREACHABLE = "file_gone", "file_too_large", "file_unreachable"
FILE_FORBIDDEN, FILE_REFUSED, FILE_UNREADABLE = "file_forbidden", "file_refused", "file_unreadable"

_SENTENCES: dict[str, Any] = {
    Reason.WINDOW_CLOSED: _("More than 24 hours have passed since the customer wrote. Send a template."),
    Reason.UNDELIVERABLE: _("WhatsApp could not deliver it: this number may not use WhatsApp. Try another way."),
    Reason.MARKETING_CAP: _("WhatsApp held back this marketing message for now. It is tried again after 24 hours."),
    Reason.OPTED_OUT: _("This person stopped our marketing messages. Write only about what they ask."),
    Reason.EXPERIMENT: _("WhatsApp delivers no marketing to this person. Try another way."),
    Reason.BLOCKED_BY_US: _("We have blocked this person on WhatsApp. Unblock them first."),
    Reason.BLOCKED_BY_CONTACT: _("WhatsApp reports that this person does not want our messages."),
    Reason.PHONE_REQUIRED: _("This message needs the person's phone number. Ask them for it."),
    Reason.IDENTITY_CHANGED: _("This person's WhatsApp changed. Make sure that it is still them."),
    Reason.NOT_ON_TEST_LIST: _("A test number writes only to people on its list in Meta's console."),
    Reason.COUNTRY: _("This number may not write to that country."),
    Reason.RATE_NUMBER: _("This number sends faster than WhatsApp allows. Try again in a minute."),
    Reason.RATE_PAIR: _("Too many messages to this person in a short time. Try again in a minute."),
    Reason.RATE_API: _("Meta limits our calls for the moment. Try again later."),
    Reason.TEMPLATE_STATE: _("Meta does not accept this template now. Choose another one."),
    Reason.TEMPLATE_PARAMS: _("The template's variables do not fit what Meta approved. Check them and send again."),
    Reason.MEDIA: _("WhatsApp could not take the file. Send it in another format."),
    Reason.UNSUPPORTED: _("WhatsApp does not support this kind of message."),
    Reason.INVALID: _("WhatsApp did not understand the message. Tell your administrator."),
    Reason.AUTH: _("The number's access token no longer works. An administrator has to renew it."),
    Reason.BILLING: _("Meta asks for a valid payment method for this number."),
    Reason.POLICY: _("Meta has restricted this number. An administrator has to look at Meta's console."),
    Reason.QUALITY: _("Meta limits this number because too many people reported it."),
    Reason.NOT_REGISTERED: _("This number is not registered at Meta. An administrator has to register it."),
    Reason.TRANSIENT: _("WhatsApp did not respond. Try again."),
    Reason.UNREACHABLE: _("WhatsApp could not be reached. Try again."),
    EMPTY: _("Write something first."),
    TOO_LONG: _("WhatsApp takes at most 4,096 characters. Shorten the message."),
    PAUSED: _("This number is paused. An administrator has to mend it; what is waiting is sent then."),
    INACTIVE: _("This number is switched off."),
    TEST_MODE: _("This number is in test mode and sends to its test phones alone. An administrator can add this one."),
    NO_ADDRESS: _("This contact has no phone or WhatsApp id to write to."),
    UNKNOWN_TEMPLATE: _("This template is not approved for this number."),
    INCOMPLETE_TEMPLATE: _("Fill in every variable, without line breaks, tabs or more than four spaces in a row."),
    UNREADABLE: _("The message contains characters that cannot be sent."),
    CAPTION_TOO_LONG: _("WhatsApp takes at most 1,024 characters with a file. Shorten the text."),
    NO_FILES: _("This number cannot send this kind of file."),
    NO_OPTIONS: _("This number cannot send buttons or lists. Write the choice as text."),
    NO_LOCATIONS: _("This number cannot send locations. Write the address as text."),
    NO_CARDS: _("This number cannot send contacts. Write the name and the phone as text."),
    places.NO_POINT: _(
        "Write coordinates like -12.0464, -77.0428, or paste the address of a map that shows the place."
    ),
    places.NAME_TOO_LONG: _("A place's name and address have at most 1,000 characters. Shorten them."),
    cards.NO_CARD: _("WhatsApp takes 1 to 257 contacts in a message."),
    cards.NO_NAME: _("Each contact needs a name."),
    cards.NO_PHONE: _("Each of the contact's phones needs its number."),
    interactive.TOO_MUCH_SAID: _(
        "With buttons WhatsApp takes at most 1,024 characters, with a list 4,096, and 60 above and below. Shorten the text."
    ),
    interactive.WRONG_COUNT: _("WhatsApp takes one to three buttons, or a list of one to ten. Change the choices."),
    interactive.WRONG_TITLE: _(
        "Each choice needs words of its own: 20 characters at most on a button, 24 in a list and 72 to explain it."
    ),
    interactive.WRONG_LABEL: _("What opens the list or the link needs 1 to 20 characters."),
    NO_CATALOGUE: _("This number has no catalogue. An administrator writes its id at the number."),
    interactive.NO_PRODUCT: _("Write the product's id, as the catalogue has it."),
    interactive.WRONG_FLOW_LABEL: _("The button that opens the form needs 1 to 30 characters."),
    UNKNOWN_FLOW: _("This form is not published for this number. Choose another one."),
    FLOW_WITHOUT_KEY: _("This number has no key for forms yet. An administrator uploads one under Flows."),
    NO_FLOWS: _("This number cannot send forms."),
    interactive.WRONG_LINK: _("The link needs an address that begins with https://."),
    FILE_GONE: _("WhatsApp no longer has this file; it keeps files for 7 days. Ask the customer to send it again."),
    FILE_TOO_LARGE: _("The file is larger than we keep."),
    FILE_UNREACHABLE: _("The file could not be fetched so far."),
    FILE_FORBIDDEN: _("The file's address is not one that may be opened."),
    FILE_REFUSED: _("WhatsApp did not hand over the file. An administrator has to check the number's token."),
    FILE_UNREADABLE: _("The file is damaged or not what its name says. Send it in another format."),
    ERASED: _("This person was erased before it went out."),
    CANCELLED: _("The broadcast was cancelled before it went out."),
    NOT_FAILED: _("Only a message that was not sent can be tried again."),
    NOT_UNKNOWN: _("This has been decided already."),
}


# Where a provider's number says more than the reason it belongs to (Cloud API, "Error codes").
_BY_CODE: dict[int, Any] = {
    132000: _("The template has another number of variables than were given. Choose it again: it has changed at Meta."),
    132001: _("Meta knows no such template in this language, or has not approved it yet. Choose another one."),
    132005: _("With these values the template's text is too long. Shorten them."),
    132007: _("Meta does not take the characters of one of the values. Write it plainly."),
    132008: _("One of the values is not what the template takes. Check them and send again."),
    132012: _("One of the values is of another kind than the template takes, such as a text in place of a photo."),
    132015: _("Meta paused this template because people blocked or reported it. Choose another one."),
    132016: _("Meta disabled this template for good. Choose another one."),
    132018: _("A value is empty, or has a line break, a tab or more than four spaces in a row. Write it anew."),
    132068: _("The template's Flow is blocked at Meta. An administrator has to look at it."),
    132069: _("The template's Flow may be sent less often for the moment. Try again in an hour."),
    131064: _(
        "Meta limits this account because templates were in the wrong category. An administrator has to look at them."
    ),
}


def sentence(reason: str, code: int | None = None) -> Any:
    """What happened and what to do now; a neutral sentence for a reason we have no words for."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    return _SENTENCES.get(reason) or _("WhatsApp refused the message. Tell your administrator if it happens again.")


# What whatsapp.phones says of what is no phone, which knows no languages.
NO_PHONES = (
    gettext_noop("“{raw}” is too short for a phone number: is the area code missing?"),
    gettext_noop("“{raw}” is too long for a phone number: is it two numbers?"),
    gettext_noop("“{raw}” needs its country code, like +51 900 555 014."),
    gettext_noop("“{raw}” is not a phone number."),
    gettext_noop("There is no phone number."),
)


def no_phone(sentence: str, raw: str) -> str:
    """A sentence of whatsapp.phones in the reader's language."""
    return gettext(sentence if sentence in NO_PHONES else NO_PHONES[3]).format(raw=raw[:40])
