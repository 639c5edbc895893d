"""Merging stored webhooks again, and measuring what that changed: after a complete merge it must be nothing."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import QuerySet

from crm.inbound.draining import replay
from tenants.context import system_transaction
from whatsapp.models import WebhookEvent

log = logging.getLogger(__name__)

PAGE = 500
TABLES = (
    "crm_message", "crm_contact", "crm_identity", "crm_conversation", "crm_episode", "crm_reaction", "crm_attachment",
    "crm_unmatchedstatus",
)  # fmt: skip


@dataclass(slots=True)
class Replayed:
    """How many webhooks were merged again, how many rows that wrote by table, and which webhooks could not be."""

    webhooks: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)

    @property
    def rows_changed(self) -> int:
        return sum(self.rows.values())


def replay_all(events: QuerySet[WebhookEvent], *, dry_run: bool = False) -> Replayed:
    """Merge these again, oldest first, a page in each transaction; with `dry_run` every page is rolled back.

    A page that cannot be merged is tried one by one, and what still cannot be is left as it was.
    """
    replayed = Replayed()
    for page in _pages(events):
        if not _replay_page(page, replayed, dry_run=dry_run):
            replayed.failed += [one for one in page if not _replay_page([one], replayed, dry_run=dry_run)]
    return replayed


def _pages(events: QuerySet[WebhookEvent]) -> Iterator[list[int]]:
    last = 0
    while True:
        with system_transaction():
            page = list(events.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PAGE])
        if not page:
            return
        yield page
        last = page[-1]


def _replay_page(page: list[int], replayed: Replayed, *, dry_run: bool) -> bool:
    try:
        with transaction.atomic():
            before = _written()
            replay(page)
            after = _written()
            transaction.set_rollback(dry_run)
    except Exception:
        log.exception("webhooks could not be merged again", extra={"first": page[0], "webhooks": len(page)})
        return False
    replayed.webhooks += len(page)
    for table in TABLES:
        replayed.rows[table] = replayed.rows.get(table, 0) + after[table] - before[table]
    return True


# PostgreSQL's own count of rows inserted, updated and deleted so far by this transaction, so also what an UPDATE wrote
# that left every value as it was (PostgreSQL docs, "The Cumulative Statistics System": pg_stat_xact_user_tables).
_WRITTEN = """
SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)
"""


def _written() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN, [list(TABLES)])
        return dict.fromkeys(TABLES, 0) | dict(cursor.fetchall())
