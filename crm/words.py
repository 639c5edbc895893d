"""A text as it is compared: without capitals and accents. Plain Python, the same as `crm_folded` in the database."""

import unicodedata


def folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    # Python ends a Greek word with a sigma of its own, PostgreSQL does not.
    return plain.lower().replace("ς", "σ")
