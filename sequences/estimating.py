"""What a sequence will cost somebody in the company's own country: step by step, before anybody is in it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm import costs
from tenants.models import Tenant
from whatsapp import rating
from whatsapp.pricing import Category, category_of


@dataclass(slots=True)
class Estimate:
    """`least` is what comes when every window is open, `most` when every one is closed. None: a price is not known."""

    country: str
    currency: str
    least: Decimal | None = Decimal(0)
    most: Decimal | None = Decimal(0)

    @property
    def is_one(self) -> bool:
        return self.least == self.most


def of_steps(steps: list[dict[str, Any]], tenant: Tenant, now: datetime) -> Estimate:
    """The estimate of the editor's steps (see `forms.shown_steps`); each also gets its `reply_price`, `template_price`."""
    found = Estimate(tenant.default_country, tenant.billing_currency)
    card = rating.card_of(tenant.billing_currency)

    def price(category: Category | None, *, is_open: bool) -> Decimal | None:
        if category is None:
            return None
        return card.expected(category, tenant.default_country, now, is_open=is_open, is_free_entry=False)

    for step in steps:
        reply = price(Category.SERVICE, is_open=True) if step["text"] else None
        stored = step["stored"]
        template = price(category_of(stored.category), is_open=False) if stored else None
        if step["text"]:
            step["reply_price"] = costs.in_words(reply, found.currency)
        if stored:
            step["template_price"] = costs.in_words(template, found.currency)
        if step["is_manual"]:
            continue
        least = reply if step["text"] else template if stored else Decimal(0)
        most = template if stored else Decimal(0)
        found.least = None if found.least is None or least is None else found.least + least
        found.most = None if found.most is None or most is None else found.most + most
    if found.least is None or found.most is None:
        found.least = found.most = None
    elif found.least > found.most:
        found.least, found.most = found.most, found.least
    return found
