"""Bells: they say that there may be work, never what it is. Losing one costs at most one sweep; ringing twice, nothing.

The work itself waits in Postgres rows. A task opens its own short transactions.
"""

import logging
import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from tenants import clock, counters
from tenants.context import system_transaction, tenant_transaction
from tenants.crew import Crew
from whatsapp import health
from whatsapp import tasks as whatsapp_tasks
from whatsapp.retention import keep_webhooks
from whatsapp.tasks import submit_templates, sync_templates

log = logging.getLogger(__name__)

# After a ring that failed there is no sense in trying the next one at once.
_QUIET_SECONDS = 5.0


def ring_drain() -> None:
    """Say that webhooks were stored. Call it after they are committed."""
    _ring(drain)


def ring_sweep() -> None:
    """Say that something may have become possible that was not before (a number exists, a pause is over)."""
    _ring(sweep)


def ring_dispatch(tenant_id: UUID, number_id: UUID) -> None:
    """Say, once the present transaction commits, that messages of this number may be due."""
    transaction.on_commit(lambda: _ring(dispatch, str(tenant_id), str(number_id)))


def ring_media() -> None:
    """Say, once the present transaction commits, that files may be due."""
    transaction.on_commit(lambda: _ring(media))


def ring_flow(tenant_id: UUID, flow_id: UUID) -> None:
    """Say, once the present transaction commits, that WhatsApp is to be told something of a Flow."""
    transaction.on_commit(lambda: _ring(whatsapp_tasks.perform_flow, str(tenant_id), str(flow_id)))


def ring_flow_key(tenant_id: UUID, number_id: UUID) -> None:
    """Say, once the present transaction commits, that a number's key waits to be uploaded."""
    transaction.on_commit(lambda: _ring(whatsapp_tasks.upload_flow_key, str(tenant_id), str(number_id)))


def ring_handover(tenant_id: UUID, number_id: UUID) -> None:
    """Say, once the present transaction commits, that WhatsApp is to be asked for what a phone has."""
    transaction.on_commit(lambda: _ring(whatsapp_tasks.hand_over, str(tenant_id), str(number_id)))


def ring_flows(tenant_id: UUID) -> None:
    """Say, once the present transaction commits, that the company's Flows are to be fetched."""
    transaction.on_commit(lambda: _ring(whatsapp_tasks.sync_flows, str(tenant_id)))


def ring_templates(tenant_id: UUID) -> None:
    """Say, once the present transaction commits, that the company has templates we know nothing of."""
    transaction.on_commit(lambda: _ring(sync_templates, str(tenant_id)))


def ring_submission() -> None:
    """Say, once the present transaction commits, that a template is to be submitted."""
    transaction.on_commit(lambda: _ring(submit_templates))


class Ringer:
    """Rings from a thread of its own: nobody waits for Redis, and what was rung again meanwhile is rung once.

    Kombu alone tries for 6 s to reach a Redis that is gone, and for 10 s one that is silent.
    """

    INTERVAL = 0.02

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, ...], Any] = {}
        self._rang = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._quiet_until = 0.0

    def ring(self, task: Any, *arguments: str) -> None:
        """Have the task sent soon. Returns at once and never raises."""
        with self._lock:
            self._wanted[task.name, *arguments] = task
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
                self._thread.start()
        self._rang.set()

    def _run(self) -> None:
        while True:
            self._rang.wait()
            self._rang.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, {}
            for (_name, *arguments), task in wanted.items():
                self._send(task, arguments)
            time.sleep(self.INTERVAL)

    def _send(self, task: Any, arguments: list[str]) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            task.apply_async(arguments, expires=60, ignore_result=True)
        except (OperationalError, OSError):
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            log.warning("bell not rung; the sweep will find the work")


_ring = Ringer().ring


# One batch costs the same forty statements whatever it holds, so one thread takes all that came meanwhile: as many
# threads as there are bells took a few webhooks each, and 3,300 a second filled both cores of a small machine.
_mergers = Crew(most=1)
# What comes while somebody merges, and a moment longer, is merged together; what comes after a silence at once.
GATHER_SECONDS = 0.08
# Where one of these is held up by a lock, the sweep's goes on with the rest.
_BELL, _SWEEP = "bell", "sweep"


@shared_task(name="crm.bells.drain")
def drain(seat: str = _BELL) -> int:
    """Merge the webhooks that are waiting; returns how many, and at once if somebody in this process is at it."""
    from crm import inbound

    if not _mergers.join(seat):
        return 0
    try:
        taken = inbound.drain()
        while _mergers.takes_word(seat):
            time.sleep(GATHER_SECONDS)
            taken += inbound.drain()
        return taken
    finally:
        if _mergers.leave(seat, is_done=True):
            _ring(drain, seat)


@shared_task(name="crm.bells.dispatch")
def dispatch(tenant_id: str, number_id: str) -> int:
    """Send what is due on one number."""
    from crm import outbound

    return outbound.dispatch(tenant_id=UUID(tenant_id), number_id=UUID(number_id))


_WAKE_UNROUTED = """
UPDATE whatsapp_webhookevent e SET state = 'new', next_attempt_at = statement_timestamp()
WHERE e.state = 'unrouted' AND NOT EXISTS (
    SELECT FROM unnest(e.unrouted_number_ids) AS missing (id)
    WHERE NOT EXISTS (
        SELECT FROM whatsapp_number n WHERE n.provider = e.provider AND n.phone_number_id = missing.id))
"""
_WAITING = (
    "SELECT EXISTS (SELECT FROM whatsapp_webhookevent WHERE state = 'new' AND next_attempt_at <= statement_timestamp())"
)
_DUE_NUMBERS = """
SELECT n.tenant_id, n.id FROM whatsapp_number n
WHERE n.is_active AND n.paused_reason = '' AND EXISTS (
    SELECT FROM crm_message m WHERE m.number_id = n.id AND m.status = 'queued' AND m.next_attempt_at <= statement_timestamp())
"""
_RESOLVE_UNROUTED = """
UPDATE tenants_alert a SET resolved_at = statement_timestamp()
WHERE a.kind = 'webhook-unrouted' AND a.resolved_at IS NULL
  AND EXISTS (SELECT FROM whatsapp_number n WHERE n.phone_number_id = a.subject)
"""


@shared_task(name="crm.bells.sweep")
def sweep() -> None:
    """Find what no bell announced: webhooks, numbers with due messages, deliveries whose number exists by now."""
    counters.heartbeat("beat")
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_WAKE_UNROUTED)
        if cursor.rowcount:
            cursor.execute(_RESOLVE_UNROUTED)
        cursor.execute(_WAITING)
        waiting = cursor.fetchone()[0]
        cursor.execute(_DUE_NUMBERS)
        due = cursor.fetchall()
    if waiting:
        _ring(drain, _SWEEP)
    for tenant_id, number_id in due:
        _ring(dispatch, str(tenant_id), str(number_id))


@shared_task(name="crm.bells.media")
def media() -> int:
    """Fetch and hand over the files that are due."""
    from crm import media as files

    return files.work()


@shared_task(name="crm.bells.index")
def index() -> int:
    """Take the words of new messages for the search."""
    from crm import searching

    return searching.index()


@shared_task(name="crm.bells.bring")
def bring() -> int:
    """Go on with the imports of contacts."""
    from crm import imports
    from tenants import clock

    return imports.run(clock.now())


def ring_bring() -> None:
    """Say, once the present transaction commits, that an import has something to do."""
    transaction.on_commit(lambda: _ring(bring))


@shared_task(name="crm.bells.erase")
def erase() -> int:
    """Go on with the erasures that people asked for, and tell of those that take too long."""
    from crm import erasing

    done = erasing.run(clock.now())
    erasing.watch(clock.now())
    return done


def ring_erase() -> None:
    """Say, once the present transaction commits, that somebody is to be erased."""
    transaction.on_commit(lambda: _ring(erase))


@shared_task(name="crm.bells.distribute")
def distribute() -> int:
    """Give what waits in queues to their people."""
    from crm import distributing

    return distributing.run(clock.now())


def ring_distribute() -> None:
    """Say, once the present transaction commits, that something may wait for somebody to be given it."""
    transaction.on_commit(lambda: _ring(distribute))


@shared_task(name="crm.bells.report", ignore_result=True)
def report(hours: int = 2) -> None:
    """Count the reports' last hours anew, and see to the budgets."""
    from crm import budgets
    from crm.reports import rollups

    now = clock.now()
    rollups.refresh(now, hours=hours)
    budgets.watch(now)


@shared_task(name="crm.bells.suspect")
def suspect() -> int:
    """Look for people who have probably blocked a number: in full every few hours, else what has just spoken."""
    from crm import suspecting

    return suspecting.run(clock.now())


@shared_task(name="crm.bells.silence")
def silence() -> int:
    """Look for numbers that usually get messages at this hour and hear nothing."""
    from crm import silences

    return silences.watch(clock.now())


@shared_task(name="crm.bells.mail_alerts")
def mail_alerts() -> int:
    """Tell by mail what needs somebody and has not been told."""
    from tenants import mailing

    return mailing.mail_alerts(now=clock.now())


@shared_task(name="crm.bells.seal_history")
def seal_history() -> int:
    """Seal what the history of changes has gathered."""
    from tenants.audit.sealing import seal

    return seal()


# It may take longer than Redis waits for an answer: a second one beside it would do no harm, and no good.
@shared_task(name="crm.bells.verify_history", acks_late=False)
def verify_history() -> int:
    """Look whether the history of changes is what was sealed."""
    from tenants.audit import watching

    return watching.watch()


@shared_task(name="crm.bells.reconcile")
def reconcile() -> dict[str, int]:
    """Resolve the sends of unknown outcome that can be resolved."""
    from crm import outbound

    return outbound.reconcile()


@shared_task(name="crm.bells.wake")
def wake() -> int:
    """Bring back the conversations whose snooze is over."""
    from crm import routing
    from crm.models import Conversation, ConversationStatus

    now = clock.now()
    with system_transaction():
        over = Conversation.objects.filter(status=ConversationStatus.SNOOZED, snoozed_until__lte=now)
        found = list(over.values_list("tenant_id", "pk")[:500])
    for tenant_id, conversation_id in found:
        with tenant_transaction(tenant_id):
            conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
            if conversation and conversation.snoozed_until and conversation.snoozed_until <= now:
                routing.wake(conversation=conversation, now=now)
    return len(found)


_FORGET_STATUSES = """
DELETE FROM crm_unmatchedstatus WHERE ctid IN (
    SELECT ctid FROM crm_unmatchedstatus WHERE received_at < statement_timestamp() - interval '8 days' LIMIT 5000)
"""


@shared_task(name="crm.bells.forget")
def forget() -> dict[str, int]:
    """Drop what is past its time: days of merged webhooks, old lines of health, merges and imports, statuses of nobody."""
    from crm import imports, merges

    with system_transaction():
        merges.forget(clock.now())
        imports.forget(clock.now())
    made, dropped = keep_webhooks(days=settings.WEBHOOK_RETENTION_DAYS)
    health.forget(before=clock.now() - timedelta(days=settings.HEALTH_RETENTION_DAYS))
    statuses = 0
    while True:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute(_FORGET_STATUSES)
            statuses += cursor.rowcount
            if cursor.rowcount < 5000:
                return {"days_made": made, "days_dropped": dropped, "statuses": statuses}
