from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.context import system_transaction
from tenants.models import Tenant
from whatsapp.connecting import Outcome, Report, sync
from whatsapp.connections_file import UnusableFile
from whatsapp.tabulating import table


class Command(BaseCommand):
    help = (
        "Import numbers from the flow builder's connections.json. Running it again changes nothing. Entries that cannot"
        " be imported are reported and the rest is; the exit code is 1 only when the file or the company is unusable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--tenant", required=True, help="short name of the company, like demo")

    def handle(self, *, file: Path, tenant: str, **options: Any) -> None:
        with system_transaction():
            company = Tenant.objects.filter(slug=tenant).first()
        if company is None:
            raise CommandError(f"There is no company with the short name “{tenant}”.")
        try:
            report = sync(tenant=company, content=file.read_bytes())
        except OSError as failure:
            raise CommandError(f"{file} cannot be read: {failure.strerror}.") from None
        except UnusableFile as refusal:
            raise CommandError(f"{file}: {refusal}") from None
        self._print(report)

    def _print(self, report: Report) -> None:
        head = ["entry", "result", "alias", "phone number id", "number", "queue", "changed"]
        rows = [
            [
                str(line.position),
                line.outcome.value,
                line.name,
                line.phone_number_id,
                line.display_number,
                line.queue or "–",
                ", ".join(line.changes),
            ]
            for line in report.lines
        ]
        if rows:
            self.stdout.write(table(head, rows))
        for line in report.lines:
            for warning in line.warnings:
                self.stdout.write(
                    self.style.WARNING(f"entry {line.position}, {line.name or 'without a name'}: {warning}")
                )
        for name in report.without_queue:
            self.stdout.write(self.style.WARNING(f"{name} has no queue: its conversations go to triage."))
        counts = ", ".join(f"{report.counts[outcome]} {outcome.value}" for outcome in Outcome if report.counts[outcome])
        self.stdout.write(f"{len(report.lines)} entries: {counts or 'nothing to do'}. {report.changed} changed.")
