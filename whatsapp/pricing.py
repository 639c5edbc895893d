"""What a message costs: Meta's categories, markets and rules, and a card of rates to look them up in. Plain Python.

Meta charges a message once, when it is delivered, by its category and the market of the recipient's country code (Cloud
API, "Pricing"). Since 2026-10-01 service replies and utility templates inside the window are charged too; what is free
says so itself in `pricing.type`, so the thousand free service messages of a number are never counted here a second time.
A price that no card has is unknown (None), never zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

NOTHING = Decimal(0)
SERVICE_CHARGED_FROM = date(2026, 10, 1)
"""From then on replies without a template are charged, and utility templates inside the window (Meta, 2026-09-11)."""


class Category(StrEnum):
    MARKETING = "marketing"
    UTILITY = "utility"
    AUTHENTICATION = "authentication"
    AUTHENTICATION_INTERNATIONAL = "authentication_international"
    SERVICE = "service"


FREE_TYPES = frozenset({"free_customer_service", "free_entry_point", "free_group_customer_service"})
_FREE_CATEGORIES = frozenset({"referral_conversion"})
_CATEGORIES = {category.value: category for category in Category} | {"marketing_lite": Category.MARKETING}

OTHER = "Other"
_OWN_MARKETS = {
    "AR": "Argentina", "BR": "Brazil", "CL": "Chile", "CO": "Colombia", "EG": "Egypt", "FR": "France", "DE": "Germany",
    "IN": "India", "ID": "Indonesia", "IL": "Israel", "IT": "Italy", "MY": "Malaysia", "MX": "Mexico",
    "NL": "Netherlands", "NG": "Nigeria", "PK": "Pakistan", "PE": "Peru", "RU": "Russia", "SA": "Saudi Arabia",
    "ZA": "South Africa", "ES": "Spain", "TR": "Turkey", "AE": "United Arab Emirates", "GB": "United Kingdom",
}  # fmt: skip
_SHARED_MARKETS = {
    "North America": "US CA",
    "Rest of Africa": (
        "DZ AO BJ BW BF BI CM TD CG ER ET GA GM GH GW CI KE LS LR LY MG MW ML MR MA MZ NA NE RW SN SL SO SS SD SZ TZ TG"
        " TN UG ZM"
    ),
    "Rest of Asia Pacific": "AF AU BD KH CN HK JP LA MN NP NZ PG PH SG LK TW TJ TH TM UZ VN",
    "Rest of Central & Eastern Europe": "AL AM AZ BY BG HR CZ GE GR HU LV LT MD MK PL RO RS SK SI UA",
    "Rest of Latin America": "BO CR DO EC SV GT HT HN JM NI PA PY PR UY VE",
    "Rest of Middle East": "BH IQ JO KW LB OM QA YE",
    "Rest of Western Europe": "AT BE DK FI IE NO PT SE CH",
}
_MARKETS = _OWN_MARKETS | {code: market for market, codes in _SHARED_MARKETS.items() for code in codes.split()}
MARKETS = frozenset(_MARKETS.values()) | {OTHER}
"""The names Meta's rate card uses."""


def market_of(country: str | None) -> str | None:
    """The market a country (ISO, like "PE") is charged as; None where the country is not known."""
    return _MARKETS.get(country, OTHER) if country else None


def category_of(word: str) -> Category | None:
    """Meta's or a template's word for a category, in either spelling; None for one that has no rate."""
    word = word.lower().replace("-", "_").removeprefix("group_")
    return _CATEGORIES.get(word)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one delivered message costs in a market from a day on (UTC)."""

    market: str
    category: Category
    currency: str
    valid_from: date
    amount: Decimal


class Card:
    """The rates of one currency."""

    def __init__(self, currency: str, rates: Iterable[Rate]) -> None:
        self.currency = currency
        self._rates: dict[tuple[str, str], list[tuple[date, Decimal]]] = {}
        for rate in sorted(rates, key=lambda rate: rate.valid_from):
            if rate.currency == currency:
                self._rates.setdefault((rate.market, rate.category), []).append((rate.valid_from, rate.amount))

    def __bool__(self) -> bool:
        return bool(self._rates)

    def rate(self, category: Category, country: str | None, on: date) -> Decimal | None:
        """The rate in force on that day, None if the card has none."""
        known = None
        for valid_from, amount in self._rates.get((market_of(country) or "", category), ()):
            if valid_from > on:
                break
            known = amount
        return known

    def expected(
        self, category: Category, country: str | None, at: datetime, *, is_open: bool, is_free_entry: bool
    ) -> Decimal | None:
        """What a message of that moment will cost if it is delivered.

        `is_open`: inside the 24-hour window. `is_free_entry`: inside the 72 hours of somebody who came through an ad. A
        number's thousand free service messages a month are not taken off: only Meta knows how many are left.
        """
        on = at.astimezone(UTC).date()
        if is_free_entry:
            return NOTHING
        if on < SERVICE_CHARGED_FROM and (category is Category.SERVICE or (category is Category.UTILITY and is_open)):
            return NOTHING
        return self.rate(category, country, on)

    def charged(
        self, *, category: str, type: str, billable: bool | None, country: str | None, at: datetime
    ) -> Decimal | None:
        """What a message cost by the provider's own words (`pricing` of a status); None if no rate is known."""
        if type in FREE_TYPES or category.lower() in _FREE_CATEGORIES or (billable is False and type != "regular"):
            return NOTHING
        known = category_of(category)
        return self.rate(known, country, at.astimezone(UTC).date()) if known else None
