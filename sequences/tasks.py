"""What the clock starts. Time lives in rows, so a beat too many changes nothing and one too few is made up for."""

from celery import shared_task
from django.db import connection

from sequences import broadcasting, crowds, enrolling, handwork, runner
from sequences.models import ManualTask, Sequence, TaskState, Trigger
from tenants import clock
from tenants.context import system_transaction, tenant_transaction


@shared_task(name="sequences.tasks.run", ignore_result=True)
def run() -> int:
    """Run the steps that are due."""
    return runner.run_due(clock.now())


@shared_task(name="sequences.tasks.enroll", ignore_result=True)
def enroll() -> int:
    """Begin sequences with those whose trigger came about."""
    now = clock.now()
    with system_transaction():
        active = Sequence.objects.filter(is_active=True).exclude(trigger=Trigger.MANUAL)
        tenants = list(active.order_by().values_list("tenant_id", flat=True).distinct())
    begun = 0
    for tenant_id in tenants:
        with tenant_transaction(tenant_id):
            begun += enrolling.enroll_by_trigger(now)
    return begun


@shared_task(name="sequences.tasks.enroll_many", ignore_result=True)
def enroll_many() -> int:
    """Go on beginning sequences with crowds."""
    return crowds.run(clock.now())


_FAILED = """
SELECT DISTINCT tenant_id FROM crm_message
WHERE status = 'failed' AND priority > 0 AND failed_at >= %s - interval '2 days'
"""


@shared_task(name="sequences.tasks.take_failed", ignore_result=True)
def take_failed() -> int:
    """Hand the steps that WhatsApp gave back to people."""
    now, taken = clock.now(), 0
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_FAILED, [now])
        tenants = [row[0] for row in cursor.fetchall()]
    for tenant_id in tenants:
        with tenant_transaction(tenant_id):
            taken += handwork.take_failed(now)
    return taken


@shared_task(name="sequences.tasks.find_done", ignore_result=True)
def find_done() -> int:
    """Finish manual tasks that somebody has done without saying so."""
    with system_transaction():
        open_ones = ManualTask.objects.filter(state=TaskState.OPEN)
        tenants = list(open_ones.order_by().values_list("tenant_id", flat=True).distinct())
    found = 0
    for tenant_id in tenants:
        with tenant_transaction(tenant_id):
            found += handwork.find_done(clock.now())
    return found


@shared_task(name="sequences.tasks.broadcast", ignore_result=True)
def broadcast() -> int:
    """Go on with the broadcasts that are under way."""
    return broadcasting.run(clock.now())
