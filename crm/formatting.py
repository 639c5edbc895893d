"""WhatsApp's own marks and addresses in a text, as HTML that is safe to show: everything else is escaped.

Marks as WhatsApp's help page gives them: *bold*, _italic_, ~struck~, `code` and ```monospace```; they count only around
words, so that 2*3*4 and snake_case_names stay what they are.
"""

import html
import re

from django.utils.html import escape, urlize
from django.utils.safestring import SafeString, mark_safe

LONGEST_LINK = 60

_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_LINK = re.compile(r"(<a [^>]*>.*?</a>)")
_TAG = re.compile(r"<[^>]*>")
_ANY_MARK = re.compile(r"[*_~`]")
_MARKS = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=[^\s{mark}])([^\n{mark}]*?[^\s{mark}]){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)


def formatted(text: str, *, links: bool = True) -> SafeString:
    """The text with its marks shown, and its addresses as links that open beside the page and tell nobody from where.

    Without `links` an address is text, its signs kept: for what stands inside a link already.
    """
    parts, at = [], 0
    for code in _CODE.finditer(text):
        parts.append(_prose(text[at : code.start()], links=links))
        parts.append(f"<code>{escape(code[1] or code[2])}</code>")
        at = code.end()
    parts.append(_prose(text[at:], links=links))
    return mark_safe("".join(parts))  # noqa: S308 - each part is escaped where it is made


def quoted(text: str) -> SafeString:
    """The text on one line with its marks shown and no links, as a quote has it."""
    return mark_safe(" ".join(formatted(text, links=False).split()))  # noqa: S308 - its tags have no blanks in them


def plain(text: str) -> str:
    """The text on one line without its marks, as a row has it. It is text: whoever shows it escapes it."""
    if _ANY_MARK.search(text):
        text = html.unescape(_TAG.sub("", formatted(text, links=False)))
    return " ".join(text.split())


def _prose(text: str, *, links: bool) -> str:
    linked = urlize(text, trim_url_limit=LONGEST_LINK if links else None, nofollow=True, autoescape=True)
    linked = linked.replace(' rel="nofollow">', ' target="_blank" rel="noopener noreferrer nofollow">')
    return "".join(
        _linked(piece, links) if piece.startswith("<a ") else _marked(piece) for piece in _LINK.split(linked)
    )


def _linked(anchor: str, links: bool) -> str:
    return anchor if links else _TAG.sub("", anchor)


def _marked(escaped: str) -> str:
    for pattern, tag in _MARKS:
        escaped = pattern.sub(rf"<{tag}>\1</{tag}>", escaped)
    return escaped
