"""What the clock starts. Time lives in rows, so a beat too many changes nothing and one too few is made up for."""

from celery import shared_task

from sequences import enrolling, handwork, runner
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
