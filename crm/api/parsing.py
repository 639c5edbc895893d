"""Reading bodies: what is no JSON object the product can keep is refused at the door, with a 400."""

import math
import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

MOST_LEVELS = 12
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(JSONParser):
    """JSON whose nesting Python can follow: thousands of brackets are bad input, not a failure of ours."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply.")) from None


def refuse_unstorable(value: Any, level: int = 1) -> None:
    """Raise ValidationError for what PostgreSQL or Meta could not take back: NUL, half a character, infinity, depth."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise ValidationError(_("Texts may hold neither NUL nor half of a surrogate pair."))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValidationError(_("Numbers must be finite."))
    elif isinstance(value, dict | list):
        if level > MOST_LEVELS:
            raise ValidationError(_("The JSON is nested too deeply."))
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            refuse_unstorable(item, level + 1)
