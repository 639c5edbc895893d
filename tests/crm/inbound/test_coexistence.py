"""A phone that shares our number hands over its past and its address book: nothing is lost, and nothing begins by it."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm import inbound
from crm.models import Attachment, Contact, Conversation, Episode, Message
from crm.signals import contacts_replied
from sequences import enrolling
from sequences.models import Trigger
from tenants import clock
from tests import meta
from tests.crm.inbound.people import snapshot
from tests.sequences.conftest import build, step
from whatsapp.models import Handover, HandoverKind

pytestmark = pytest.mark.django_db

OURS, ROSA = "5115550101", "51900555014"
THEN = meta.NOON


def past(
    wamid: str, *, at: int = THEN, ours: bool = False, kind: str = "text", status: str = "", **content: Any
) -> dict:
    said = content or {"body": f"dijo {wamid}"}
    sides = {"from": OURS, "to": ROSA} if ours else {"from": ROSA}
    about = {"id": f"wamid.{wamid}", "timestamp": str(at), "type": kind, kind: said}
    return sides | about | {"history_context": {"status": status or "READ"}}


def history(*messages: dict[str, Any], customer: str = ROSA) -> None:
    chunk = {
        "metadata": {"phase": 1, "chunk_order": 1, "progress": 50},
        "threads": [{"id": customer, "messages": list(messages)}],
    }
    meta.store(meta.body(meta.value(history=[chunk]), field="history"))
    inbound.drain()


def address_book(*people: tuple[str, str], action: str = "add") -> None:
    entries = [
        {
            "type": "contact",
            "action": action,
            "contact": {"phone_number": phone} | ({"full_name": name} if name else {}),
            "metadata": {"timestamp": str(THEN)},
        }
        for phone, name in people
    ]
    meta.store(meta.body(meta.value(state_sync=entries), field="smb_app_state_sync"))
    inbound.drain()


def test_the_past_is_there_and_asks_for_nothing(ours):
    heard = []
    contacts_replied.connect(lambda **told: heard.append(told), weak=False, dispatch_uid="past")
    try:
        history(past("1"), past("2", at=THEN + 60, ours=True, status="DELIVERED"), past("3", at=THEN + 120))
    finally:
        contacts_replied.disconnect(dispatch_uid="past")

    with ours.transaction():
        talk = Conversation.objects.get()
        assert (talk.status, talk.unread_count, talk.waiting_since, talk.window_expires_at) == ("closed", 0, None, None)
        assert talk.created_at == datetime.fromtimestamp(THEN, UTC)
        assert talk.last_message.text == "dijo 3"
        told = Message.objects.order_by("sent_at").values_list("direction", "source", "status")
        assert list(told) == [
            ("inbound", "customer", "received"),
            ("outbound", "phone", "delivered"),
            ("inbound", "customer", "received"),
        ]
        assert not Episode.objects.exists()
    assert heard == []


def test_what_came_live_already_is_not_doubled_and_stays_as_it_is(ours):
    at = meta.now() - 600
    meta.store(meta.body(meta.messages(meta.text("hola", wamid="wamid.1", at=at))))
    inbound.drain()
    with ours.transaction():
        before = Conversation.objects.values().get()

    history(past("1", at=at), past("0", at=at - 3600))

    with ours.transaction():
        after = Conversation.objects.values().get()
        assert {key: value for key, value in after.items() if before[key] != value} == {}
        assert Message.objects.count() == 2


def test_a_message_from_now_opens_what_only_the_past_spoke_of(ours):
    history(past("1"))
    meta.store(meta.body(meta.messages(meta.text("hola", wamid="wamid.2", at=meta.now()))))
    inbound.drain()

    with ours.transaction():
        talk = Conversation.objects.get()
        assert (talk.status, talk.unread_count) == ("open", 1)
        assert talk.window_expires_at is not None


def test_the_past_begins_no_sequence(ours):
    with ours.transaction():
        begun = datetime.fromtimestamp(THEN, UTC) - timedelta(days=1)
        build(ours, step("hola"), trigger=Trigger.FIRST_MESSAGE, activated_at=begun)
    history(past("1"))
    with ours.transaction():
        assert enrolling.enroll_by_trigger(clock.now()) == 0

    live = meta.contact("51900555018")
    meta.store(meta.body(meta.messages(meta.text(wa_id="51900555018", wamid="wamid.live"), contacts=[live])))
    inbound.drain()
    with ours.transaction():
        assert enrolling.enroll_by_trigger(clock.now()) == 1


def test_a_file_of_the_past_takes_the_place_that_was_kept_for_it(ours):
    history(past("1", kind="media_placeholder", note="x"))
    image = {"id": "200", "mime_type": "image/jpeg", "sha256": "x", "caption": "así llegó"}
    late = {"from": ROSA, "id": "wamid.1", "timestamp": str(THEN), "type": "image", "image": image}
    for _ in range(2):
        meta.store(meta.body(meta.value(messages=[late], contacts=[meta.contact()]), field="history"))
        inbound.drain()

    with ours.transaction():
        message = Message.objects.get()
        assert (message.type, message.text, message.payload["id"]) == ("image", "así llegó", "200")
        assert Attachment.objects.get().media_id == "200"


def test_a_bad_one_costs_no_other(ours):
    history(past("1"), {"id": 7}, "nothing", past("2", kind="reaction", emoji="x"), past("3"))

    with ours.transaction():
        assert Message.objects.count() == 2


def test_thousands_at_once_and_again_change_nothing_more(ours):
    many = [past(str(n), at=THEN + n, ours=bool(n % 3)) for n in range(2_000)]
    history(*many)
    before = snapshot()

    random.Random(4).shuffle(many)
    history(*many)

    assert snapshot() == before
    with ours.transaction():
        assert Message.objects.count() == 2_000


def test_the_address_book_names_who_has_no_name_yet(ours):
    with ours.transaction():
        Contact.objects.create(tenant=ours.tenant, name="Don Luis", phone="51900555015")
    meta.store(meta.body(meta.messages(meta.text())))
    inbound.drain()

    address_book((ROSA, "Rosa Cliente"), ("+51 900 555 016", "Nueva"), ("51900555017", "Otra"))
    address_book((ROSA, ""), action="remove")

    with ours.transaction():
        assert Contact.objects.get(phone=ROSA).name == "Rosa Cliente"
        assert Contact.objects.get(phone="51900555017").name == "Otra"
        assert Contact.objects.get(phone="51900555015").name == "Don Luis"
    address_book((ROSA, "Otro nombre"))
    with ours.transaction():
        assert Contact.objects.get(phone=ROSA).name == "Rosa Cliente"


class TestWhatWasAskedFor:
    @pytest.fixture(autouse=True)
    def _asked(self, ours):
        with ours.transaction():
            for kind in HandoverKind:
                Handover.objects.create(
                    tenant=ours.tenant, number=ours.number, kind=kind, state="taken", asked_at=clock.now()
                )

    def seen(self, company, kind) -> tuple[str, int | None, bool]:
        with company.transaction():
            handover = Handover.objects.get(kind=kind)
        return handover.state, handover.progress, handover.heard_at is not None

    def test_the_past_says_how_far_it_has_come(self, ours):
        history(past("1"))

        assert self.seen(ours, "history") == ("taken", 50, True)
        assert self.seen(ours, "contacts") == ("taken", None, False)

    def test_the_address_book_says_that_it_came(self, ours):
        address_book((ROSA, "Rosa Cliente"))

        assert self.seen(ours, "contacts") == ("taken", None, True)

    def test_who_does_not_share_the_past_is_noted(self, ours):
        declined = {"errors": [{"code": 2593109, "title": "User declined to share history"}]}
        meta.store(meta.body(meta.value(history=[declined]), field="history"))
        inbound.drain()

        assert self.seen(ours, "history")[0] == "declined"
        with ours.transaction():
            assert not Message.objects.exists()
