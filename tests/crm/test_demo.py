"""The demonstration: everything a newcomer should meet is there, and it came in as real talk would have."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import override_settings

from crm.demo import load
from crm.models import Activity, Contact, Conversation, Episode, Message, Reaction
from crm.models.conversations import ConversationQuerySet
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Membership, Tenant, User
from tests.emptying import empty_everything
from tests.plugin import servers
from tests.whatsapp.simulator.conftest import Application
from whatsapp.models import EventState, Number, Template, WebhookEvent
from whatsapp.simulator.process import Simulator, wait_until
from whatsapp.window import SOON

NOW = datetime.now(UTC)
QUICK_HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
VENTAS, TRIAGE = "100000000000001", "100000000000003"


@pytest.fixture(scope="module")
def seed(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Path]:
    """The demo, loaded once for these tests; the simulator's file that came of it."""
    path = tmp_path_factory.mktemp("demo") / "simulator-seed.json"
    with django_db_blocker.unblock(), override_settings(PASSWORD_HASHERS=[QUICK_HASHER]):
        try:
            load(now=NOW, seed=path)
            yield path
        finally:
            connections.close_all()
            empty_everything(servers.database_url)
            cache.clear()


@pytest.fixture
def demo(seed) -> Iterator[Tenant]:
    """Inside the company Demo."""
    with system_transaction():
        tenant = Tenant.objects.get(slug="demo")
    with tenant_transaction(tenant.pk):
        yield tenant


def rows() -> dict[str, list[Any]]:
    """Every row of every table with its version: any write shows."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname ~ '^(crm|whatsapp|tenants)_'"
        )
        tables = sorted(
            name for (name,) in cursor.fetchall() if not name.endswith("event") or name.startswith("whatsapp")
        )
        versions = {}
        for table in tables:
            cursor.execute(f"SELECT tableoid, xmin::text, ctid::text FROM {table} ORDER BY tableoid, ctid")
            versions[table] = cursor.fetchall()
        return versions


def of_demo() -> ConversationQuerySet:
    return Conversation.objects.all()


@pytest.mark.parametrize(
    ("state", "conversations"),
    {
        "waiting": lambda: of_demo().waiting(),
        "about to close": lambda: of_demo().running_out(now=NOW, until=NOW + SOON),
        "38 minutes left": lambda: of_demo().waiting().filter(window_expires_at__range=_minutes(37, 39)),
        "window closed": lambda: of_demo().filter(status="open", window_expires_at__lt=NOW),
        "never wrote": lambda: of_demo().filter(window_expires_at=None),
        "snoozed": lambda: of_demo().filter(status="snoozed", snoozed_until__gt=NOW),
        "closed": lambda: of_demo().filter(status="closed"),
        "in triage": lambda: of_demo().in_triage().filter(number__phone_number_id=TRIAGE),
        "unassigned": lambda: of_demo().waiting().filter(assignee=None),
        "ana's": lambda: of_demo().filter(status="open", assignee__user__email="ana@demo.test"),
        "luis's": lambda: of_demo().filter(status="open", assignee__user__email="luis@demo.test"),
        "read, not answered": lambda: of_demo().waiting().filter(unread_count=0),
        "without a phone": lambda: of_demo().filter(contact__phone="", contact__username="dani.trail"),
        "without a name": lambda: of_demo().filter(contact__profile_name="", contact__name="", contact__username=""),
        "stopped marketing": lambda: of_demo().filter(contact__marketing_stopped=True),
        "Brazil": lambda: of_demo().filter(contact__phone__startswith="55"),
        "failed": lambda: of_demo().filter(messages__status="failed", messages__error_reason__gt=""),
        "unknown outcome": lambda: of_demo().filter(messages__status="unknown"),
        "transferred": lambda: of_demo().filter(activities__kind="transferred"),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_state_is_there(demo, state, conversations):
    assert conversations().exists(), state


def _minutes(*minutes: int) -> tuple[datetime, ...]:
    return tuple(NOW + timedelta(minutes=count) for count in minutes)


def test_every_kind_of_message_is_there(demo):
    kinds = set(Message.objects.values_list("direction", "type"))
    came = {kind for direction, kind in kinds if direction == "inbound"}

    assert came >= {"text", "image", "audio", "video", "document", "location", "contacts", "sticker", "unsupported",
                    "order", "button", "edit", "revoke"}  # fmt: skip
    assert ("outbound", "template") in kinds
    assert set(Message.objects.values_list("source", flat=True)) == {"customer", "agent", "sequence", "phone"}
    assert Message.objects.exclude(quoted_message_id="").exists()
    assert set(Reaction.objects.values_list("ours", flat=True)) == {True, False}
    assert any("referral" in message.payload for message in Message.objects.filter(direction="inbound"))


def test_there_is_enough_of_it_and_none_in_the_future(demo):
    assert 55 <= Conversation.objects.count() <= 70
    assert 600 <= Message.objects.count() <= 900
    assert not Message.objects.filter(sent_at__gt=NOW).exists()
    assert not Activity.objects.filter(at__gt=NOW).exists()
    assert not Message.objects.filter(status__in=("queued", "sending")).exists(), "nothing may be sent by loading"


def test_each_row_of_the_list_agrees_with_its_thread(demo):
    for conversation in Conversation.objects.all():
        thread = Message.objects.filter(conversation=conversation).exclude(type__in=("edit", "revoke", "system"))
        newest = thread.order_by("-sent_at", "-id").first()
        assert (conversation.last_message, conversation.last_message_at) == (newest, newest.sent_at)
        assert (conversation.waiting_since is None) >= (
            conversation.unread_count == 0 and conversation.status == "closed"
        )


def test_earlier_episodes_are_closed_and_answered(demo):
    several = [c for c in Conversation.objects.all() if c.episodes.count() >= 3]
    assert several
    assert not Episode.objects.filter(conversation__status="closed", closed_at=None).exists()
    for episode in Episode.objects.exclude(first_reply_at=None):
        assert episode.opened_at <= episode.first_reply_at <= (episode.closed_at or NOW)


@pytest.mark.parametrize(
    "email",
    ["owner@demo.test", "admin@demo.test", "supervisor@demo.test", "ana@demo.test", "luis@demo.test", "owner@otra.test",
     "operator@ventana.test"],
)  # fmt: skip
def test_each_login_works(seed, settings, email):
    with system_transaction():
        assert User.objects.get(email=email).check_password(settings.DEMO_PASSWORD)
    assert authenticate(email=email, password="something else") is None


def test_queues_and_numbers(demo):
    queues = {str(number.phone_number_id): number.queue and number.queue.name for number in Number.objects.all()}

    assert queues == {VENTAS: "Ventas", "100000000000002": "Soporte", TRIAGE: None}
    assert Number.objects.get(phone_number_id=VENTAS).account().token == "EAAsim-demo-ventas-000001"
    ana = Membership.objects.get(user__email="ana@demo.test")
    assert {queue.is_triage or queue.name for queue in ana.queues.all()} == {True, "Ventas"}
    assert Template.objects.filter(waba_id="300000000000001", status="APPROVED", category="UTILITY").exists()


def test_the_other_company_is_another_one(seed):
    with system_transaction():
        other = Tenant.objects.get(slug="otra")
    with tenant_transaction(other.pk):
        assert Number.objects.get().phone_number_id == "200000000000001"
        assert 6 <= Conversation.objects.count() <= 12
        assert Contact.objects.filter(profile_name="Escola Pequeno Príncipe").exists()
        assert not Contact.objects.filter(profile_name="Rosa Quispe").exists()


def test_a_second_run_changes_nothing_and_asks_little(seed, django_assert_max_num_queries):
    before, phones = rows(), seed.read_text()

    with django_assert_max_num_queries(30):
        load(now=datetime.now(UTC), seed=seed)

    assert rows() == before
    assert seed.read_text() == phones


def test_replaying_all_of_it_changes_nothing(seed):
    output = StringIO()
    with system_transaction():
        count = WebhookEvent.objects.count()
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {EventState.DONE}

    call_command("replay_webhooks", "--all", stdout=output)

    assert output.getvalue() == f"{count} webhooks replayed, 0 rows changed.\n"


def test_the_simulator_delivers_an_answer_to_an_open_conversation(seed):
    with system_transaction():
        rosa = Conversation.objects.select_related("contact", "number").get(contact__profile_name="Rosa Quispe")
        number, phone = rosa.number, rosa.contact.phone
    application = Application()
    body = {"messaging_product": "whatsapp", "to": f"+{phone}", "type": "text", "text": {"body": "Ya va"}}

    with Simulator(app_url=application.url, SIMULATOR_SEED=str(seed)) as simulator:
        simulator.faults(status_delay={"sent": [0.01, 0.01], "delivered": [0.05, 0.05], "read": [0.1, 0.1]})
        sent = simulator.call("POST", f"/v25.0/{number.phone_number_id}/messages", body, token=number.account().token)
        wamid = sent["messages"][0]["id"]
        wait_until(lambda: "read" in application.names_of(wamid))

    application.server.shutdown()
    assert "failed" not in application.names_of(wamid)


def test_it_is_refused_outside_a_local_machine(db, settings):
    settings.LOCAL = False
    with system_transaction():
        before = set(Tenant.objects.values_list("pk"))

    with pytest.raises(CommandError, match="local machine only"):
        call_command("load_demo")

    with system_transaction():
        assert set(Tenant.objects.values_list("pk")) == before


def test_templates_have_their_quality_and_those_that_were_sent_say_when(demo):
    assert Template.objects.get(name="promo_liquidacion").quality == "RED"
    assert Template.objects.get(name="bono_cumpleanos").reason == "INCORRECT_CATEGORY"
    used = Template.objects.exclude(last_used_at=None)
    assert used.exists() and not used.filter(last_used_at__gt=NOW).exists()
