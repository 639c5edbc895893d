"""A conversation whose window is open, and a WhatsApp that answers over real sockets and keeps a ledger."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from crm import inbound, outbound
from crm.models import Conversation, Message, Source
from crm.outbound import dispatching
from tenants.context import system_transaction
from tests import meta
from tests.cast import Company
from whatsapp.outgoing import Outgoing, Text
from whatsapp.simulator.process import Simulator

ROSA = "51900555014"


@pytest.fixture(autouse=True)
def _nobody_has_written_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test let a person write makes pages small for ten seconds."""
    monkeypatch.setattr(dispatching, "_people", SimpleNamespace(wrote_at=-1e9))


def now() -> datetime:
    return datetime.now(UTC)


def talk(company: Company, phone: str = ROSA, *, at: int | None = None, **identity: Any) -> Conversation:
    """The conversation of a customer who wrote a moment ago, or at `at`, to the company's number."""
    said = meta.text(wamid=f"wamid.{uuid4()}", wa_id=phone, at=at or meta.now(), **identity)
    contacts = [meta.contact(phone, **({"user_id": identity["from_user_id"]} if identity else {}))]
    meta.store(meta.body(meta.messages(said, number_id=company.number.phone_number_id, contacts=contacts)))
    inbound.drain()
    with company.transaction():
        return Conversation.objects.select_related("contact", "number").get(
            number=company.number, contact__identities__address=phone
        )


def say(company: Company, conversation: Conversation, body: str | Outgoing = "hola", **changes: Any) -> Message:
    """Queue a message; what is in `changes` is written over it, to put it into the middle of its life."""
    content = Text(body) if isinstance(body, str) else body
    with company.transaction():
        message = outbound.compose(
            conversation=Conversation.objects.get(pk=conversation.pk),
            content=content,
            source=changes.pop("source", Source.AGENT),
            client_id=uuid4(),
            now=now(),
            **({"priority": changes.pop("priority")} if "priority" in changes else {}),
        )
        if changes:
            Message.objects.filter(pk=message.pk).update(**changes)
            message.refresh_from_db()
    return message


def dispatch(company: Company) -> int:
    return outbound.dispatch(tenant_id=company.tenant.pk, number_id=company.number.pk)


def reload(company: Company, message: Message) -> Message:
    with company.transaction():
        return Message.objects.get(pk=message.pk)


def hurry(company: Company) -> None:
    """Let the time pass for which queued messages wait before their next try."""
    with company.transaction(), connection.cursor() as cursor:
        cursor.execute("UPDATE crm_message SET next_attempt_at = statement_timestamp() WHERE status = 'queued'")


def wait_of(company: Company, message: Message, *, since: datetime | None = None) -> float:
    """Seconds until the next try from a moment (default: from now), by the database's clock."""
    with company.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(epoch FROM next_attempt_at - COALESCE(%s, statement_timestamp())) FROM crm_message"
            " WHERE id = %s",
            [since, message.pk],
        )
        return float(cursor.fetchone()[0])


def change_token(company: Company, token: str) -> None:
    with company.transaction():
        company.number.token = token
        company.number.save(update_fields=["token"])


def age(company: Company, message: Message, seconds: float) -> None:
    """Make everything that happened to a message `seconds` older."""
    with company.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_message SET unknown_at = unknown_at - make_interval(secs => %(by)s),"
            " lease_expires_at = lease_expires_at - make_interval(secs => %(by)s) WHERE id = %(id)s",
            {"by": seconds, "id": message.pk},
        )


def report(company: Company, *statuses: dict) -> None:
    """WhatsApp reports statuses, and they are merged."""
    meta.store(meta.body(meta.statuses(*statuses, number_id=company.number.phone_number_id)))
    inbound.drain()


def intake_received(company: Company) -> None:
    """A webhook of the company's number reached us just now."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE whatsapp_number SET last_webhook_at = statement_timestamp() WHERE id = %s", [company.number.pk]
        )


@pytest.fixture(scope="session")
def _running_simulator() -> Iterator[Simulator]:
    with Simulator(app_url="http://127.0.0.1:9") as simulator:  # its webhooks go nowhere: the tests report statuses
        yield simulator


@pytest.fixture
def simulator(_running_simulator: Simulator, settings: Any) -> Simulator:
    """Nothing limits it and nothing goes wrong until a test says so; each number takes its own token only."""
    _running_simulator.reset()
    _running_simulator.faults(
        withhold_statuses=True,
        window="off",
        throughput=0,
        pair=False,
        numbers={
            "100000000000001": {"token": "token-of-ours-000001"},
            "200000000000001": {"token": "token-of-theirs-000001"},
        },
    )
    settings.GRAPH_API_URL = _running_simulator.url
    return _running_simulator


@pytest.fixture
def texts(simulator: Simulator) -> Callable[[], list[str]]:
    """What WhatsApp accepted, in the order in which it did."""
    return lambda: [entry["text"] for entry in simulator.ledger()]


@pytest.fixture
def rosa(ours: Company) -> Conversation:
    return talk(ours)
