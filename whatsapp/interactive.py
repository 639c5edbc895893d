"""What a customer answers by a tap: buttons, a list, a link, a product, where they are, their phone, or a Flow.

The limits are Meta's ("Interactive messages", Cloud API). They are told before sending; Meta's own refusal names none.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from whatsapp.outgoing import Interactive

BUTTON, LIST, LINK, FLOW, PRODUCT = "button", "list", "cta_url", "flow", "product"
LOCATION, PHONE = "location_request_message", "request_contact_info"
REQUESTS = {LOCATION: "send_location", PHONE: PHONE}  # what is asked for, and what WhatsApp calls the answer's button
KINDS = (BUTTON, LIST, LINK, FLOW, PRODUCT, *REQUESTS)
MOST_BUTTONS, MOST_ROWS = 3, 10
MOST_TEXT = {LIST: 4096}
DEFAULT_MOST_TEXT = 1024
MOST_AROUND, MOST_BUTTON, MOST_ROW, MOST_DESCRIPTION, MOST_LABEL, MOST_ID, MOST_URL = 60, 20, 24, 72, 20, 200, 2000
MOST_FLOW_LABEL = 30

# What is wrong with one; `crm.explanations` says it to a person.
NOTHING_SAID, TOO_MUCH_SAID, WRONG_COUNT, WRONG_TITLE = "empty", "options_text", "options_count", "options_title"
WRONG_LABEL, WRONG_LINK, UNKNOWN_KIND = "options_label", "options_link", "unsupported"
WRONG_FLOW_LABEL, NO_PRODUCT = "flow_label", "product_missing"
MOST_PRODUCT = 100


def fault(content: Interactive) -> str:
    """What WhatsApp would refuse, as one of the words above; empty where it is well formed."""
    if content.kind not in KINDS:
        return UNKNOWN_KIND
    if not content.body.strip() and content.kind != PRODUCT:
        return NOTHING_SAID
    most = MOST_TEXT.get(content.kind, DEFAULT_MOST_TEXT)
    if len(content.body) > most or len(content.header) > MOST_AROUND or len(content.footer) > MOST_AROUND:
        return TOO_MUCH_SAID
    if content.kind == PRODUCT:
        return "" if 1 <= len(content.product.get("id", "").strip()) <= MOST_PRODUCT else NO_PRODUCT
    if content.kind == LINK:
        return _fault_of_link(content)
    if content.kind == FLOW:
        return "" if 1 <= len(content.label.strip()) <= MOST_FLOW_LABEL else WRONG_FLOW_LABEL
    if content.kind in REQUESTS:
        return WRONG_COUNT if content.options else ""
    if not 1 <= len(content.options) <= (MOST_BUTTONS if content.kind == BUTTON else MOST_ROWS):
        return WRONG_COUNT
    if content.kind == LIST and not 1 <= len(content.label.strip()) <= MOST_LABEL:
        return WRONG_LABEL
    return "" if _are_titles_fit(content) else WRONG_TITLE


def offering(body: str, lines: Iterable[str], *, label: str) -> Interactive:
    """A text with these answers to choose from, one a line, `title | explanation` for a row that needs one.

    Three short ones are buttons; more of them, longer ones or explained ones are a list that opens with `label`. A single
    one that is explained by an address, `title | https://…`, is a link.
    """
    options = []
    for line in lines:
        title, _bar, description = (part.strip() for part in line.partition("|"))
        if title:
            options.append({"id": title, "title": title} | ({"description": description} if description else {}))
    if len(options) == 1 and options[0].get("description", "").startswith(("https://", "http://")):
        return Interactive(kind=LINK, body=body, label=options[0]["title"], url=options[0]["description"])
    is_short = len(options) <= MOST_BUTTONS and all(
        len(each["title"]) <= MOST_BUTTON and "description" not in each for each in options
    )
    return Interactive(
        kind=BUTTON if is_short else LIST, body=body, options=options, label="" if is_short else label[:MOST_LABEL]
    )


def _fault_of_link(content: Interactive) -> str:
    if not 1 <= len(content.label.strip()) <= MOST_LABEL:
        return WRONG_LABEL
    try:
        parts = urlsplit(content.url)
    except ValueError:
        return WRONG_LINK
    is_fit = parts.scheme in ("http", "https") and parts.hostname and len(content.url) <= MOST_URL
    return "" if is_fit and not any(letter.isspace() for letter in content.url) else WRONG_LINK


def _are_titles_fit(content: Interactive) -> bool:
    most = MOST_BUTTON if content.kind == BUTTON else MOST_ROW
    titles, ids = [each.get("title", "") for each in content.options], [each.get("id", "") for each in content.options]
    return (
        all(len(title.strip()) >= 1 and len(title) <= most and "\n" not in title for title in titles)
        and all(1 <= len(id) <= MOST_ID for id in ids)
        and len(set(titles)) == len(titles)
        and len(set(ids)) == len(ids)
        and all(len(each.get("description", "")) <= MOST_DESCRIPTION for each in content.options)
        and (content.kind == LIST or not any(each.get("description") for each in content.options))
    )
