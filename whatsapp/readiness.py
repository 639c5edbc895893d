"""Whether a number is ready: what WhatsApp said about it, judged together with what we know by ourselves."""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from tenants import clock
from whatsapp.models import Number
from whatsapp.preconditions import Circumstances, Findings, Precondition, judge


def preconditions_of(number: Number, *, now: datetime, is_silent: bool = False) -> list[Precondition]:
    """Each thing the number needs, as it was when WhatsApp was last asked and as our own rows are now."""
    url, _verify_token = address_of(number)
    here = Circumstances(
        now=now - clock.ahead(),  # webhooks are noted by the database's clock
        webhook_url=url,
        waba_id=number.waba_id,
        number=number.display_number or number.alias,
        queue=number.queue.name if number.queue else "",
        last_webhook_at=number.last_webhook_at,
        loop_started_at=number.loop_started_at,
        is_silent=is_silent,
        flow_key=_flow_key(number),
        refused=number.findings.get("refused"),
    )
    return judge(Findings.read(number.findings), here)


def address_of(number: Number) -> tuple[str, str]:
    """Where this number's webhooks belong, and the verify token of that address."""
    base = f"{settings.BASE_URL.rstrip('/')}/webhooks/whatsapp/"
    if number.endpoint:
        return f"{base}{number.endpoint.key}/", number.endpoint.verify_token
    return base, settings.META_VERIFY_TOKEN


def _flow_key(number: Number) -> bool | None:
    if not settings.FLOW_KEY_STATE:
        return None
    state: Callable[[Number], bool | None] = import_string(settings.FLOW_KEY_STATE)
    return state(number)
