"""The rate cards that are loaded: reading them by currency, and taking in Meta's file."""

import csv
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from whatsapp.models import Rate
from whatsapp.pricing import MARKETS, SERVICE_CHARGED_FROM, Card, Category, category_of
from whatsapp.signals import rates_loaded

KEPT_SECONDS = 60.0
"""How long a process goes on with the cards it has read: rates change four times a year."""

_cards: dict[str, tuple[float, Card]] = {}


def card_of(currency: str) -> Card:
    """The rates of a currency; an empty card where none is loaded."""
    known = _cards.get(currency)
    if known is None or time.monotonic() - known[0] > KEPT_SECONDS:
        rates = [rate.as_rate for rate in Rate.objects.filter(currency=currency)]
        known = _cards[currency] = time.monotonic(), Card(currency, rates)
    return known[1]


def forget_cards() -> None:
    """Read the cards anew from now on."""
    _cards.clear()


class UnusableRates(ValueError):
    """The file cannot be loaded, and nothing of it was; `faults` say what to mend, by line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file."""

    rates: int
    changed: int
    currencies: tuple[str, ...]
    without: tuple[str, ...]
    """Markets of Meta's that the file does not name: what is sent there has no known price."""


@dataclass(slots=True)
class _Sheet:
    rates: dict[tuple[str, str, str, date], Decimal] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


_UPSERT = """
INSERT INTO whatsapp_rate AS r (id, market, category, currency, valid_from, amount)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::date[], %s::numeric[])
ON CONFLICT (currency, market, category, valid_from) DO UPDATE
SET amount = EXCLUDED.amount, loaded_at = statement_timestamp() WHERE r.amount <> EXCLUDED.amount
"""


def load(text: str, *, valid_from: date | None = None, currency: str = "") -> Loaded:
    """Take in a rate card as Meta publishes it, or one line a rate; loading it again changes nothing.

    Meta's: a line of headings with Market, Currency and the categories, after any preamble. Ours: market, category,
    currency, valid_from, amount. `valid_from` and `currency` stand in for columns that the file lacks. Raises
    UnusableRates with every fault found; then nothing is loaded.
    """
    sheet = _read(text, valid_from, currency.upper())
    if sheet.faults:
        raise UnusableRates(sheet.faults)
    keys = sorted(sheet.rates)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            [
                [uuid7() for _ in keys],
                [market for market, *_ in keys],
                [category for _, category, *_ in keys],
                [money for _, _, money, _ in keys],
                [day for *_, day in keys],
                [sheet.rates[key] for key in keys],
            ],
        )
        changed = cursor.rowcount
        since = min(day for *_, day in keys)
        transaction.on_commit(lambda: _announce(since))
    return Loaded(
        len(keys),
        changed,
        tuple(sorted({money for _, _, money, _ in keys})),
        tuple(sorted(MARKETS - {market for market, *_ in keys})),
    )


def _announce(since: date) -> None:
    forget_cards()
    rates_loaded.send(sender=None, since=since)


def _read(text: str, valid_from: date | None, currency: str) -> _Sheet:
    sheet = _Sheet()
    lines = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    start = next((at for at, line in enumerate(lines) if line and _heading(line[0]) == "market"), None)
    if start is None:
        sheet.faults.append("There is no line of headings that begins with “Market”.")
        return sheet
    headings = [_heading(cell) for cell in lines[start]]
    if "currency" not in headings and not currency:
        sheet.faults.append("The file has no column Currency: say which one it is in with --currency.")
    if "valid_from" not in headings and valid_from is None:
        sheet.faults.append("The file does not say from when it holds: say so with --valid-from, like 2027-01-01.")
    if "category" not in headings and not any(category_of(heading) for heading in headings):
        sheet.faults.append("There is no column of a category, like Marketing or Utility.")
    if sheet.faults:
        return sheet
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if any(cell.strip() for cell in line):
            row = dict(zip(headings, (cell.strip() for cell in line), strict=False))
            _take(sheet, number, row, valid_from, currency)
    if not sheet.rates and not sheet.faults:
        sheet.faults.append("There is no rate in the file.")
    return sheet


def _heading(cell: str) -> str:
    word = "_".join(cell.strip().lower().replace("-", " ").split())
    return {"rate": "amount", "price": "amount"}.get(word, word)


def _take(sheet: _Sheet, number: int, row: dict[str, str], valid_from: date | None, currency: str) -> None:
    market = _market(row.get("market", ""))
    if market is None:
        sheet.faults.append(f"Line {number}: “{row.get('market', '')}” is no market of Meta's rate card.")
        return
    money = _money(row.get("currency") or currency)
    if money is None:
        sheet.faults.append(f"Line {number}: “{row.get('currency', '')}” is no currency; write its code, like USD.")
        return
    try:
        day = date.fromisoformat(row["valid_from"]) if row.get("valid_from") else valid_from
    except ValueError:
        day = None
    if day is None:
        sheet.faults.append(f"Line {number}: “{row.get('valid_from', '')}” is no date; write it like 2027-01-01.")
        return
    for category, written in _amounts(row):
        if category is None:
            sheet.faults.append(f"Line {number}: “{row.get('category', '')}” is no category that has a rate.")
            continue
        amount = _amount(written)
        if amount is None:
            sheet.faults.append(f"Line {number}: “{written}” is no amount; write it like 0.0703.")
            continue
        key = market, category.value, money, day
        if sheet.rates.setdefault(key, amount) != amount:
            sheet.faults.append(f"Line {number}: {market}, {category} has two different amounts in this file.")


def _amounts(row: dict[str, str]) -> Iterator[tuple[Category | None, str]]:
    if "category" in row:
        yield category_of(row["category"]), row.get("amount", "")
        return
    written = {
        category: text
        for heading, text in row.items()
        if (category := category_of(heading)) and text.lower() not in ("", "n/a", "-", "–")
    }
    # Meta charges replies without a template as utility since 2026-10-01; its file has no column for them.
    if Category.UTILITY in written:
        written.setdefault(Category.SERVICE, written[Category.UTILITY])
    yield from written.items()


def _market(written: str) -> str | None:
    known = {market.lower().replace("&", "and"): market for market in MARKETS}
    return known.get(" ".join(written.lower().replace("&", " and ").split()))


def _money(written: str) -> str | None:
    code = {"$us": "USD", "us$": "USD"}.get(written.lower(), written.lstrip("$€£").upper())
    return code if len(code) == 3 and code.isascii() and code.isalpha() else None


def _amount(written: str) -> Decimal | None:
    try:
        amount = Decimal(written.replace("$", "").replace(",", "."))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 1000 else None


__all__ = ["SERVICE_CHARGED_FROM", "Loaded", "UnusableRates", "card_of", "forget_cards", "load"]
