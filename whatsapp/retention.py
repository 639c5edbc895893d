"""How long stored webhooks stay: a part of the table for each day, made ahead of it and dropped when it is past its time."""

import logging

from django.db import connection
from django.db.utils import OperationalError

from tenants.context import system_transaction

log = logging.getLogger(__name__)

DAYS_AHEAD = 7


def keep_webhooks(*, days: int) -> tuple[int, int]:
    """Make the parts of the coming week and drop those older than `days`; returns how many were made and dropped.

    What was not merged outlives its day. Running it again changes nothing; when the table is too busy to be altered
    within a second it gives up until next time, and a day that nobody made has its rows kept apart meanwhile.
    """
    try:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT made, dropped FROM whatsapp_webhookevent_keep(%s, %s)", [days, DAYS_AHEAD])
            made, dropped = cursor.fetchone()
    except OperationalError as error:
        # Another statement holds the table (lock_timeout); the week ahead leaves many chances.
        log.warning("days of webhooks not kept", extra={"error": type(error).__name__})
        return 0, 0
    return made, dropped
