from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm import erasing, tombstone_files
from crm.models import ErasureDoor, ErasureReason, Identity, IdentityKind
from tenants import clock
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp import phones


class Command(BaseCommand):
    help = (
        "Erase a customer of a company, found by a phone; or, after a backup was restored, everybody again who had been"
        " erased. Cannot be taken back. The work is done before the command ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="the company, like demo")
        parser.add_argument("--phone", metavar="PHONE", help="in any spelling; without a country code of the company's")
        parser.add_argument("--reason", choices=ErasureReason.values, default=ErasureReason.REQUEST.value)
        parser.add_argument("--again", metavar="FILE", help="what `erasures --export` wrote")

    def handle(self, **options: Any) -> None:
        if bool(options["again"]) == bool(options["tenant"] and options["phone"]):
            raise CommandError("Say whom: --tenant and --phone, or --again with a file.")
        try:
            if options["again"]:
                self._again(options["again"])
            else:
                self._erase(options["tenant"], options["phone"], ErasureReason(options["reason"]))
        except erasing.CannotErase as refusal:
            raise CommandError(str(refusal.explanation)) from None
        while erasing.run(clock.now()):
            pass

    def _erase(self, slug: str, phone: str, reason: ErasureReason) -> None:
        with system_transaction():
            tenant = Tenant.unfenced.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no company with the short name “{slug}”.")
        try:
            digits = phones.normalise(phone, None if phone.strip().startswith("+") else tenant.default_country)
        except phones.NotAPhone as error:
            raise CommandError(str(error)) from None
        keys = {phones.canonical(digits), phones.canonical("".join(filter(str.isdecimal, phone)))}
        with tenant_transaction(tenant.pk):
            found = Identity.objects.filter(kind=IdentityKind.PHONE, value__in=keys).first()
        if found is None:
            raise CommandError("Nobody of the company has this phone.")
        erasure = erasing.ask(
            found.contact_id, tenant_id=tenant.pk, reason=reason, door=ErasureDoor.COMMAND, by=None, now=clock.now()
        )
        self.stdout.write(f"Erasure {erasure.pk} is on its way.")

    def _again(self, path: str) -> None:
        try:
            with Path(path).open(encoding="utf-8") as file:
                told = tombstone_files.again(file, now=clock.now())
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from None
        except tombstone_files.NotErasures as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{told.stones} erasures put back, {told.people} people erased again.")
