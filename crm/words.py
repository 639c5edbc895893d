"""A text as it is compared: without capitals and accents. Plain Python, the same as `crm_folded` in the database."""

import unicodedata


def folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
