"""Phone numbers as WhatsApp writes them (`wa_id`: digits of the international number) and as people do.

Three countries have two spellings of the same mobile, and WhatsApp uses either: Brazil's ninth digit, Mexico's old 1 and
Argentina's 9. `canonical` gives both the same key. It is for comparing only: we write to the wa_id that we were given.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
)


class NotAPhone(ValueError):
    """What was typed is not a phone number; `str()` is a sentence for the person who typed it.

    `sentence` is the same without what was typed, for whoever says it in another language.
    """

    def __init__(self, sentence: str, raw: str = "") -> None:
        super().__init__(sentence.format(raw=raw[:_SHOWN_LENGTH]))
        self.sentence, self.raw = sentence, raw[:_SHOWN_LENGTH]


_TOO_SHORT = "“{raw}” is too short for a phone number: is the area code missing?"
_TOO_LONG = "“{raw}” is too long for a phone number: is it two numbers?"
_NO_COUNTRY = "“{raw}” needs its country code, like +51 900 555 014."
_NO_NUMBER = "“{raw}” is not a phone number."
_EMPTY = "There is no phone number."

_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_SHOWN_LENGTH = 40


def normalise(raw: str, default_country: str | None = None) -> str:
    """What a person typed, as digits of the international number without “+”.

    `default_country` (ISO, like "PE") reads numbers without a country code; without it bare digits are taken as
    international. Old spellings that no longer exist become today's. Raises NotAPhone.
    """
    raw = raw.strip()
    if not raw:
        raise NotAPhone(_EMPTY)
    country = default_country.upper() if default_country else None
    number = _parsed(raw, country)
    digits = _digits(number)
    if phonenumbers.is_valid_number(number):
        return digits
    modern = canonical(digits)
    if modern != digits and phonenumbers.is_valid_number(_parsed(f"+{modern}", None)):
        return modern
    _refuse_impossible(raw, number)
    return digits


def _parsed(raw: str, country: str | None) -> PhoneNumber:
    try:
        if country is None and not raw.lstrip("(").startswith(("+", "＋")):
            return phonenumbers.parse(f"+{raw}", None)
        return phonenumbers.parse(raw, country)
    except NumberParseException as error:
        sentence = {
            NumberParseException.INVALID_COUNTRY_CODE: _NO_COUNTRY,
            NumberParseException.TOO_LONG: _TOO_LONG,
            NumberParseException.TOO_SHORT_NSN: _TOO_SHORT,
            NumberParseException.TOO_SHORT_AFTER_IDD: _TOO_SHORT,
        }.get(error.error_type, _NO_NUMBER)
        raise NotAPhone(sentence, raw) from None


def _refuse_impossible(raw: str, number: PhoneNumber) -> None:
    verdict = phonenumbers.is_possible_number_with_reason(number)
    if verdict == ValidationResult.IS_POSSIBLE:
        return  # Ranges are newer than our tables, and Meta's own test numbers are in none.
    sentence = {
        ValidationResult.TOO_SHORT: _TOO_SHORT,
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: _TOO_SHORT,
        ValidationResult.TOO_LONG: _TOO_LONG,
        ValidationResult.INVALID_COUNTRY_CODE: _NO_COUNTRY,
    }.get(verdict, _NO_NUMBER)
    raise NotAPhone(sentence, raw)


def _digits(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")


def canonical(wa_id: str) -> str:
    """One key for all national spellings of a number. Never raises: what is no such number is its own key."""
    if not _DIGITS.fullmatch(wa_id):
        return wa_id
    if wa_id.startswith("55") and len(wa_id) == 12 and wa_id[4] in "6789":
        # Brazil: mobiles began with 6–9 before the ninth digit came (Anatel, 2012–2016); landlines begin with 2–5.
        return f"{wa_id[:4]}9{wa_id[4:]}"
    if wa_id.startswith("521") and len(wa_id) == 13:
        # Mexico dropped the mobile 1 in 2019; national numbers have ten digits.
        return f"52{wa_id[3:]}"
    if wa_id.startswith("54") and len(wa_id) == 12 and wa_id[2] in "123":
        # Argentina: the 9 marks a mobile and is no part of the ten national digits, which are unique without it; area
        # codes begin with 1, 2 or 3.
        return f"549{wa_id[2:]}"
    return wa_id


def variants(wa_id: str) -> tuple[str, ...]:
    """Every spelling of a number, the canonical one first; just itself where there is only one."""
    key = canonical(wa_id)
    if not _DIGITS.fullmatch(key):
        return (key,)
    if key.startswith("55") and len(key) == 13 and key[4] == "9" and key[5] in "6789":
        return key, f"{key[:4]}{key[5:]}"
    if key.startswith("52") and len(key) == 12:
        return key, f"521{key[2:]}"
    if key.startswith("549") and len(key) == 13 and key[3] in "123":
        return key, f"54{key[3:]}"
    return (key,)


@lru_cache(maxsize=4096)
def display(digits: str) -> str:
    """The number as people read it: “+51 900 555 014”. What is no number comes back as it is."""
    number = _known(digits)
    if number is None:
        return digits
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=4096)
def country(digits: str) -> str | None:
    """ISO code of the number's country, None when there is none; the chief country where several share a code."""
    number = _known(digits)
    if number is None:
        return None
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return region if len(region) == 2 and region != "ZZ" else None


def is_valid(digits: str) -> bool:
    """Whether it is a number that its country hands out, as far as our tables know."""
    number = _known(digits)
    return number is not None and phonenumbers.is_valid_number(number)


def calling_code(digits: str) -> str:
    """“51”: what the number begins with to reach its country; empty when it is no number."""
    number = _known(digits)
    return str(number.country_code) if number is not None and number.country_code else ""


def code_of(country: str) -> str:
    """The calling code of a country: PE is 51; empty for what is none."""
    code = phonenumbers.country_code_for_region(country.upper()) if country else 0
    return str(code) if code else ""


def country_called(digits: str) -> str | None:
    """The same by the calling code alone where one country has it, which is what a message is charged by."""
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]), ()) if _DIGITS.fullmatch(digits) else ()
        if len(regions) == 1 and len(regions[0]) == 2:
            return regions[0]
        if regions:
            break
    return country(digits)


def _known(digits: str) -> PhoneNumber | None:
    if not _DIGITS.fullmatch(digits):
        return None
    try:
        number = phonenumbers.parse(f"+{digits}", None)
        if phonenumbers.is_valid_number(number):
            return number
        modern = phonenumbers.parse(f"+{canonical(digits)}", None)
    except NumberParseException:
        return None
    return modern if phonenumbers.is_valid_number(modern) else number
