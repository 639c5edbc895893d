"""What people read about templates: what is wrong with one, why Meta stopped or refused it, and what to do."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from whatsapp.models import Template, TemplateStatus
from whatsapp.submitting import NO_NUMBER, UNREACHABLE
from whatsapp.template_filling import BREAK, EMPTY, SPACES
from whatsapp.template_rules import Fault

_FAULTS: dict[str, Any] = {
    "name_missing": _("Give it a name."),
    "name_form": _("Only small letters without accents, digits and _ may be in a name, such as order_on_its_way."),
    "name_long": _("A name has at most %(most)d characters."),
    "name_taken": _("There is a template of this name in this language. Change that one, or choose another name."),
    "language_form": _("Choose a language as Meta spells it: es, es_PE, pt_BR, en_US …"),
    "category": _("Choose a category."),
    "header_kind": _("Choose what stands above the text."),
    "header_file": _("Choose an example file: Meta's reviewers look at it."),
    "header_missing": _("Write the header, or choose “nothing”."),
    "header_long": _("The header has %(has)d characters; Meta takes %(most)d."),
    "header_plain": _("A header takes no line breaks, emoji or *, _, ~ and `."),
    "header_variables": _("A header takes one variable."),
    "body_missing": _("Write the text."),
    "body_long": _("The text has %(has)d characters; Meta takes %(most)d. Shorten it."),
    "body_gaps": _("Take out tabs, empty lines one after the other and more than four spaces in a row."),
    "variable_form": _("Write variables as {{1}}, or as {{first_name}} with small letters, digits and _."),
    "variables_mixed": _("Use either numbers or names as variables, everywhere in the template."),
    "variables_gap": _("Number the variables from 1 without leaving one out."),
    "variable_at_end": _("Meta takes no variable at the beginning or the end of the text. Write words around it."),
    "variables_adjacent": _("Write words between two variables."),
    "variables_many": _("There are too many variables for so few words. Write at least %(needs)d more."),
    "example_missing": _("Give an example for {{%(name)s}}: Meta's reviewers read it."),
    "footer_long": _("The footer has %(has)d characters; Meta takes %(most)d."),
    "footer_plain": _("A footer takes no variables and no line breaks."),
    "buttons_many": _("Meta takes at most %(most)d buttons."),
    "buttons_alike": _("Two buttons say the same. Change one."),
    "kind_many": _("Meta takes at most %(most)d buttons of this kind."),
    "replies_apart": _("Put the quick replies together: all before the other buttons, or all after them."),
    "otp_category": _("A button that copies a code belongs to the category Authentication."),
    "button_text": _("Write what stands on the button."),
    "button_long": _("A button has at most %(most)d characters; this has %(has)d."),
    "button_plain": _("What stands on a button takes no variables and no line breaks."),
    "url_form": _("Write an address that begins with https://; a variable {{1}} may stand at its end."),
    "url_example": _("Give an example of what stands in the address's variable."),
    "phone_form": _("Write the phone with its country code, at most %(most)d characters."),
    "code_form": _("Give an example of the code, at most %(most)d characters."),
    "flow_missing": _("Write the id of the Flow."),
    "expiry": _("A code lasts 1 to %(most)d minutes."),
    "codes_header": _("A template for codes has no header: its words are Meta's."),
    "codes_button": _("A template for codes has one button, which copies the code."),
}

_PARAMETERS: dict[str, Any] = {
    EMPTY: _("Write what stands here: WhatsApp takes no empty variable."),
    BREAK: _("WhatsApp takes no line breaks or tabs in a variable. Write it in one line."),
    SPACES: _("WhatsApp takes at most four spaces in a row. Take some out."),
}

_REASONS: dict[str, Any] = {
    "ABUSIVE_CONTENT": _("it found the content abusive"),
    "CATEGORY_NOT_AVAILABLE": _("your account may not use this category"),
    "INCORRECT_CATEGORY": _("the text belongs to another category"),
    "INVALID_FORMAT": _("something about its form is wrong: variables, examples or buttons"),
    "PROMOTIONAL": _("it is advertising, and its category is not Marketing"),
    "SCAM": _("it looks like fraud"),
    "TAG_CONTENT_MISMATCH": _("the language or the category does not fit the text"),
    "FIRST_PAUSE": _("people blocked or reported it; the first pause lasts 3 hours"),
    "SECOND_PAUSE": _(
        "people blocked or reported it again; the second pause lasts 6 hours, and the next time it is disabled"
    ),
    "RATE_LIMITING_PAUSE": _("too many were sent for its quality"),
}

_STATES: dict[str, Any] = {
    TemplateStatus.PENDING: _(
        "Meta is still reviewing this template. Wait until it is approved, or choose another one."
    ),
    TemplateStatus.REJECTED: _("Meta rejected this template. Change it and submit it again, or choose another one."),
    TemplateStatus.PAUSED: _("Meta paused this template. Choose another one, or wait until the pause is over."),
    TemplateStatus.DISABLED: _("Meta disabled this template. Choose another one, or write a new one."),
    TemplateStatus.IN_APPEAL: _("This template is being appealed. Choose another one."),
    TemplateStatus.ARCHIVED: _("Meta archived this template. Choose another one."),
    TemplateStatus.LIMIT_EXCEEDED: _("Your account has too many templates for this one. Delete some that nobody uses."),
    TemplateStatus.PENDING_DELETION: _("This template is being deleted. Choose another one."),
    TemplateStatus.DELETED: _("This template was deleted. Choose another one."),
}

# What Meta answers while a template is written ("Error codes" of the Cloud API, subcodes of 100).
_REFUSALS: dict[int, Any] = {
    2388019: _("Your account has as many templates as Meta allows. Delete some that nobody uses."),
    2388023: _(
        "The name is not free: it is wrong, or a template of this name was deleted less than 30 days ago. Choose another one."
    ),
    2388024: _("There is a template of this name in this language at Meta. Synchronise, then change that one."),
    2388040: _("One of the texts is too long for Meta. Shorten it."),
    2388043: _("An example is missing: give one for each variable."),
    2388047: _("Meta does not take the header as it is written: no line breaks, emoji or formatting."),
    2388072: _("Meta does not take the text as it is written. Look at its variables and line breaks."),
    2388073: _("Meta does not take the footer as it is written: no line breaks, emoji or variables."),
    2388273: _("The example file is missing or not one that Meta takes. Choose it again."),
    2388293: _("There are too many variables for so few words. Write more around them."),
    2388299: _("Meta takes no variable at the beginning or the end of the text. Write words around it."),
    2593002: _("Meta has no such template any more. Synchronise to see what there is."),
}


def fault_sentence(fault: Fault) -> str:
    return str(_FAULTS[fault.code]) % fault.values


def parameter_sentence(code: str) -> Any:
    return _PARAMETERS[code]


def reason_words(reason: str) -> str:
    """Meta's reason as the end of a sentence; its own word for one that we do not know."""
    known = _REASONS.get(reason)
    return str(known) if known else reason.replace("_", " ").lower()


def why_not(template: Template) -> str:
    """Why it cannot be sent, and what to do; empty when it can."""
    if template.is_approved:
        return ""
    sentence = str(
        _STATES.get(template.status) or _("Meta does not let this template be sent now. Choose another one.")
    )
    if template.reason:
        return gettext("%(sentence)s Meta's reason: %(reason)s.") % {
            "sentence": sentence, "reason": reason_words(template.reason).rstrip(".")
        }  # fmt: skip
    return sentence


def refusal_sentence(failure: Mapping[str, Any]) -> str:
    """Why Meta did not take what was written, and what to do: our words where we know the code, else Meta's."""
    if failure.get("reason") == NO_NUMBER:
        return gettext("None of your numbers of this account can speak to Meta. An administrator has to connect one.")
    if failure.get("reason") == UNREACHABLE:
        return gettext("Meta could not be reached. It is tried again by itself.")
    if failure.get("reason") == "auth":
        return gettext("Meta does not accept the number's access token. An administrator has to renew it.")
    known = _REFUSALS.get(failure.get("subcode") or 0) or _REFUSALS.get(failure.get("code") or 0)
    if known:
        return str(known)
    said = str(failure.get("said") or "").strip()
    return gettext("Meta says: “%(said)s”") % {"said": said} if said else gettext("Meta refused it without a reason.")
