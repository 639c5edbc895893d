"""The whole demonstration, loaded once: all of it in one transaction, so that an interrupted load leaves nothing."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from crm.demo import phones
from crm.demo.companies import COMPANIES, Company
from crm.demo.houses import admit_operator, move_in
from crm.demo.telling import tell
from crm.models import Conversation
from tenants.context import system_transaction
from tenants.models import Tenant


class NotHere(Exception):
    """The demo was asked for where it does not belong."""

    def __init__(self) -> None:
        super().__init__(
            "The demo is for a local machine only: its passwords are public. Nothing was loaded. (`make run` sets LOCAL.)"
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many messages came in; none when everything was there already."""

    messages: int


def load(*, now: datetime, seed: Path | None) -> Loaded:
    """Load the companies that have no conversations yet, and tell the simulator what its customers' phones show.

    Run again it changes nothing. `seed` is the simulator's file; None for no simulator. Raises NotHere outside LOCAL.
    """
    if not settings.LOCAL:
        raise NotHere
    missing = [company for company in COMPANIES if not _is_there(company)]
    messages = 0
    if missing:
        with transaction.atomic():
            admit_operator(password=settings.DEMO_PASSWORD)
            for company in missing:
                house = move_in(company, password=settings.DEMO_PASSWORD, now=now)
                messages += tell(house, now=now)
    if seed:
        phones.write(seed, slugs=[company.slug for company in COMPANIES])
    return Loaded(messages)


def _is_there(company: Company) -> bool:
    with system_transaction():
        tenants = Tenant.objects.filter(slug=company.slug)
        return Conversation.objects.filter(tenant__in=tenants).exists()
