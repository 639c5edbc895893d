"""“Mi perfil” in the demonstration: asked for as a person would, so that the simulated WhatsApp gets it as Meta would."""

from datetime import datetime

from crm.flows import builtin
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp.flows import keys
from whatsapp.models import Flow, FlowWish, Number

_NUMBERS = ("100000000000001", "100000000000002", "100000000000003")


def load(*, now: datetime) -> None:
    """Write it once, with a key for each number; the sweep tells WhatsApp. Running it again changes nothing."""
    with system_transaction():
        tenant = Tenant.objects.filter(slug="demo").first()
    if tenant is None:
        return
    with tenant_transaction(tenant.pk):
        numbers = Number.objects.filter(phone_number_id__in=_NUMBERS).exclude(waba_id="")
        if Flow.objects.exists() or not numbers:
            return
        for number in numbers:
            keys.prepare(number=number)
        Flow.objects.create(
            tenant=tenant, waba_id=numbers[0].waba_id, name=builtin.PROFILE, source=builtin.profile(),
            categories=list(builtin.PROFILE_CATEGORIES), wish=FlowWish.PUBLISH,
        )  # fmt: skip
