"""Places, cards, orders and ads: objects as the customer's WhatsApp wrote them, so that nothing in them is taken for granted."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from crm.models import Message


def place(content: dict[str, Any]) -> dict[str, str]:
    """Title, details and map address of a location; the object is whatever the customer's WhatsApp wrote."""
    name, address = str(content.get("name") or ""), str(content.get("address") or "")
    try:
        point = f"{float(content['latitude']):.6f}, {float(content['longitude']):.6f}"
    except (KeyError, TypeError, ValueError):
        point = ""
    latitude, _comma, longitude = point.partition(", ")
    details = [part for part in (address if name else "", point) if part]
    return {
        "title": name or address or _("Location"),
        "details": " · ".join(details),
        "url": f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"
        if point
        else "",
    }


def cards(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Name and details of each shared contact; `is_own` where it is the sender's own, which we had asked for."""
    found = content.get("contacts")
    return [
        {
            "name": str(name.get("formatted_name") or name.get("first_name") or _("Contact")),
            "details": " · ".join(_card_details(card)),
            "is_own": card.get("origin") == "contact_request",
        }
        for card in _objects(found)
        if isinstance(name := card.get("name") or {}, dict)
    ]


def _card_details(card: dict[str, Any]) -> list[str]:
    company = card.get("org")
    found = [str(each.get("phone") or each.get("wa_id") or "") for each in _objects(card.get("phones"))]
    found += [str(company.get("company") or "") if isinstance(company, dict) else ""]
    found += [str(each.get("email") or "") for each in _objects(card.get("emails"))]
    return [each for each in found if each]


def tapped(message: Message) -> dict[str, str]:
    """How an answer came that was not typed, and what its row of a list explained; empty for what was typed or is ours."""
    if message.is_outbound:
        return {}
    if message.type == "button":
        return {"how": _("Tapped a button")}
    kind = str(message.payload.get("type") or "") if message.type == "interactive" else ""
    if kind == "button_reply":
        return {"how": _("Tapped a button")}
    if kind != "list_reply":
        return {}
    row = message.payload.get(kind)
    return {
        "how": _("Chose from a list"),
        "details": str(row.get("description") or "") if isinstance(row, dict) else "",
    }


def products(content: dict[str, Any]) -> list[dict[str, str]]:
    """Count, name and price (“PEN 389.90”) of each line of an order."""
    return [
        {
            "quantity": str(line.get("quantity") or 1),
            "name": str(line.get("product_retailer_id") or ""),
            "price": f"{line.get('currency') or ''} {_amount(line.get('item_price'))}".strip(),
        }
        for line in _objects(content.get("product_items"))
    ]


def _amount(value: Any) -> str:
    try:
        return f"{Decimal(str(value)):.2f}"
    except ArithmeticError:
        return ""


def order_total(content: dict[str, Any]) -> str:
    """“PEN 438.90”; empty where a price is missing or there are several currencies."""
    lines = _objects(content.get("product_items"))
    try:
        total = sum(
            (Decimal(str(line["item_price"])) * Decimal(str(line.get("quantity") or 1)) for line in lines), Decimal(0)
        )
    except (KeyError, ArithmeticError):
        return ""
    currencies = {str(line.get("currency") or "") for line in lines}
    return f"{currencies.pop()} {total:.2f}".strip() if len(currencies) == 1 and total.is_finite() else ""


def advert(content: dict[str, Any]) -> dict[str, str]:
    """The ad or post that led to the message: headline, words, where it leads, and Meta's ids for whoever counts ads."""
    referral = content.get("referral")
    if not isinstance(referral, dict):
        return {}
    url = str(referral.get("source_url") or "")
    return {
        "kind": _("Post") if referral.get("source_type") == "post" else _("Ad"),
        "headline": str(referral.get("headline") or ""),
        "body": str(referral.get("body") or ""),
        "url": url if url.startswith(("https://", "http://")) else "",
        "id": str(referral.get("source_id") or ""),
        "click": str(referral.get("ctwa_clid") or ""),
    }


def asked_about(content: dict[str, Any]) -> str:
    """The catalogue's name of the product that a question is about."""
    product = content.get("product")
    return str(product.get("product_retailer_id") or "") if isinstance(product, dict) else ""


def meta_says(content: dict[str, Any]) -> list[str]:
    """What WhatsApp said was wrong with a message that a customer sent, in its own words."""
    return [
        f"{said} ({fault.get('code')})"
        for fault in _objects(content.get("errors"))
        if (said := str(fault.get("detail") or fault.get("title") or ""))
    ]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
