"""Rate cards: Meta's file is read as it comes, and one with a fault changes nothing."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from whatsapp import rating
from whatsapp.models import Rate
from whatsapp.pricing import Category

pytestmark = pytest.mark.django_db

META = """\ufeffWhatsApp Business Platform rate card,,,,,
"Effective January 1, 2027",,,,,
Market,Currency,Marketing,Utility,Authentication,Authentication-International
Peru,$US,0.0750,0.0310,0.0310,n/a
Rest of Central and Eastern Europe,$US,0.0860,0.0212,0.0212,n/a
India,$US,0.0118,0.0014,0.0014,0.0280
"""
NEW_YEAR = date(2027, 1, 1)


@pytest.fixture(autouse=True)
def fresh_cards():
    rating.forget_cards()
    yield
    rating.forget_cards()


def test_the_card_that_comes_with_the_product_knows_the_neighbours():
    card = rating.card_of("USD")
    assert card.rate(Category.MARKETING, "PE", date(2026, 11, 1)) == Decimal("0.0703")
    assert card.rate(Category.SERVICE, "CO", date(2026, 11, 1)) == Decimal("0.0008")
    assert card.rate(Category.SERVICE, "UY", date(2026, 11, 1)) == Decimal("0.0113")
    assert card.rate(Category.SERVICE, "EG", date(2026, 11, 1)) is None


def test_metas_own_file(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        loaded = rating.load(META, valid_from=NEW_YEAR)
    assert (loaded.rates, loaded.changed, loaded.currencies) == (13, 13, ("USD",))
    assert "Chile" in loaded.without and "Peru" not in loaded.without
    card = rating.card_of("USD")
    assert (
        card.rate(Category.UTILITY, "PE", NEW_YEAR) == card.rate(Category.SERVICE, "PE", NEW_YEAR) == Decimal("0.031")
    )
    assert card.rate(Category.MARKETING, "PE", date(2026, 12, 31)) == Decimal("0.0703")
    assert card.rate(Category.AUTHENTICATION_INTERNATIONAL, "IN", NEW_YEAR) == Decimal("0.028")
    assert card.rate(Category.MARKETING, "CZ", NEW_YEAR) == Decimal("0.086")


def test_loading_it_again_changes_nothing_and_a_mended_amount_one():
    rating.load(META, valid_from=NEW_YEAR)
    assert rating.load(META, valid_from=NEW_YEAR).changed == 0
    assert rating.load(META.replace("0.0750", "0.0760"), valid_from=NEW_YEAR).changed == 1


def test_one_line_a_rate():
    rating.load("market,category,currency,valid_from,amount\nPeru,utility,PEN,2026-10-01,0.11\n")
    assert rating.card_of("PEN").rate(Category.UTILITY, "PE", date(2026, 11, 1)) == Decimal("0.11")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "begins with “Market”"),
        ("Market,Marketing\nPeru,0.1\n", "--currency"),
        ("Market,Currency,Marketing\nAtlantis,USD,0.1\n", "Line 2: “Atlantis” is no market"),
        ("Market,Currency,Marketing\nPeru,USD,cheap\n", "Line 2: “cheap” is no amount"),
        ("Market,Currency,Marketing\nPeru,dollars,0.1\n", "is no currency"),
        ("Market,Currency,Colour\nPeru,USD,0.1\n", "no column of a category"),
        ("Market,Currency,Marketing\nPeru,USD,0.1\nPeru,USD,0.2\n", "Line 3: Peru, marketing has two different"),
        ("Market,Category,Currency,Amount\nPeru,holiday,USD,0.1\n", "“holiday” is no category"),
        ("Market,Currency,Marketing\n", "no rate in the file"),
        ("Market,Currency,Valid from,Marketing\nPeru,USD,01/10/2026,0.1\n", "is no date"),
    ],
)
def test_a_file_with_a_fault_says_where_and_changes_nothing(text, said):
    before = Rate.objects.count()
    with pytest.raises(rating.UnusableRates, match=said.replace("(", r"\(")):
        rating.load(text, valid_from=NEW_YEAR)
    assert Rate.objects.count() == before


def test_the_command_says_what_it_loaded(tmp_path, capsys):
    file = tmp_path / "rates.csv"
    file.write_text(META, "utf-8")
    call_command("load_rates", str(file), valid_from="2027-01-01")
    said = capsys.readouterr().out
    assert "13 rates in USD. 13 changed." in said and "Without a rate in this file: Argentina" in said
    file.write_text("Market,Currency\nPeru,USD\n", "utf-8")
    with pytest.raises(CommandError, match="was not loaded"):
        call_command("load_rates", str(file), valid_from="2027-01-01")
