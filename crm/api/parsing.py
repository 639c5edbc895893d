"""Reading bodies: what is no JSON object the product can keep is refused at the door, with a 400."""

import math
import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MOST_LEVELS = 12
_TOO_DEEP = _("The JSON is nested too deeply.")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(JSONParser):
    """JSON that Python can follow and PostgreSQL and Meta can take: no NUL, half a character, infinity, abyss.

    Refused here, for the whole body: even an error message that repeats half a character could not be sent.
    """

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            body = super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError(_TOO_DEEP) from None
        _refuse_unstorable(body)
        return body


def _refuse_unstorable(value: Any, level: int = 1) -> None:
    if level > MOST_LEVELS:
        raise ParseError(_TOO_DEEP)
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise ParseError(_("Texts may hold neither NUL nor half of a surrogate pair."))
    if isinstance(value, float) and not math.isfinite(value):
        raise ParseError(_("Numbers must be finite."))
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            _refuse_unstorable(item, level + 1)
