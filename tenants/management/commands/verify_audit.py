from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.audit import verifying, watching
from tenants.audit.chain import Head
from tenants.context import system_transaction
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Compare the history of changes with its chain: every row that was changed, removed, invented or moved by somebody"
        " with the database is named. Ends with 1 when there is any. Each company's head is printed: keep this output on"
        " another machine, and give it as --heads the next time, to see whether the end of a chain was cut off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="the short name of the company, or its id; all when left out")
        parser.add_argument(
            "--heads", type=Path, help="an output of this command that was kept; else the last daily look"
        )
        parser.add_argument(
            "--accept",
            action="store_true",
            help="have the daily look start from these heads: after a backup was restored",
        )

    def handle(self, *, tenant: str | None, heads: Path | None, accept: bool, **options: Any) -> None:
        only = _tenant_id(tenant) if tenant else None
        kept = _read(heads) if heads else {}
        tenant_ids = [only] if only else sorted({*verifying.chains(), *kept})
        known = kept if heads else {} if accept else watching.remembered(tenant_ids)
        found = 0
        heads_now = {}
        for tenant_id in tenant_ids:
            verification = verifying.Verification(tenant_id, known=known.get(tenant_id))
            found += self._say(verification)
            heads_now[tenant_id] = verification.head
            self.stdout.write(f"head {tenant_id} {verification.head.seq} {verification.head.mac.hex()}")
        found += self._say(verifying.rows_without_entry(only))
        if accept:
            watching.remember(heads_now)
        if found:
            raise CommandError(f"{found} findings: the history is not what was sealed.")
        self.stdout.write("The history is what was sealed.")

    def _say(self, findings: Iterable[verifying.Finding]) -> int:
        count = 0
        for finding in findings:
            self.stdout.write(str(finding))
            count += 1
        return count


def _tenant_id(name: str) -> UUID:
    """By its short name; one that is gone has only an id."""
    with system_transaction():
        tenant_id = Tenant.objects.filter(slug=name).values_list("pk", flat=True).first()
    try:
        return tenant_id or UUID(name)
    except ValueError:
        raise CommandError(f"There is no company “{name}”.") from None


def _read(path: Path) -> dict[UUID, Head]:
    """The lines that begin with `head`."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.startswith("head ")]
        return {UUID(tenant_id): Head(int(seq), bytes.fromhex(mac)) for _head, tenant_id, seq, mac in lines}
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} is no output of this command: {error}") from None
