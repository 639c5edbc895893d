from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm import tombstone_files


class Command(BaseCommand):
    help = (
        "Write all erasures to a file: digests and sealed keys, no names. Keep it with every backup; after restoring one,"
        " `erase --again FILE` erases again whoever had been erased since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--export", required=True, metavar="FILE", help="where to write; a dash is the output")

    def handle(self, **options: Any) -> None:
        if options["export"] == "-":
            tombstone_files.write(self.stdout)  # type: ignore[arg-type]
            return
        try:
            with Path(options["export"]).open("w", encoding="utf-8") as file:
                count = tombstone_files.write(file)
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from None
        self.stdout.write(f"{count} erasures written.")
