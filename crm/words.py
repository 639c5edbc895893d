"""A text as it is compared: without capitals and accents. Plain Python, the same as `crm_folded` in the database."""

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]+")


def folded(text: str) -> str:
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    # Python ends a Greek word with a sigma of its own, PostgreSQL does not.
    return plain.lower().replace("ς", "σ")
