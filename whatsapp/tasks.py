"""What the clock and the bells start: watching numbers, and asking WhatsApp about them."""

import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings

from tenants import clock
from tenants.alerts import raise_alert, resolve_alert
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Severity, Tenant
from whatsapp import cataloguing, checking, connecting, handing_over, renewing, replaying, submitting, watching
from whatsapp.connections_file import UnusableFile
from whatsapp.flows import keys, registry
from whatsapp.models import Number

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def watch_numbers() -> None:
    """Raise and resolve what a person must know of numbers and webhooks; ask WhatsApp about what is due."""
    for tenant_id, number_id in watching.watch(now=clock.now()):
        check_connection.delay(str(tenant_id), str(number_id))


@shared_task(ignore_result=True)
def check_connection(tenant_id: str, number_id: str) -> None:
    """Ask WhatsApp about the number, and renew its token where that is due and possible."""
    which: dict[str, Any] = {"tenant_id": UUID(tenant_id), "number_id": UUID(number_id), "now": clock.now()}
    try:
        check = checking.check_connection(**which)
        renewing.renew(**which, facts=check.token)
    except Number.DoesNotExist:
        logger.info("The number to check is gone", extra={"number_id": number_id})


@shared_task(ignore_result=True)
def hand_over(tenant_id: str, number_id: str) -> None:
    """Ask WhatsApp for what the phone that shares the number has from before."""
    try:
        handing_over.perform(tenant_id=UUID(tenant_id), number_id=UUID(number_id))
    except Number.DoesNotExist:
        logger.info("The number whose phone hands over is gone", extra={"number_id": number_id})


@shared_task(ignore_result=True)
def sweep_handovers() -> None:
    for tenant_id, number_id in handing_over.due():
        hand_over.delay(str(tenant_id), str(number_id))


@shared_task(ignore_result=True)
def replay_number(tenant_id: str, number_id: str) -> None:
    try:
        count = replaying.requeue_number(tenant_id=UUID(tenant_id), number_id=UUID(number_id))
    except Number.DoesNotExist:
        logger.info("The number to replay is gone", extra={"number_id": number_id})
    else:
        logger.info("Webhook events put back into the queue", extra={"number_id": number_id, "count": count})


@shared_task(ignore_result=True)
def sync_templates(tenant_id: str | None = None) -> None:
    """Mirror the company's templates; without one, let a task of its own do it for each company that has numbers."""
    if tenant_id is None:
        with system_transaction():
            tenants = list(
                Number.objects.filter(is_active=True).order_by().values_list("tenant_id", flat=True).distinct()
            )
        for tenant in tenants:
            sync_templates.delay(str(tenant))
        return
    for failure in cataloguing.sync_templates_of_company(UUID(tenant_id), now=clock.now()):
        logger.warning("Templates could not be fetched", extra={"tenant_id": tenant_id, "reason": str(failure)})


@shared_task(ignore_result=True)
def upload_flow_key(tenant_id: str, number_id: str) -> None:
    try:
        keys.upload(tenant_id=UUID(tenant_id), number_id=UUID(number_id), now=clock.now())
    except Number.DoesNotExist:
        logger.info("The number of the key is gone", extra={"number_id": number_id})


@shared_task(ignore_result=True)
def perform_flow(tenant_id: str, flow_id: str) -> None:
    registry.perform(tenant_id=UUID(tenant_id), flow_id=UUID(flow_id), now=clock.now())


@shared_task(ignore_result=True)
def sweep_flows() -> None:
    """Find what WhatsApp has not been told of Flows and keys, whatever became of the bell."""
    flows, numbers = registry.due(now=clock.now())
    for tenant_id, number_id in numbers:
        upload_flow_key.delay(str(tenant_id), str(number_id))
    for tenant_id, flow_id in flows:
        perform_flow.delay(str(tenant_id), str(flow_id))


@shared_task(ignore_result=True)
def sync_flows(tenant_id: str | None = None) -> None:
    """Mirror the company's Flows and check its keys; without one, let a task of its own do it for each company that has numbers."""
    if tenant_id is None:
        with system_transaction():
            tenants = list(
                Number.objects.filter(is_active=True).order_by().values_list("tenant_id", flat=True).distinct()
            )
        for tenant in tenants:
            sync_flows.delay(str(tenant))
        return
    for failure in registry.sync(tenant_id=UUID(tenant_id), now=clock.now()):
        logger.warning("Flows could not be fetched", extra={"tenant_id": tenant_id, "reason": str(failure)})
    keys.check(tenant_id=UUID(tenant_id), now=clock.now())


@shared_task(ignore_result=True)
def submit_templates() -> None:
    """Hand over to Meta what people wrote."""
    submitting.work(now=clock.now())


@shared_task(ignore_result=True)
def sync_connections() -> None:
    """Import the configured connections.json into the configured company; an unusable file raises an alert."""
    if not (settings.CONNECTIONS_FILE and settings.CONNECTIONS_TENANT):
        return
    with system_transaction():
        tenant = Tenant.objects.filter(slug=settings.CONNECTIONS_TENANT).first()
    if tenant is None:
        logger.error("CONNECTIONS_TENANT names no company", extra={"slug": settings.CONNECTIONS_TENANT})
        return
    alert: dict[str, Any] = {"tenant_id": tenant.pk, "kind": watching.UNUSABLE_FILE, "subject": "connections.json"}
    try:
        report = connecting.sync(tenant=tenant, content=Path(settings.CONNECTIONS_FILE).read_bytes())
    except (OSError, UnusableFile) as failure:
        reason = str(failure) if isinstance(failure, UnusableFile) else type(failure).__name__
        with tenant_transaction(tenant.pk):
            raise_alert(**alert, severity=Severity.WARNING, facts={"reason": reason})
        return
    with tenant_transaction(tenant.pk):
        resolve_alert(**alert)
    for line in report.lines:
        if line.needs_check:
            check_connection.delay(str(tenant.pk), str(line.number_id))
