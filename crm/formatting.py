"""WhatsApp's own marks and addresses in a text, as HTML that is safe to show: everything else is escaped.

Marks as WhatsApp's help page gives them: *bold*, _italic_, ~struck~, `code` and ```monospace```; they count only around
words, so that 2*3*4 and snake_case_names stay what they are.
"""

import re

from django.utils.html import conditional_escape, urlize
from django.utils.safestring import SafeString, mark_safe

LONGEST_LINK = 60

_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_LINK = re.compile(r"(<a [^>]*>.*?</a>)")
_MARKS = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=[^\s{mark}])([^\n{mark}]*?[^\s{mark}]){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)


def formatted(text: str) -> SafeString:
    """The text with its marks shown, and its addresses as links that open beside the page and tell nobody from where."""
    parts, at = [], 0
    for code in _CODE.finditer(text):
        parts.append(_prose(text[at : code.start()]))
        parts.append(f"<code>{conditional_escape(code[1] or code[2])}</code>")
        at = code.end()
    parts.append(_prose(text[at:]))
    return mark_safe("".join(parts))  # noqa: S308 - each part is escaped where it is made


def _prose(text: str) -> str:
    linked = urlize(text, trim_url_limit=LONGEST_LINK, nofollow=True, autoescape=True)
    linked = linked.replace(' rel="nofollow">', ' target="_blank" rel="noopener noreferrer nofollow">')
    return "".join(piece if piece.startswith("<a ") else _marked(piece) for piece in _LINK.split(linked))


def _marked(escaped: str) -> str:
    for pattern, tag in _MARKS:
        escaped = pattern.sub(rf"<{tag}>\1</{tag}>", escaped)
    return escaped
