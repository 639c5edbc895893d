"""Meta's rules of what a message costs, and how a price that nobody knows is kept apart from nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from whatsapp.pricing import MARKETS, OTHER, Card, Category, Rate, category_of, market_of

BEFORE, SINCE = datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
START = date(2025, 7, 1)


def card(*rates: Rate) -> Card:
    return Card("USD", rates)


PERU = card(
    Rate("Peru", Category.MARKETING, "USD", START, Decimal("0.0703")),
    Rate("Peru", Category.UTILITY, "USD", START, Decimal("0.0200")),
    Rate("Peru", Category.UTILITY, "USD", date(2026, 10, 1), Decimal("0.0300")),
    Rate("Peru", Category.SERVICE, "USD", date(2026, 10, 1), Decimal("0.0300")),
    Rate("Peru", Category.UTILITY, "EUR", START, Decimal("9")),
)


@pytest.mark.parametrize(
    ("category", "at", "is_open", "is_free_entry", "amount"),
    [
        (Category.MARKETING, BEFORE, True, False, "0.0703"),
        (Category.MARKETING, SINCE, False, False, "0.0703"),
        (Category.MARKETING, SINCE, True, True, "0"),
        (Category.UTILITY, BEFORE, True, False, "0"),
        (Category.UTILITY, BEFORE, False, False, "0.0200"),
        (Category.UTILITY, SINCE, True, False, "0.0300"),
        (Category.SERVICE, BEFORE, True, False, "0"),
        (Category.SERVICE, SINCE, True, False, "0.0300"),
        (Category.SERVICE, SINCE, True, True, "0"),
    ],
)
def test_what_a_message_is_expected_to_cost(category, at, is_open, is_free_entry, amount):
    expected = PERU.expected(category, "PE", at, is_open=is_open, is_free_entry=is_free_entry)
    assert expected == Decimal(amount)


def test_a_price_that_no_card_has_is_unknown_and_not_nothing():
    assert PERU.rate(Category.AUTHENTICATION, "PE", SINCE.date()) is None
    assert PERU.rate(Category.MARKETING, "CL", SINCE.date()) is None
    assert PERU.rate(Category.MARKETING, None, SINCE.date()) is None
    assert PERU.rate(Category.MARKETING, "PE", date(2025, 6, 30)) is None
    assert Card("EUR", []).rate(Category.MARKETING, "PE", SINCE.date()) is None


@pytest.mark.parametrize(
    ("category", "type", "billable", "amount"),
    [
        ("utility", "regular", True, "0.0300"),
        ("service", "regular", True, "0.0300"),
        ("service", "free_customer_service", False, "0"),
        ("referral_conversion", "free_entry_point", False, "0"),
        ("utility", "free_customer_service", None, "0"),
        ("marketing_lite", "regular", True, "0.0703"),
        ("utility", "regular", None, "0.0300"),
        ("utility", "", False, "0"),
        ("general_purpose_ai", "regular", True, None),
        ("authentication", "regular", True, None),
    ],
)
def test_what_was_charged_is_what_the_provider_says(category, type, billable, amount):
    charged = PERU.charged(category=category, type=type, billable=billable, country="PE", at=SINCE)
    assert charged == (None if amount is None else Decimal(amount))


def test_both_spellings_of_a_category_are_one():
    assert category_of("authentication-international") is category_of("AUTHENTICATION_INTERNATIONAL")
    assert category_of("group_utility") is Category.UTILITY
    assert category_of("holiday") is None


def test_every_country_is_charged_as_one_market():
    assert market_of("PE") == "Peru" and market_of("US") == market_of("CA") == "North America"
    assert market_of("UY") == "Rest of Latin America" and market_of("PT") == "Rest of Western Europe"
    assert market_of("IS") == OTHER and market_of("") is None and market_of(None) is None
    assert OTHER in MARKETS and len(MARKETS) == 32
