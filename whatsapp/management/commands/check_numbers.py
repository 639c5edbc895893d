from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timesince import timesince

from tenants import clock
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp.checking import check_connection, problems_of
from whatsapp.models import Number
from whatsapp.tabulating import table


class Command(BaseCommand):
    help = "List every number with its queue, its token, its last webhook, and what is wrong with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="short name of one company; without it, all")
        parser.add_argument("--live", action="store_true", help="ask WhatsApp about every number, and store the answer")

    def handle(self, *, tenant: str | None, live: bool, **options: Any) -> None:
        with system_transaction():
            everyone = Tenant.objects.order_by("name")
            companies = list(everyone.filter(slug=tenant) if tenant else everyone)
        if tenant and not companies:
            raise CommandError(f"There is no company with the short name “{tenant}”.")
        rows = [row for company in companies for row in self._rows(company, live=live)]
        head = ["company", "alias", "phone number id", "number", "queue", "token", "last webhook", "wrong"]
        self.stdout.write(table(head, rows) if rows else "There are no numbers.")
        wrong = sum(row[-1] != "–" for row in rows)
        self.stdout.write(f"{len(rows)} numbers, {wrong} with something wrong.")

    def _rows(self, company: Tenant, *, live: bool) -> list[list[str]]:
        now = clock.now()
        told: dict[Any, tuple[str, ...]] = {}
        if live:
            with tenant_transaction(company.pk):
                number_ids = list(Number.objects.values_list("pk", flat=True))
            for number_id in number_ids:
                told[number_id] = check_connection(tenant_id=company.pk, number_id=number_id, now=now).problems
        with tenant_transaction(company.pk):
            return [
                [
                    company.slug,
                    number.alias,
                    number.phone_number_id,
                    number.display_number,
                    number.queue.name if number.queue else "–",
                    str(number.get_token_state_display()),
                    f"{timesince(number.last_webhook_at, now)} ago" if number.last_webhook_at else "–",
                    "; ".join(dict.fromkeys([*problems_of(number, now=now), *told.get(number.pk, ())])) or "–",
                ]
                for number in Number.objects.defer(None).select_related("queue")
            ]
