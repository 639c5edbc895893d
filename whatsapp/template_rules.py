"""What Meta refuses in a template, found before it is asked: pure rules, one code a rule, no words for people.

Sources: developers.facebook.com/documentation/business-messaging/whatsapp/templates/components and …/templates/overview
(lengths, counts, order of buttons, examples); the error codes 2388023, 2388040, 2388043, 2388072, 2388293 and 2388299 of
"Error codes". Meta publishes no formula for 2388293; several partners have found that n variables need 2n + 1 other words
(docs.mercuri.cx "Minimum words/parameters ratio", Syniverse "How to avoid too many parameters").
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from whatsapp.template_content import (
    AUTHENTICATION,
    CATEGORIES,
    COPY_CODE,
    FLOW,
    HEADERS,
    MEDIA_HEADERS,
    OTP,
    PHONE,
    QUICK_REPLY,
    TEXT,
    URL,
    VARIABLE,
    Button,
    Wording,
)

MOST_NAME, MOST_HEADER, MOST_BODY, MOST_FOOTER = 512, 60, 1024, 60
MOST_BUTTONS, MOST_BUTTON_TEXT, MOST_URL, MOST_PHONE, MOST_CODE = 10, 25, 2000, 20, 15
MOST_OF_KIND = {URL: 2, PHONE: 1, COPY_CODE: 1, FLOW: 1, OTP: 1}
MOST_EXPIRY = 90

_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,4})?", re.ASCII)
_VARIABLE_NAME = re.compile(r"[1-9][0-9]{0,2}|[a-z][a-z0-9_]{0,59}", re.ASCII)
_ADJACENT = re.compile(r"\}\}\s*\{\{")
_URL = re.compile(r"https?://[^\s{}]+(\{\{\s*1\s*\}\})?")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{3,}", re.ASCII)
_MARKS = frozenset("*_~`")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where: `name`, `language`, `category`, `header`, `body`, `footer`, `buttons`, `button-<n>`."""

    place: str
    code: str
    values: dict[str, Any] = field(default_factory=dict)


def faults(*, name: str, language: str, category: str, wording: Wording, has_file: bool = False) -> list[Fault]:
    """Everything Meta would refuse, in the order of the form; empty when it may be submitted.

    `has_file`: the example of the header's file is there, though Meta may not have it yet.
    """
    found = [*_of_name(name), *_of_language(language)]
    if category not in CATEGORIES:
        found.append(Fault("category", "category"))
    if category == AUTHENTICATION:
        return [*found, *_of_codes(wording)]
    return [*found, *_of_header(wording, has_file), *_of_body(wording), *_of_footer(wording), *_of_buttons(wording)]


def _of_name(name: str) -> Iterator[Fault]:
    if not name:
        yield Fault("name", "name_missing")
    elif not _NAME.fullmatch(name):
        yield Fault("name", "name_form")
    elif len(name) > MOST_NAME:
        yield Fault("name", "name_long", {"most": MOST_NAME})


def _of_language(language: str) -> Iterator[Fault]:
    if not _LANGUAGE.fullmatch(language):
        yield Fault("language", "language_form")


def _of_header(wording: Wording, has_file: bool) -> Iterator[Fault]:
    if wording.header not in HEADERS:
        yield Fault("header", "header_kind")
    elif wording.header in MEDIA_HEADERS:
        if not has_file and not wording.header_handle:
            yield Fault("header", "header_file")
    elif wording.header == TEXT:
        text = wording.header_text
        bare = VARIABLE.sub("", text)
        if not text.strip():
            yield Fault("header", "header_missing")
        if len(text) > MOST_HEADER:
            yield Fault("header", "header_long", {"most": MOST_HEADER, "has": len(text)})
        if "\n" in bare or _MARKS & set(bare) or any(unicodedata.category(each) == "So" for each in bare):
            yield Fault("header", "header_plain")
        yield from _of_variables("header", text)
        if len(VARIABLE.findall(text)) > 1:
            yield Fault("header", "header_variables")
        elif wording.header_variables and not wording.header_example.strip():
            yield Fault("header", "example_missing", {"name": wording.header_variables[0]})
        if wording.variables and len({name.isdigit() for name in (*wording.variables, *wording.header_variables)}) > 1:
            yield Fault("header", "variables_mixed")


def _of_body(wording: Wording) -> Iterator[Fault]:
    body = wording.body
    if not body.strip():
        yield Fault("body", "body_missing")
        return
    if len(body) > MOST_BODY:
        yield Fault("body", "body_long", {"most": MOST_BODY, "has": len(body)})
    if "\t" in body or " " * 5 in body or "\n\n\n" in body:
        yield Fault("body", "body_gaps")
    wrong = list(_of_variables("body", body))
    yield from wrong
    places = VARIABLE.findall(body)
    if not places or wrong:
        return
    if _at_an_end(body):
        yield Fault("body", "variable_at_end")
    if _ADJACENT.search(body):
        yield Fault("body", "variables_adjacent")
    words = sum(1 for word in VARIABLE.sub(" ", body).split() if any(each.isalnum() for each in word))
    if words < 2 * len(places) + 1:
        yield Fault("body", "variables_many", {"needs": 2 * len(places) + 1 - words})
    for variable in wording.variables:
        if not wording.examples.get(variable, "").strip():
            yield Fault("body", "example_missing", {"name": variable})


def _of_variables(place: str, text: str) -> Iterator[Fault]:
    """Braces that are no variable, names Meta does not take, numbers with a gap."""
    names = VARIABLE.findall(text)
    rest = VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest or any(not _VARIABLE_NAME.fullmatch(name) for name in names):
        yield Fault(place, "variable_form")
        return
    numbers = {int(name) for name in names if name.isdigit()}
    if numbers and any(not name.isdigit() for name in names):
        yield Fault(place, "variables_mixed")
    elif numbers and numbers != set(range(1, len(numbers) + 1)):
        yield Fault(place, "variables_gap")


def _at_an_end(body: str) -> bool:
    """A variable first or last; punctuation around it does not count as text (2388299)."""
    kept = "".join(each for each in body if each in "{}" or unicodedata.category(each)[0] not in "PZC")
    return kept.startswith("{{") or kept.endswith("}}")


def _of_footer(wording: Wording) -> Iterator[Fault]:
    if len(wording.footer) > MOST_FOOTER:
        yield Fault("footer", "footer_long", {"most": MOST_FOOTER, "has": len(wording.footer)})
    if "{{" in wording.footer or "\n" in wording.footer:
        yield Fault("footer", "footer_plain")


def _of_buttons(wording: Wording) -> Iterator[Fault]:
    buttons = wording.buttons
    kinds = [button.kind for button in buttons]
    if len(buttons) > MOST_BUTTONS:
        yield Fault("buttons", "buttons_many", {"most": MOST_BUTTONS})
    if OTP in kinds:
        yield Fault("buttons", "otp_category")
    for kind, most in MOST_OF_KIND.items():
        if kinds.count(kind) > most:
            yield Fault("buttons", "kind_many", {"kind": kind, "most": most})
    switches = sum(1 for one, other in itertools.pairwise(kinds) if (one == QUICK_REPLY) != (other == QUICK_REPLY))
    if switches > 1:
        yield Fault("buttons", "replies_apart")
    texts = [button.text.strip().casefold() for button in buttons if button.kind != COPY_CODE and button.text.strip()]
    if len(texts) != len(set(texts)):
        yield Fault("buttons", "buttons_alike")
    for number, button in enumerate(buttons):
        yield from _of_button(f"button-{number}", button)


def _of_button(place: str, button: Button) -> Iterator[Fault]:
    if button.kind not in (COPY_CODE, OTP) and not button.text.strip():
        yield Fault(place, "button_text")
    if len(button.text) > MOST_BUTTON_TEXT:
        yield Fault(place, "button_long", {"most": MOST_BUTTON_TEXT, "has": len(button.text)})
    if "{{" in button.text or "\n" in button.text:
        yield Fault(place, "button_plain")
    if button.kind == URL:
        yield from _of_url(place, button)
    if button.kind == PHONE and not (_PHONE.fullmatch(button.target) and len(button.target) <= MOST_PHONE):
        yield Fault(place, "phone_form", {"most": MOST_PHONE})
    if button.kind == COPY_CODE and not 0 < len(button.example.strip()) <= MOST_CODE:
        yield Fault(place, "code_form", {"most": MOST_CODE})
    if button.kind == FLOW and not button.target.strip():
        yield Fault(place, "flow_missing")


def _of_url(place: str, button: Button) -> Iterator[Fault]:
    if not _URL.fullmatch(button.target) or len(button.target) > MOST_URL:
        yield Fault(place, "url_form")
    elif VARIABLE.search(button.target) and not button.example.strip():
        yield Fault(place, "url_example")


def _of_codes(wording: Wording) -> Iterator[Fault]:
    """A template for codes: its words are Meta's, and one button copies the code."""
    if wording.header != "NONE":
        yield Fault("header", "codes_header")
    if wording.expires_minutes is not None and not 1 <= wording.expires_minutes <= MOST_EXPIRY:
        yield Fault("footer", "expiry", {"most": MOST_EXPIRY})
    if [button.kind for button in wording.buttons] != [OTP]:
        yield Fault("buttons", "codes_button")
    for number, button in enumerate(wording.buttons):
        if len(button.text) > MOST_BUTTON_TEXT:
            yield Fault(f"button-{number}", "button_long", {"most": MOST_BUTTON_TEXT, "has": len(button.text)})
