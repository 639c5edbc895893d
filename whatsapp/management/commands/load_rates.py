from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from whatsapp import rating


class Command(BaseCommand):
    help = (
        "Load a rate card: Meta's CSV file, or one line a rate (market, category, currency, valid_from, amount). Loading"
        " it again changes nothing; a file with any fault changes nothing either. Costs since then are reckoned anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--valid-from", type=date.fromisoformat, help="first day of the rates, like 2027-01-01")
        parser.add_argument("--currency", default="", help="the file's currency where it has no such column, like USD")

    def handle(self, *, file: Path, valid_from: date | None, currency: str, **options: Any) -> None:
        try:
            loaded = rating.load(file.read_text("utf-8"), valid_from=valid_from, currency=currency)
        except OSError as failure:
            raise CommandError(f"{file} cannot be read: {failure.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(f"{file} is not UTF-8 text: save it as CSV UTF-8.") from None
        except rating.UnusableRates as refusal:
            raise CommandError(f"{file} was not loaded.\n{refusal}") from None
        self.stdout.write(f"{loaded.rates} rates in {', '.join(loaded.currencies)}. {loaded.changed} changed.")
        if loaded.without:
            self.stdout.write(self.style.WARNING(f"Without a rate in this file: {', '.join(loaded.without)}."))
