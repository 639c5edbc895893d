"""The address that phones exchange with, `/flows/<phone_number_id>/`: verify, open, answer, seal. Nothing slow inside.

Meta signs with the app's secret, so the secret that applies to the number is the one of its webhooks. A business account
has one address a Flow and one key a number: what arrives here may be sealed with the key of any of the account's numbers.
Nothing of what is inside is ever logged. Codes: 421, the phone fetches the public key again and repeats; 427, the token is
over (the sealed body says so to the person); 432, the signature is wrong (Flows, "Implementing your Flow endpoint").
"""

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tenants import clock, counters
from tenants.context import system_transaction, tenant_transaction
from whatsapp.flows import encryption, exchanging
from whatsapp.models import FlowKey, Number, ProviderName
from whatsapp.providers import get_provider
from whatsapp.strangers import Strangers

CANNOT_OPEN, WRONG_SIGNATURE = 421, 432
_MOST_KEYS = 40
_strangers, _noting = Strangers(), Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """A number as the endpoint needs it."""

    tenant_id: UUID
    number_id: UUID
    waba_id: str
    locale: str
    app_secret: str = field(repr=False)


@csrf_exempt  # WhatsApp has no session; its signature says who it is
@require_POST
def exchange(request: HttpRequest, phone_number_id: str) -> HttpResponse:
    """One exchange with a phone. A number that we do not have answers as if the address did not exist."""
    caller = request.META.get("REMOTE_ADDR", "")
    if _strangers.is_refused(caller):
        return _refuse(429, "forging", headers={"Retry-After": "5"})  # nothing is looked up for it
    line = _find(phone_number_id)
    if line is None:
        return _refuse(404, "number")
    verify = get_provider(ProviderName.CLOUD).verify
    is_genuine = verify(secret=line.app_secret, headers=request.headers, body=request.body)
    with _noting:
        _strangers.saw(caller, genuine=is_genuine)
    if not is_genuine:
        return _refuse(WRONG_SIGNATURE, "signature")
    now = clock.now()
    with tenant_transaction(line.tenant_id), translation.override(line.locale):
        try:
            opened = encryption.opened(request.body, private_keys=_private_keys(line, now))
        except encryption.CannotOpen:
            return _refuse(CANNOT_OPEN, "key")
        answer = exchanging.answer(opened.request, now=now)
    counters.count("flow_exchanges_total", outcome=answer.outcome)
    return HttpResponse(opened.sealed(answer.body), status=answer.status, content_type="text/plain")


def _find(phone_number_id: str) -> Line | None:
    with system_transaction():
        numbers = Number.objects.select_related("endpoint", "tenant")
        number = numbers.filter(provider=ProviderName.CLOUD, phone_number_id=phone_number_id).first()
        if number is None:
            return None
        secret = settings.META_APP_SECRET
        if number.endpoint:
            secret = number.endpoint.app_secret if number.endpoint.is_active else ""
        return Line(number.tenant_id, number.pk, number.waba_id, number.tenant.locale, secret)


def _private_keys(line: Line, now: datetime) -> list[str]:
    """Of the number first, then of the others of its business account; without those that were replaced long ago."""
    ours = Q(number_id=line.number_id) | (Q(number__waba_id=line.waba_id) if line.waba_id else Q())
    valid = Q(replaced_at=None) | Q(replaced_at__gt=now - FlowKey.REPLACED_FOR)
    first = Case(When(number_id=line.number_id, then=Value(0)), default=Value(1))
    keys = FlowKey.objects.filter(ours, valid).order_by(first, "-created_at")
    return list(keys.values_list("private_key", flat=True)[:_MOST_KEYS])


def _refuse(status: int, reason: str, *, headers: dict[str, str] | None = None) -> HttpResponse:
    counters.count("flow_exchanges_total", outcome=reason)
    return HttpResponse(status=status, content_type="text/plain", headers=headers)
