from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from crm.demo import NotHere, load
from crm.local.environment import data_dir
from crm.reports import rollups
from tenants import clock


class Command(BaseCommand):
    help = "Load the two companies of the demonstration, once; running it again changes nothing. Local machines only."

    def handle(self, **options: Any) -> None:
        try:
            loaded = load(now=clock.now(), seed=Path(data_dir()) / "simulator-seed.json")
        except NotHere as refusal:
            raise CommandError(str(refusal)) from None
        for name in settings.DEMO_PARTS:
            import_string(name)(now=clock.now())
        rollups.refresh(clock.now())
        self.stdout.write(f"{loaded.messages} messages loaded." if loaded.messages else "The demo is there already.")
