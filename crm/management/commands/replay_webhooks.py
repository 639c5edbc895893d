from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from crm.inbound.replaying import Replayed, replay_all
from tenants.context import system_transaction
from tenants.models import Tenant
from whatsapp.models import EventState, WebhookEvent


class Command(BaseCommand):
    help = (
        "Merge stored webhooks again. What was merged already changes nothing: the number of changed rows is measured, and"
        " is 0 after a complete merge. The conditions narrow each other; --all takes everything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every stored webhook")
        parser.add_argument("--id", type=int, action="append", dest="ids", metavar="N", help="this one; repeatable")
        parser.add_argument(
            "--since", metavar="ISO", help="received at or after this moment; UTC unless it says otherwise"
        )
        parser.add_argument("--hours", type=float, metavar="N", help="received in the last N hours")
        parser.add_argument("--state", choices=EventState.values)
        parser.add_argument("--tenant", metavar="SLUG", help="of this company alone, like demo")
        parser.add_argument("--dry-run", action="store_true", help="measure what would change, and change nothing")

    def handle(self, **options: Any) -> None:
        replayed = replay_all(_chosen(options, now=timezone.now()), dry_run=options["dry_run"])
        self._print(replayed, dry_run=options["dry_run"])
        if replayed.failed:
            ids = ", ".join(map(str, replayed.failed[:20]))
            raise CommandError(
                f"{len(replayed.failed)} could not be merged and are as they were: {ids}. The log says why."
            )

    def _print(self, replayed: Replayed, *, dry_run: bool) -> None:
        for table, rows in replayed.rows.items():
            if rows:
                self.stdout.write(f"  {table}: {rows}")
        would = "would change; nothing was" if dry_run else "changed"
        self.stdout.write(f"{replayed.webhooks} webhooks replayed, {replayed.rows_changed} rows {would}.")


def _chosen(options: dict[str, Any], *, now: datetime) -> QuerySet[WebhookEvent]:
    events = WebhookEvent.objects.all()
    conditions = {
        "pk__in": options["ids"],
        "received_at__gte": _since(options, now=now),
        "state": options["state"],
        "tenant_id": _tenant_id(options["tenant"]),
    }
    given = {name: value for name, value in conditions.items() if value is not None}
    if bool(given) == options["all"]:
        raise CommandError("Say which webhooks: --id, --since, --hours, --state or --tenant; or --all, alone.")
    return events.filter(**given)


def _since(options: dict[str, Any], *, now: datetime) -> datetime | None:
    if options["hours"] is not None:
        return now - timedelta(hours=options["hours"])
    if options["since"] is None:
        return None
    try:
        moment = parse_datetime(options["since"]) or datetime.fromisoformat(options["since"])
    except ValueError:
        raise CommandError(f"“{options['since']}” is no moment; write it like 2026-11-20T09:30.") from None
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _tenant_id(slug: str | None) -> Any:
    if slug is None:
        return None
    with system_transaction():
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise CommandError(f"There is no company with the short name “{slug}”.")
    return tenant.pk
