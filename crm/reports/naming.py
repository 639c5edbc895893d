"""Names of what figures are counted by, in the language of the page."""

from babel import Locale
from django.utils.translation import get_language
from django.utils.translation import gettext as _


def country_name(code: str) -> str:
    """“Perú” for “PE”; says so where the country is not known."""
    language = Locale.parse(get_language() or "en", sep="-")
    return (language.territories.get(code) or code) if code else _("not known")
