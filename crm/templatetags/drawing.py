"""The small drawings that every row repeats: avatar, owner, window, ticks; for the filters of `inbox` and `thread`.

Each has one template; what it gives is kept, because a page of fifty rows draws the same few again and again.
"""

from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, override


def drawn(template: str, **values: object) -> SafeString:
    """Render a drawing in the present language."""
    return _drawn(template, get_language() or "en", tuple(values.items()))


@lru_cache(maxsize=8192)
def _drawn(template: str, language: str, values: tuple[tuple[str, object], ...]) -> SafeString:
    with override(language):
        # The template's own escaping made it safe; stripping the end of its last line changes nothing of that.
        return mark_safe(render_to_string(template, dict(values)).strip())  # noqa: S308
