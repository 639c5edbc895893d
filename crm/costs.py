"""What messages cost: expected before they go, as charged once the provider says so.

One amount a message. It is our expectation until a status brings `pricing`, which settles it; what has no known rate has
no amount, and is counted as such rather than as nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from crm.models import Conversation
from tenants.context import system_transaction
from tenants.models import Tenant
from whatsapp import phones, pricing, rating
from whatsapp.capabilities import CAPABILITIES
from whatsapp.outgoing import Outgoing, Template
from whatsapp.pricing import Category
from whatsapp.window import FREE_ENTRY_LENGTH


@dataclass(frozen=True, slots=True)
class Price:
    """What one message is expected to cost. `amount` None: the rate is not known, unless `is_priced` is False."""

    amount: Decimal | None
    currency: str
    category: str
    country: str = ""
    is_priced: bool = True
    is_free_entry: bool = False

    @property
    def market(self) -> str:
        return pricing.market_of(self.country) or ""

    @property
    def is_unknown(self) -> bool:
        return self.is_priced and self.amount is None


def currency_of(tenant_id: UUID) -> str:
    """In which the company is billed."""
    return Tenant.objects.values_list("billing_currency", flat=True).get(pk=tenant_id)


def expected(conversation: Conversation, content: Outgoing, now: datetime, currency: str = "") -> Price:
    """What sending this to the conversation's contact now will cost. `currency` saves a batch from asking each time."""
    category = pricing.category_of(content.category) if isinstance(content, Template) else Category.SERVICE
    return price_of(conversation, category, now, currency or currency_of(conversation.tenant_id))


def price_of(conversation: Conversation, category: Category | None, now: datetime, currency: str) -> Price:
    """The same for a message of a category."""
    country = phones.country_called(conversation.contact.phone) or ""
    capabilities = CAPABILITIES[conversation.number.provider]
    if not capabilities.is_priced:
        return Price(None, "", "", country, is_priced=False)
    if category is None:
        return Price(None, currency, "", country)
    window = conversation.window(now)
    amount = rating.card_of(currency).expected(
        category, country, now, is_open=window.is_open, is_free_entry=window.is_free_of_charge
    )
    total = _with_surcharge(amount, capabilities.surcharge_usd, currency)
    return Price(total, currency, category.value, country, is_free_entry=window.is_free_of_charge)


def _with_surcharge(amount: Decimal | None, surcharge_usd: str, currency: str) -> Decimal | None:
    if amount is None or not surcharge_usd:
        return amount
    # What the provider adds is known in dollars only.
    return amount + Decimal(surcharge_usd) if currency == "USD" else None


_OF = """
SELECT m.id, m.pricing_category, m.pricing_type, m.billable, m.template_category, m.sent_at, m.country, k.phone,
       m.cost_amount, m.cost_currency, t.billing_currency, n.provider,
       c.free_entry_expires_at IS NOT NULL AND m.sent_at BETWEEN c.free_entry_expires_at - %s AND c.free_entry_expires_at
FROM crm_message m
JOIN crm_conversation c ON c.id = m.conversation_id
JOIN crm_contact k ON k.id = c.contact_id
JOIN whatsapp_number n ON n.id = m.number_id
JOIN tenants_tenant t ON t.id = m.tenant_id
WHERE m.id = ANY(%s)
"""
_SET = """
UPDATE crm_message m SET cost_amount = s.amount, cost_currency = s.currency, country = s.country
FROM unnest(%s::uuid[], %s::numeric[], %s::text[], %s::text[]) AS s (id, amount, currency, country) WHERE m.id = s.id
"""
# The 72 hours begin with the first answer that Meta calls free; a later one inside them does not prolong them, and an
# earlier one of the same 72 hours that is reported late moves them back.
_FREE_ENTRY = """
WITH first AS (
    SELECT m.conversation_id AS id, min(m.sent_at) AS at FROM crm_message m
    WHERE m.id = ANY(%(ids)s) AND m.pricing_type = 'free_entry_point' GROUP BY 1
), locked AS (
    SELECT c.id, f.at FROM crm_conversation c JOIN first f ON f.id = c.id ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE crm_conversation c SET free_entry_expires_at = l.at + %(length)s FROM locked l
WHERE c.id = l.id AND (
    c.free_entry_expires_at IS NULL OR c.free_entry_expires_at < l.at
    OR (c.free_entry_expires_at > l.at + %(length)s AND c.free_entry_expires_at <= l.at + 2 * %(length)s)
)
"""


def settle(cursor: Any, message_ids: Sequence[UUID]) -> int:
    """Set the amounts of messages whose `pricing` is known by now; how many changed. Running it again changes nothing."""
    if not message_ids:
        return 0
    return _reckon(cursor, list(message_ids))


def _reckon(cursor: Any, message_ids: list[UUID]) -> int:
    cursor.execute(_OF, [FREE_ENTRY_LENGTH, message_ids])
    changed, has_free_entry = [], False
    for row in cursor.fetchall():
        (id, category, type, billable, template, at, known, phone, amount, currency, billed_in, provider, is_free) = row
        capabilities, country = CAPABILITIES[provider], known or phones.country_called(phone) or ""
        has_free_entry = has_free_entry or type == "free_entry_point"
        if not capabilities.is_priced:
            continue
        card = rating.card_of(billed_in)
        if category or type:
            new = card.charged(category=category, type=type, billable=billable, country=country, at=at)
        else:
            kind = pricing.category_of(template) if template else Category.SERVICE
            new = card.expected(kind, country, at, is_open=True, is_free_entry=is_free) if kind else None
        new = _with_surcharge(new, capabilities.surcharge_usd, billed_in)
        if (new, billed_in, country) != (amount, currency, known):
            changed.append((id, new, billed_in, country))
    if changed:
        cursor.execute(_SET, [list(column) for column in zip(*changed, strict=True)])
    if has_free_entry:
        cursor.execute(_FREE_ENTRY, {"ids": message_ids, "length": FREE_ENTRY_LENGTH})
    return len(changed)


_PAGE = 5000
_NEXT = """
SELECT id, sent_at FROM crm_message
WHERE tenant_id = %s AND direction = 'outbound' AND (sent_at, id) > (%s, %s) ORDER BY sent_at, id LIMIT %s
"""


def settle_since(since: date) -> int:
    """Reckon anew what was sent from a day on, after rates changed; how many amounts changed."""
    with system_transaction():
        tenants = list(Tenant.unfenced.values_list("pk", flat=True))
    return sum(_settle_tenant(tenant_id, since) for tenant_id in tenants)


def _settle_tenant(tenant_id: UUID, since: date) -> int:
    changed, last = 0, (datetime.fromisoformat(f"{since}T00:00:00+00:00"), UUID(int=0))
    while True:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute(_NEXT, [tenant_id, *last, _PAGE])
            rows = cursor.fetchall()
            if not rows:
                return changed
            changed += _reckon(cursor, [id for id, _ in rows])
            last = rows[-1][1], rows[-1][0]


def in_words(amount: Decimal | None, currency: str, *, digits: int | None = None) -> str:
    """An amount for people: “US$0.0703”; small ones keep the digits that matter, an unknown one says so."""
    if amount is None:
        return _("unknown price")
    sign = {"USD": "US$", "EUR": "€", "BRL": "R$", "PEN": "S/ "}.get(currency, f"{currency} ")
    if digits is None:
        digits = 2 if amount >= 1 or amount == 0 else 4
    return f"{sign}{amount:,.{digits}f}"
