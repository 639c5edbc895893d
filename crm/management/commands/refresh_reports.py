from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crm.reports import rollups
from tenants import clock


class Command(BaseCommand):
    help = "Count the reports' hourly figures anew from the messages. Running it again gives the same figures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=35, help="how far back; 35 if not said")

    def handle(self, *, days: int, **options: Any) -> None:
        since = rollups.refresh(clock.now(), hours=24 * days)
        self.stdout.write(f"Counted since {since:%Y-%m-%d %H:%M} UTC.")
