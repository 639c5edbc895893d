"""Erasing a person: at once they are gone from every page, and in the background, page by page, from everywhere else.

Whoever is being erased stands behind the fence: no statement of the company sees their contact or conversations any more
(`erased_at`), their addresses are free for whoever writes from them next, and what is said of them in webhooks up to that
moment is not heard (`crm.inbound.erased`). Each piece of the work is one transaction that also says how far it came: killed
it is done again, done twice it changes nothing. What is left in the end is a tombstone (`crm.tombstones`) and figures.
"""

from crm.erasing.asking import MOST_COUNTED, CannotErase, Forecast, NotNow, ask, forecast
from crm.erasing.lateness import LATE, watch
from crm.erasing.working import run

__all__ = ["LATE", "MOST_COUNTED", "CannotErase", "Forecast", "NotNow", "ask", "forecast", "run", "watch"]
