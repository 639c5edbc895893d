from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crm import searching


class Command(BaseCommand):
    help = "Take the words of messages for the search. Runs by itself every few seconds; --all begins anew, after a change of SECRET_KEY."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="forget every word first")

    def handle(self, **options: Any) -> None:
        if options["all"]:
            searching.start_again()
        self.stdout.write(f"{searching.index()} messages looked at.")
