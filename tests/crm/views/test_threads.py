"""One conversation on the page: what a bubble tells, and that nothing can break it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from crm.models import Activity, Attachment, MessageStatus, Reaction
from crm.views import log
from tests.crm.views.talk import conversation, inbound, outbound


@pytest.fixture
def rosa(ours, now):
    with ours.transaction():
        return conversation(ours, "Rosa Quispe", now=now, unread_count=0)


def shown(client, conversation, **query) -> str:
    response = client.get(f"/inbox/{conversation.pk}/", query)
    assert response.status_code == 200
    return response.content.decode()


def test_invisible_and_foreign_conversations_are_not_there(ana, ours, theirs, now):
    with ours.transaction():
        in_support = conversation(ours, "Support", now=now, queue=ours.support)
    with theirs.transaction():
        foreign = conversation(theirs, "Foreign", now=now)

    for absent in (in_support.pk, foreign.pk, uuid4()):
        assert ana.get(f"/inbox/{absent}/").status_code == 404
        assert ana.get(f"/conversations/{absent}/messages/older/").status_code == 404
        assert ana.get(f"/conversations/{absent}/composer/").status_code == 404


def test_htmx_gets_the_conversation_alone(ana, ours, rosa):
    answer = ana.get(f"/inbox/{rosa.pk}/", headers={"HX-Request": "true"}).content.decode()

    assert 'id="conversation"' in answer
    assert "<html" not in answer


def test_failed_message_says_why_and_offers_another_try(ana, ours, rosa):
    with ours.transaction():
        outbound(rosa, "Hola", status=MessageStatus.FAILED, error_reason="transient", provider_message_id=None)

    page = shown(ana, rosa)

    assert "It was not sent" in page
    assert "WhatsApp did not respond" in page
    assert "/retry/" in page


def test_unknown_outcome_offers_both_ways_out(ana, ours, rosa):
    with ours.transaction():
        outbound(rosa, "Hola", status=MessageStatus.UNKNOWN, provider_message_id=None)

    page = shown(ana, rosa)

    assert "We do not know whether it arrived" in page
    assert 'value="resend"' in page
    assert 'value="arrived"' in page


def test_quote_names_who_said_what(ana, ours, rosa):
    with ours.transaction():
        asked = outbound(rosa, "¿A qué dirección?", author=ours.luis)
        inbound(rosa, "A esa misma", quoted_message_id=asked.provider_message_id)
        inbound(rosa, "¿Y esto?", quoted_message_id="wamid.of-something-older")

    page = shown(ana, rosa)

    assert f'href="#message-{asked.client_id}"><b>Luis</b><span>¿A qué dirección?</span>' in page
    assert "An earlier message" in page


def test_reactions_stand_on_their_message(ana, ours, rosa, now):
    with ours.transaction():
        said = outbound(rosa, "Sale hoy")
        for target, emoji in ((said.provider_message_id, "❤️"), ("wamid.other", "👎")):
            Reaction.objects.create(
                tenant=ours.tenant, number=ours.number, target_message_id=target, emoji=emoji, at=now
            )

    page = shown(ana, rosa)

    assert "❤️" in page
    assert "👎" not in page


def test_unread_line_stands_above_the_first_unread_message(ana, ours, now):
    with ours.transaction():
        rosa = conversation(ours, "Rosa", now=now, unread_count=2)
        for minutes, text in ((30, "seen"), (20, "first new"), (10, "second new")):
            inbound(rosa, text, at=now - timedelta(minutes=minutes))

    page = shown(ana, rosa)

    assert page.index("seen") < page.index("2 new messages") < page.index("first new")


def test_opening_does_not_mark_read_but_its_form_does(ana, ours, now):
    with ours.transaction():
        rosa = conversation(ours, "Rosa", now=now, unread_count=2)

    shown(ana, rosa)
    with ours.transaction():
        rosa.refresh_from_db()
        assert rosa.unread_count == 2
    ana.post(f"/conversations/{rosa.pk}/reading/")

    with ours.transaction():
        rosa.refresh_from_db()
        assert rosa.unread_count == 0


def test_older_messages_come_in_pages_with_one_line_a_day(ana, ours, rosa, now, monkeypatch):
    monkeypatch.setattr(log, "PAGE", 4)
    noon = now.replace(hour=17, minute=0)
    with ours.transaction():
        for day in (3, 2, 1):
            for minute in range(3):
                inbound(rosa, f"d{day}m{minute}", at=noon - timedelta(days=day, minutes=-minute))

    first = ana.get(f"/inbox/{rosa.pk}/", headers={"HX-Request": "true"})
    second = ana.get(f"/conversations/{rosa.pk}/messages/older/", {"before": first.context["log"].older})
    third = ana.get(f"/conversations/{rosa.pk}/messages/older/", {"before": second.context["log"].older})

    texts = [
        [item.message.text for item in each.context["log"].items if item.kind == "message"]
        for each in (first, second, third)
    ]
    assert texts == [["d2m2", "d1m0", "d1m1", "d1m2"], ["d3m1", "d3m2", "d2m0", "d2m1"], ["d3m0"]]
    # The day that two pages share has its line on the upper one; the lower one's is taken away.
    assert 'hx-swap-oob="delete"' in second.content.decode()
    assert third.context["log"].older == ""


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("image", {}),
        ("document", {"filename": "a.pdf"}),
        ("sticker", {}),
        ("location", {}),
        ("location", {"latitude": "x", "longitude": None, "name": 7}),
        ("location", {"latitude": -12.1, "longitude": -77.0, "name": "Tienda"}),
        ("contacts", {"contacts": [{"name": {"first_name": "Julio"}, "phones": [{}]}, {}, 3]}),
        ("contacts", {"contacts": None}),
        ("order", {"product_items": [{"quantity": 2}]}),
        ("interactive", {"type": "nfm_reply"}),
        ("unsupported", {}),
        ("something_of_2027", {"a": [1]}),
        ("system", {}),
    ],
)
def test_no_content_whatever_breaks_the_page(ana, ours, rosa, kind, payload):
    with ours.transaction():
        inbound(rosa, "", type=kind, payload=payload)

    shown(ana, rosa)


def test_what_a_customer_writes_is_text_never_markup(ana, ours, now):
    with ours.transaction():
        villain = conversation(ours, "<script>alert(1)</script>", now=now)
        said = inbound(villain, "<img src=x onerror=alert(1)>", type="document", payload={})
        Attachment.objects.create(tenant=ours.tenant, message=said, filename='"><script>.pdf', mime_type="a/b")

    page = shown(ana, villain)

    assert "<script>alert" not in page
    assert "<img" not in page
    assert '"><script>' not in page


def test_activity_lines_are_sentences(ana, ours, rosa, now):
    with ours.transaction():
        for kind, facts in (("assigned", {"assignee": "Luis"}), ("assigned", {"assignee": "Ana"}), ("closed", {})):
            Activity.objects.create(
                tenant=ours.tenant, conversation=rosa, kind=kind, actor=ours.ana, facts=facts, at=now
            )

    page = shown(ana, rosa)

    for sentence in ("Ana assigned it to Luis", "Ana took it", "Ana closed the conversation"):
        assert sentence in page


def test_a_long_thread_costs_no_more_queries_than_a_short_one(ana, ours, rosa, now, django_assert_max_num_queries):
    with ours.transaction():
        for minute in range(60):
            said = inbound(rosa, "Hola", at=now - timedelta(minutes=minute + 5))
            outbound(rosa, "Sí", at=now - timedelta(minutes=minute), quoted_message_id=said.provider_message_id)

    with django_assert_max_num_queries(38):
        shown(ana, rosa)
