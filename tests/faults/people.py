"""What runs inside a process of the product to prepare a scene: a company, conversations, messages to send."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from tests.faults.stage import NUMBER

_NAMESPACE = UUID("5a4f6c0e-0000-4000-8000-000000000001")


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


def found(*, slug: str = "faults", number_id: str = NUMBER, pace: int = 80) -> dict[str, str]:
    """A company with one number, whose people have passwords that cost nothing to make."""
    from django.conf import settings

    from tests.cast import found_company

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    company = found_company(slug, number_id=number_id)
    with company.transaction():
        company.number.sends_per_second = pace
        company.number.save(update_fields=["sends_per_second"])
    return {"tenant": str(company.tenant.pk), "number": str(company.number.pk)}


def talk(*, people: int, number_id: str = NUMBER) -> int:
    """So many customers have written this moment, so that their windows are open."""
    from crm import inbound
    from tests import meta

    now = meta.now()
    for first in range(0, people, 500):
        page = range(first, min(first + 500, people))
        said = [meta.text(wamid=f"wamid.opening.{one}", wa_id=phone(one), at=now) for one in page]
        meta.store(meta.body(meta.messages(*said, number_id=number_id)))
    inbound.drain()
    return people


def compose(*, tenant: str, count: int, first: int = 0, after_s: float = 0, source: str = "agent") -> int:
    """Write `count` messages round the conversations; the same message again when called again.

    With `after_s` they are due only so many seconds later.
    """
    from django.db.models.functions import Now

    from crm import outbound
    from crm.models import Conversation, Message, Source
    from tenants.context import tenant_transaction
    from whatsapp.outgoing import Text

    with tenant_transaction(UUID(tenant)):
        talks = list(Conversation.objects.select_related("contact", "number").order_by("contact__phone"))
    for n in range(first, first + count):
        with tenant_transaction(UUID(tenant)):
            message = outbound.compose(
                conversation=talks[n % len(talks)],
                content=Text(f"Mensaje {n}"),
                source=Source(source),
                client_id=uuid5(_NAMESPACE, str(n)),
                now=datetime.now(UTC),
            )
            if after_s:
                due = Now() + timedelta(seconds=after_s)
                Message.objects.filter(pk=message.pk).update(next_attempt_at=due)
    return count


def snooze(*, tenant: str, count: int, least_s: float, most_s: float) -> int:
    """Put conversations aside until moments that are evenly spread."""
    from crm import routing
    from crm.models import Conversation
    from tenants.context import tenant_transaction

    now = datetime.now(UTC)
    with tenant_transaction(UUID(tenant)):
        for place, conversation in enumerate(Conversation.objects.order_by("pk")[:count]):
            until = now + timedelta(seconds=least_s + (most_s - least_s) * place / count)
            routing.snooze(conversation=conversation, until=until, actor=None, now=now)
    return count


def enroll(*, tenant: str, count: int) -> int:
    """Put conversations into a sequence of one step; when it is due is written by the caller."""
    from crm.models import Conversation
    from sequences import enrolling
    from sequences.definition import Definition, Delay, Step, Unit, Variant
    from sequences.models import Sequence, SequenceVersion
    from tenants.context import tenant_transaction

    step = Step("", Delay(count=1, unit=Unit.HOURS), (Variant(text="Paso", template=None),))
    definition = Definition(steps=(step,), quiet_from="00:00", quiet_to="00:00")
    with tenant_transaction(UUID(tenant)):
        sequence = Sequence.objects.create(tenant_id=tenant, name="Carrito", is_active=True)
        sequence.version = SequenceVersion.objects.create(
            tenant_id=tenant, sequence=sequence, number=1, definition=definition.as_json()
        )
        sequence.save()
        enrolling.enroll(sequence, list(Conversation.objects.order_by("pk")[:count]), now=datetime.now(UTC))
    return count


def decide_shown(*, tenant: str) -> int:
    """A person looks at the messages of unknown outcome and has each sent again; how many there were."""
    from crm import outbound
    from crm.models import Message, MessageStatus
    from tenants.context import tenant_transaction

    with tenant_transaction(UUID(tenant)):
        shown = list(Message.objects.filter(status=MessageStatus.UNKNOWN).select_related("conversation"))
        for message in shown:
            outbound.decide_unknown(message=message, resend=True, actor=None, now=datetime.now(UTC))
    return len(shown)


def reconcile() -> dict[str, int]:
    from crm import outbound

    return outbound.reconcile()


def store(*, bodies: list[str]) -> int:
    """Put webhooks where the intake puts them."""
    from tests.bench import webhooks

    webhooks.store([body.encode() for body in bodies])
    return len(bodies)


def drain() -> int:
    from crm import bells

    return bells.drain()


def dispatch(*, tenant: str, number: str) -> int:
    from crm import bells

    return bells.dispatch(tenant, number)


def dispatch_impatiently(*, tenant: str, number: str) -> int:
    """The same, waiting half a second for an answer instead of twenty."""
    from whatsapp.providers.cloud import client

    client.SILENCE_TIMEOUT = client.CONNECT_TIMEOUT = 0.5
    return dispatch(tenant=tenant, number=number)


def replay_everything() -> dict[str, Any]:
    """What `manage.py replay_webhooks --all` does: {webhooks, rows, failed}."""
    from crm.inbound.replaying import replay_all
    from whatsapp.models import WebhookEvent

    replayed = replay_all(WebhookEvent.objects.all())
    return {"webhooks": replayed.webhooks, "rows": replayed.rows_changed, "failed": replayed.failed}


def phone(person: int) -> str:
    return f"519{person:08d}"


def broadcast(*, tenant: str, count: int, per_minute: int) -> str:
    """A broadcast of a template to a file of so many phones, begun; its list is frozen here."""
    from sequences import broadcasting
    from sequences.models import Broadcast
    from tenants.context import tenant_transaction

    made = write_broadcast(tenant=tenant, count=count, per_minute=per_minute)
    while freeze_lists():
        pass
    with tenant_transaction(UUID(tenant)):
        assert broadcasting.start(Broadcast.objects.get(pk=made), now=datetime.now(UTC))
    return made


def freeze_lists() -> int:
    """What a worker does with the lists that are to be frozen: so many pages."""
    from sequences import freezing

    return freezing.run(datetime.now(UTC))


def write_broadcast(*, tenant: str, count: int, per_minute: int = 600) -> str:
    """A broadcast to a file of so many phones, whose list is still to be frozen."""
    from sequences import freezing
    from sequences.models import Broadcast
    from tenants.context import tenant_transaction
    from whatsapp.models import Number, Template, TemplateStatus
    from whatsapp.simulator.catalogue import CATALOGUE

    offer = next(template for template in CATALOGUE if template["name"] == "oferta_temporada")
    now = datetime.now(UTC)
    with tenant_transaction(UUID(tenant)):
        number = Number.objects.get()
        Template.objects.create(
            tenant_id=number.tenant_id, waba_id=number.waba_id, name=offer["name"], language=offer["language"],
            category=offer["category"], status=TemplateStatus.APPROVED, components=offer["components"],
        )  # fmt: skip
        made = Broadcast.objects.create(
            tenant_id=number.tenant_id, name="Oferta", number=number, template_name=offer["name"],
            template_language=offer["language"], template_category="marketing", per_minute=per_minute, failure_limit=100,
            variables={"1": "{nombre}", "2": "20 %"}, created_at=now,
            rows=[[line + 2, f"+{phone(line)}", {"nombre": f"P{line}"}] for line in range(count)],
        )  # fmt: skip
        freezing.prepare(made)
    return str(made.pk)


def order(*, tenant: str, broadcast: str, do: str) -> bool:
    """What a person's click does with a broadcast."""
    from sequences import broadcasting
    from sequences.models import Broadcast
    from tenants.context import tenant_transaction

    with tenant_transaction(UUID(tenant)):
        found = Broadcast.objects.get(pk=broadcast)
        return broadcasting.pause(found) if do == "pause" else broadcasting.resume(found, now=datetime.now(UTC))


def say_much(*, tenant: str, count: int) -> int:
    """So many sealed messages in one conversation, each with words of its own."""
    from crm.models import Message
    from tenants.context import tenant_transaction
    from tests.crm.views.talk import NOON, conversation

    company = _company(tenant)
    with tenant_transaction(UUID(tenant)):
        told = conversation(company, now=NOON)
        for first in range(0, count, 5_000):
            Message.objects.bulk_create(
                Message(
                    tenant_id=UUID(tenant), conversation=told, number_id=told.number_id, direction="inbound", type="text",
                    source="customer", status="received", text=f"palabra {place}", payload={"body": f"palabra {place}"},
                    sent_at=NOON, provider_message_id=f"wamid.much.{place}",
                )
                for place in range(first, min(first + 5_000, count))
            )  # fmt: skip
    return count


def rotate(*, keys: list[int]) -> str:
    """Seal everything again with the first of these master keys; the others stay configured."""
    import io

    from django.core.management import call_command

    _with_keys(keys)
    said = io.StringIO()
    call_command("rotate_keys", stdout=said)
    return said.getvalue()


def read_on(*, tenant: str, keys: list[int], stop_file: str) -> dict[str, int]:
    """Read messages at random until the file is there: how many could be read, and how many could not."""
    import random
    from pathlib import Path

    from crm.models import Message
    from tenants.context import tenant_transaction
    from tenants.encryption import CannotOpen

    _with_keys(keys)
    read = failed = 0
    with tenant_transaction(UUID(tenant)):
        ids = list(Message.objects.values_list("pk", flat=True))
    while not Path(stop_file).exists():
        with tenant_transaction(UUID(tenant)):
            try:
                for message in Message.objects.filter(pk__in=random.sample(ids, min(200, len(ids)))):
                    is_whole = message.payload == {"body": message.text} and message.text.startswith("palabra ")
                    read, failed = read + is_whole, failed + (not is_whole)
            except CannotOpen:
                failed += 1
    Path(stop_file).write_text(f"{read} {failed}")
    return {"read": read, "failed": failed}


def erase(*, tenant: str, person: int) -> str:
    """Ask for this customer to be erased; the workers do it."""
    from crm import erasing
    from crm.models import ErasureDoor, ErasureReason, Identity
    from tenants.context import tenant_transaction

    with tenant_transaction(UUID(tenant)):
        contact_id = Identity.objects.get(value=phone(person)).contact_id
        erasure = erasing.ask(
            contact_id, tenant_id=UUID(tenant), reason=ErasureReason.REQUEST, door=ErasureDoor.COMMAND, by=None,
            now=datetime.now(UTC),
        )  # fmt: skip
    return str(erasure.pk)


def sealed_with(*, words: list[str]) -> list[str]:
    """Which of these words are in a sealed value of the database, and in which column."""
    from django.db import connection

    from tenants.context import system_transaction
    from tenants.encryption import unseal
    from tenants.rotating import sealed_columns

    found = set()
    with system_transaction(), connection.cursor() as cursor:
        for column in sealed_columns():
            cursor.execute(f'SELECT "{column.name}" FROM "{column.table}" WHERE "{column.name}" IS NOT NULL')
            for (sealed,) in cursor:
                said = unseal(bytes(sealed), purpose=column.purpose)
                found |= {f"{column.table}.{column.name}: {word}" for word in words if word.encode() in said}
    return sorted(found)


def _with_keys(keys: list[int]) -> None:
    from django.conf import settings

    settings.ENCRYPTION_KEYS = {key: bytes([key % 256]) * 32 for key in keys} | settings.ENCRYPTION_KEYS


def _company(tenant: str) -> Any:
    from types import SimpleNamespace

    from tenants.context import tenant_transaction
    from tenants.models import Queue, Tenant
    from whatsapp.models import Number

    with tenant_transaction(UUID(tenant)):
        return SimpleNamespace(
            tenant=Tenant.objects.get(pk=tenant),
            sales=Queue.objects.filter(is_triage=False).first(),
            number=Number.objects.get(),
        )
