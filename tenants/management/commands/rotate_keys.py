from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tenants.rotating import count_by_key, rotate, sealed_columns


class Command(BaseCommand):
    help = (
        "Seal everything again with the newest master key (the first of ENCRYPTION_KEYS). May be killed and started again"
        " at any time, with people working meanwhile. An older key can be removed once its count at the end is gone."
    )

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"The newest master key is {next(iter(settings.ENCRYPTION_KEYS))}.")
        left = 0
        counts: Counter[int] = Counter()
        for column in sealed_columns():
            resealed = 0
            for batch in rotate(column):
                resealed += batch.resealed
                left += batch.left
                self.stdout.write(f"{column}: {resealed} sealed again")
                self.stdout.flush()
            counts.update(count_by_key(column))
        for number, count in sorted(counts.items(), reverse=True):
            known = "" if number in settings.ENCRYPTION_KEYS else ", which is not in ENCRYPTION_KEYS"
            self.stdout.write(f"key {number}{known}: {count} values")
        if left:
            raise CommandError(f"{left} values could not be opened: they are damaged, or their key is not configured.")
