"""Every kind of message that WhatsApp hands on is shown as what it is, from the webhook to the page."""

from typing import Any

import pytest

from crm import inbound
from crm.models import Attachment, Contact, Conversation, FileState, Message
from tests import meta

NOW = meta.now() - 3600


def deliver(*messages: dict[str, Any]) -> None:
    meta.store(meta.body(meta.messages(*messages)))
    inbound.drain()


def call(event: str, **more: Any) -> None:
    about = {"id": "wacid.1", "from": "51900555014", "to": "5115550101", "timestamp": str(NOW), "event": event}
    value = meta.value(calls=[about | {"direction": "USER_INITIATED"} | more], contacts=[meta.contact()])
    meta.store(meta.body(value, field="calls"))
    inbound.drain()


def said(kind: str, content: Any = None, *, wamid: str = "wamid.1", at: int = NOW, **more: Any) -> dict[str, Any]:
    message = meta.text(wamid=wamid, at=at, **more) | {"type": kind}
    message.pop("text")
    return message if content is None else message | {kind: content}


@pytest.fixture
def page(client, ours):
    """The thread and the list, as the agent sees them."""
    client.force_login(ours.ana.user)

    def page() -> str:
        with ours.transaction():
            conversation = Conversation.objects.get()
        return client.get(f"/inbox/{conversation.pk}/?mode=all").content.decode()

    return page


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (meta.text("*Hola* https://nube.test/a", at=NOW), ["<strong>Hola</strong>", 'href="https://nube.test/a"']),
        (
            said("location", {"latitude": -12.1, "longitude": -77.0, "name": "Parque", "address": "Miraflores"}),
            ["<b>Parque</b>", "mlat=-12.100000&amp;mlon=-77.000000"],
        ),
        (
            said(
                "contacts",
                [
                    {
                        "name": {"formatted_name": "Luis Huamán"},
                        "phones": [{"phone": "+51 900 555 015"}],
                        "org": {"company": "Andes SAC"},
                        "emails": [{"email": "luis@andes.test"}],
                    }
                ],
            ),
            ["<b>Luis Huamán</b>", "+51 900 555 015 · Andes SAC · luis@andes.test", "Save as contact"],
        ),
        (
            said("contacts", [{"name": "?", "org": [], "emails": {}}, {"origin": "contact_request", "phones": "x"}]),
            ["They sent their phone number", "shared contact"],
        ),
        (said("button", {"text": "Sí, quiero", "payload": "YES"}), ["Tapped a button", "Sí, quiero"]),
        (
            said("interactive", {"type": "button_reply", "button_reply": {"id": "1", "title": "Hoy"}}),
            ["Tapped a button", "Hoy"],
        ),
        (
            said(
                "interactive",
                {"type": "list_reply", "list_reply": {"id": "1", "title": "Express", "description": "En 24 horas"}},
            ),
            ["Chose from a list", "Express", "En 24 horas"],
        ),
        (said("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "X", "description": 7}}), ["X"]),
        (
            said(
                "order",
                {
                    "text": "Para el sábado",
                    "product_items": [
                        {"product_retailer_id": "TRAIL-43", "quantity": 1, "item_price": 389.9, "currency": "PEN"},
                        {"product_retailer_id": "MEDIAS", "quantity": 2, "item_price": 24.5, "currency": "PEN"},
                    ],
                },
            ),
            ["2 × MEDIAS", "PEN 438.90", "Para el sábado"],
        ),
        (
            meta.text(
                "¿Precio?", at=NOW, context={"id": "wamid.P", "referred_product": {"product_retailer_id": "TRAIL"}}
            ),
            ["¿Precio?", "Asks about a product <span>TRAIL</span>"],
        ),
        (meta.text("mira", at=NOW, context={"forwarded": True}), ["Forwarded", "mira"]),
        (
            meta.text(
                "info",
                at=NOW,
                referral={
                    "source_type": "ad",
                    "source_id": "1202",
                    "headline": "Trail Andina",
                    "body": "Envío gratis",
                    "source_url": "https://fb.me/x",
                    "ctwa_clid": "Aff-1",
                },
            ),
            ["Ad · Trail Andina", "Envío gratis", 'href="https://fb.me/x"', "Aff-1", "1202"],
        ),
        (
            said(
                "unsupported",
                {"type": "poll_creation"},
                errors=[{"code": 131051, "title": "Unknown", "error_data": {"details": "Not currently supported."}}],
            ),
            ["Poll", "open it on the phone", "WhatsApp says: Not currently supported. (131051)"],
        ),
        (said("hologram", {"shape": "cube"}), ["hologram", "open it on the phone"]),
        (said("request_welcome"), ["They opened the chat and have not written yet."]),
        (
            said("system", {"type": "user_changed_number", "body": "Ana changed", "wa_id": "51900555099"}),
            ["They changed their phone number.", "+51 900 555 099"],
        ),
        (
            said("system", {"type": "customer_identity_changed", "body": "Code changed"}),
            ["They use WhatsApp on another device now."],
        ),
        (said("system", {"type": "something_new", "body": "A thing happened"}), ["A thing happened"]),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
def test_each_kind_is_shown_as_what_it_is(ours, page, message, shown):
    deliver(message)

    seen = page()
    assert [part for part in shown if part not in seen] == []


def test_a_card_is_saved_as_a_contact(client, ours, page):
    card = {"name": {"formatted_name": "Luis Huamán"}, "phones": [{"phone": "+51 900 555 015", "wa_id": "51900555015"}]}
    deliver(said("contacts", [card]))
    with ours.transaction():
        message = Message.objects.get()
    address = f"/conversations/{message.conversation_id}/messages/{message.pk}/contacts/"

    assert address in page()
    client.post(address, headers={"HX-Request": "true"})

    with ours.transaction():
        assert Contact.objects.filter(name="Luis Huamán", phone="51900555015").count() == 1


def test_an_address_of_an_ad_that_is_none_is_no_link(ours, page):
    deliver(meta.text("info", at=NOW, referral={"source_url": "javascript:alert(1)", "headline": "Trail"}))

    assert "javascript:" not in page()


def test_an_order_in_two_currencies_has_no_total(ours, page):
    items = [
        {"product_retailer_id": "A", "quantity": 1, "item_price": 10, "currency": "PEN"},
        {"product_retailer_id": "B", "quantity": 1, "item_price": 10, "currency": "USD"},
    ]
    deliver(said("order", {"product_items": items}))

    assert "1 × B" in page() and "order__total" not in page()


# --- What became of it --------------------------------------------------------------------------------------------------


def edit(words: str, *, of: str = "wamid.1", wamid: str = "wamid.2", at: int = NOW + 60) -> dict[str, Any]:
    return said("edit", {"original_message_id": of, "message": {"type": "text", "text": {"body": words}}},
                wamid=wamid, at=at)  # fmt: skip


def revoke(*, of: str = "wamid.1", wamid: str = "wamid.3", at: int = NOW + 90) -> dict[str, Any]:
    return said("revoke", {"original_message_id": of}, wamid=wamid, at=at)


def test_an_edited_message_says_what_it_says_now_and_keeps_what_it_said(ours, page):
    deliver(meta.text("talla 37", at=NOW))
    deliver(edit("talla 38"), edit("talla 39", wamid="wamid.2b", at=NOW + 70))

    seen = page()
    thread = seen[seen.index('id="log"') : seen.index('id="composer"')]
    assert thread.count('class="msg"') == 1
    assert thread.index("talla 39") < thread.index("edited") < thread.index("talla 37") < thread.index("talla 38")
    assert seen.count("talla 39") == 2  # the row of the list says so too


def test_a_deleted_message_says_so_and_its_words_are_folded_away(ours, page):
    deliver(revoke())  # it may come before the message itself
    deliver(meta.text("mi clave es 1234", at=NOW))

    seen = page()
    assert "The customer deleted this message" in seen and "Deleted message" in seen
    assert seen.index("What it said") < seen.index("mi clave es 1234")
    assert seen.count("mi clave es 1234") == 1


def test_what_became_of_a_message_on_an_older_page_stands_where_it_came(ours, page):
    deliver(edit("talla 38", of="wamid.older"), revoke(of="wamid.older"))

    seen = page()
    assert "They changed an earlier message: “talla 38”" in seen and "They deleted an earlier message" in seen


def test_an_edit_moves_neither_the_count_nor_the_waiting(ours, page):
    deliver(meta.text("talla 37", at=NOW))
    with ours.transaction():
        before = Conversation.objects.values("unread_count", "waiting_since", "last_message_id").get()
    deliver(edit("talla 38"), revoke())
    with ours.transaction():
        assert Conversation.objects.values("unread_count", "waiting_since", "last_message_id").get() == before


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (None, "They called. The window is open again."),
        ({"status": "COMPLETED", "duration": 95}, "They called: 1:35"),
        ({"status": "COMPLETED"}, "They called and talked to us."),
        ({"status": "FAILED"}, "They called and nobody answered."),
    ],
)
@pytest.mark.parametrize("end_first", [False, True])
def test_a_call_is_a_line_that_opens_the_window_and_says_how_it_ended(ours, page, ending, words, end_first):
    calls = [("connect", {})] + ([("terminate", ending)] if ending else [])
    for event, more in reversed(calls) if end_first else calls:
        call(event, **more)
    call("connect")  # Meta repeats itself

    assert words in page() and 'class="msg"' not in page()
    with ours.transaction():
        talk = Conversation.objects.get()
        assert talk.window_expires_at and talk.unread_count == 1
        assert Message.objects.filter(type="call").count() == 1


@pytest.mark.parametrize("voice", [True, False], ids=["voice note", "sound"])
def test_a_sound_can_be_played_in_the_thread(ours, page, voice):
    sound = {"id": "77", "mime_type": "audio/ogg; codecs=opus", "sha256": "bm9uZQ==", "voice": voice}
    deliver(said("audio", sound))
    with ours.transaction():
        Attachment.objects.update(stored_as="somewhere", state=FileState.THERE)

    assert '<audio controls preload="none"' in page()


@pytest.mark.parametrize(
    ("response", "words"), [("accept", "They let us call them."), ("reject", "They do not want us to call them.")]
)
def test_whether_they_may_be_called_is_a_line(ours, page, response, words):
    deliver(said("interactive", {"type": "call_permission_reply", "call_permission_reply": {"response": response}}))

    assert words in page()
