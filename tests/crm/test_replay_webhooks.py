"""Merging stored webhooks again from the command line, and the count of rows that it changed."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from crm import inbound
from crm.inbound import replaying
from crm.models import Contact, Message
from tenants.context import system_transaction
from tests import meta
from whatsapp.models import EventState, Number, WebhookEvent

pytestmark = pytest.mark.django_db

OLD, NEW = "51900555014", "51900555099"


def deliver(*values, **options) -> int:
    event_id = meta.store(meta.body(*values, **options))
    inbound.drain()
    return event_id


def replay(*arguments: str) -> str:
    """What the command says, without its line end."""
    output = StringIO()
    call_command("replay_webhooks", *arguments, stdout=output)
    return output.getvalue().rstrip("\n")


def preference(wish: str, *, at: int) -> dict:
    person = {"wa_id": OLD, "category": "marketing_messages", "value": wish, "timestamp": at}
    return meta.value(contacts=[meta.contact(OLD)], user_preferences=[person])


def moved(*, wamid: str, from_: str, to: str, at: int) -> dict:
    system = {"body": "changed", "wa_id": to, "type": "user_changed_number"}
    return {"from": from_, "id": wamid, "timestamp": str(at), "type": "system", "system": system}


def test_a_complete_merge_replays_without_a_change(ours, theirs):
    deliver(meta.messages(meta.text(wamid="1"), meta.text(wamid="2", wa_id="5511987550142", at=meta.NOON + 5)))
    deliver(meta.messages(meta.text(wamid="3"), number_id="200000000000001"))
    deliver(meta.statuses(meta.status("read"), meta.status("delivered")))
    deliver(meta.messages({"from": OLD, "id": "4", "timestamp": str(meta.NOON + 9), "type": "reaction",
                           "reaction": {"message_id": "1", "emoji": "👍"}}))  # fmt: skip
    deliver(preference("stop", at=meta.NOON + 20), field="user_preferences")
    deliver(preference("resume", at=meta.NOON + 30), field="user_preferences")

    assert replay("--all") == "6 webhooks replayed, 0 rows changed."


def test_a_person_who_changed_their_number_and_back_replays_without_a_change(ours):
    deliver(meta.messages(meta.text(wamid="1")))
    deliver(meta.messages(moved(wamid="2", from_=OLD, to=NEW, at=meta.NOON + 10), contacts=[]))
    deliver(meta.messages(moved(wamid="3", from_=NEW, to=OLD, at=meta.NOON + 20), contacts=[]))

    assert replay("--all") == "3 webhooks replayed, 0 rows changed."
    with ours.transaction():
        assert Contact.objects.get().phone == OLD


def test_what_was_lost_comes_back_and_is_counted(ours):
    deliver(meta.messages(meta.text(wamid="kept"), meta.text("¿siguen ahí?", wamid="lost", at=meta.NOON + 60)))
    with ours.transaction():
        Message.objects.get(provider_message_id="lost").delete()

    said = replay("--all").splitlines()

    # The message, and the conversation it moves.
    assert said == ["  crm_message: 1", "  crm_conversation: 1", "1 webhooks replayed, 2 rows changed."]
    with ours.transaction():
        assert Message.objects.get(provider_message_id="lost").text == "¿siguen ahí?"


def test_a_dry_run_counts_and_changes_nothing(ours):
    event_id = meta.store(meta.body(meta.messages(meta.text())))

    said = replay("--state", "new", "--dry-run").splitlines()

    assert said[-1] == "1 webhooks replayed, 7 rows would change; nothing was."
    with ours.transaction():
        assert not Message.objects.exists()
    with system_transaction():
        assert WebhookEvent.objects.get(pk=event_id).state == EventState.NEW


def test_unrouted_ones_are_merged_once_the_number_exists(ours):
    deliver(meta.messages(meta.text(), number_id="100000000000077"))
    with ours.transaction():
        Number.objects.create(tenant=ours.tenant, alias="nuevo", phone_number_id="100000000000077", queue=ours.sales)

    said = replay("--state", "unrouted").splitlines()

    assert said[-1].startswith("1 webhooks replayed, 7 rows")
    with ours.transaction():
        assert Message.objects.get().conversation.queue == ours.sales


def test_the_conditions_narrow_each_other(ours, theirs):
    first = deliver(meta.messages(meta.text(wamid="1")))
    second = deliver(meta.messages(meta.text(wamid="2")))
    deliver(meta.messages(meta.text(wamid="3"), number_id="200000000000001"))
    with system_transaction():
        WebhookEvent.objects.filter(pk=first).update(received_at=timezone.now() - timedelta(hours=5))
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    assert replay("--id", str(first), "--id", str(second)).startswith("2 webhooks")
    assert replay("--tenant", "ours").startswith("2 webhooks")
    assert replay("--tenant", "ours", "--hours", "2").startswith("1 webhooks")
    assert replay("--since", an_hour_ago).startswith("2 webhooks")
    assert replay("--id", str(first), "--since", an_hour_ago).startswith("0 webhooks")
    assert replay("--state", "dead").startswith("0 webhooks")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say which webhooks"),
        (["--all", "--hours", "1"], "Say which webhooks"),
        (["--tenant", "nobody"], "no company with the short name “nobody”"),
        (["--since", "yesterday"], "“yesterday” is no moment"),
    ],
)
def test_a_wrong_question_is_explained(ours, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        replay(*arguments)


def test_one_that_cannot_be_opened_holds_up_no_other(ours, monkeypatch):
    monkeypatch.setattr(replaying, "PAGE", 2)
    good = [deliver(meta.messages(meta.text(wamid=f"{number}"))) for number in range(3)]
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("UPDATE whatsapp_webhookevent SET body = 'damaged' WHERE id = %s", [good[1]])
    with ours.transaction():
        Message.objects.filter(provider_message_id__in=["0", "2"]).delete()

    with pytest.raises(CommandError, match=f"1 could not be merged and are as they were: {good[1]}"):
        replay("--all")

    with ours.transaction():
        assert Message.objects.filter(provider_message_id__in=["0", "2"]).count() == 2
