"""Whether a message may go out, said before it is queued and in words for the person who wrote it."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from crm import outbound, routing
from crm.explanations import (
    EMPTY,
    INACTIVE,
    INCOMPLETE_TEMPLATE,
    NO_ADDRESS,
    NOT_FAILED,
    TOO_LONG,
    UNKNOWN_TEMPLATE,
    UNREADABLE,
)
from crm.models import Conversation, Episode, Identity, Message, Priority, Reaction, Source
from tests import meta
from tests.at_once import at_once
from tests.cast import found_company
from tests.crm.outbound.conftest import now, say, talk
from whatsapp.errors import Reason
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Reaction as ReactionContent
from whatsapp.outgoing import Template, Text


def compose(conversation, content, **changes):
    arguments = {"source": Source.AGENT, "client_id": uuid4(), "now": now(), **changes}
    return outbound.compose(conversation=conversation, content=content, **arguments)


def refusal(conversation, content, **changes) -> str:
    with pytest.raises(outbound.CannotSend) as refused:
        compose(conversation, content, **changes)
    assert str(refused.value.explanation)
    assert not Message.objects.filter(direction="outbound").exists()
    return refused.value.reason


def template(*values: str, name: str = "saludo") -> Template:
    body = {"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}
    return Template(name=name, language="es", components=[body] if values else [])


def approve(company, *, name: str = "saludo", body: str = "Hola {{1}}, su pedido {{2}}", **fields) -> StoredTemplate:
    return StoredTemplate.objects.create(
        tenant=company.tenant,
        name=name,
        language="es",
        components=[{"type": "BODY", "text": body}],
        **{"category": "UTILITY", "status": "APPROVED", "waba_id": company.number.waba_id, **fields},
    )


in_rollback = pytest.mark.django_db


@in_rollback
def test_an_answer_is_queued_on_top_of_the_conversation(ours, rosa):
    with ours.transaction():
        moment = now()
        message = compose(rosa, Text("sí, talla 37"), author=ours.ana, now=moment)

        stored = Message.objects.get(pk=message.pk)
        assert (stored.status, stored.text, stored.source, stored.author) == (
            "queued",
            "sí, talla 37",
            "agent",
            ours.ana,
        )
        assert (stored.priority, stored.attempt, stored.sent_at) == (Priority.PERSON, 0, moment)
        conversation = Conversation.objects.get()
        assert (conversation.last_message, conversation.last_message_at) == (stored, moment)
        assert (conversation.waiting_since, conversation.unread_count) == (None, 0)
        assert conversation.assignee == ours.ana
        episode = Episode.objects.get()
        assert (episode.first_reply_at, episode.first_reply_by) == (moment, ours.ana)


@in_rollback
def test_an_answer_leaves_the_owner_the_conversation_has(ours, rosa):
    with ours.transaction():
        routing.assign(conversation=rosa, assignee=ours.supervisor, actor=None, now=now())

        compose(rosa, Text("hola"), author=ours.ana)

        assert Conversation.objects.get().assignee == ours.supervisor


@in_rollback
def test_what_a_machine_sends_answers_nobody(ours, rosa):
    with ours.transaction():
        message = compose(rosa, Text("¿sigue interesada?"), source=Source.SEQUENCE)

        conversation = Conversation.objects.get()
        assert message.priority == Priority.SEQUENCE
        assert conversation.waiting_since is not None
        assert conversation.unread_count == 1
        assert Episode.objects.get().first_reply_at is None


@in_rollback
def test_an_answer_reopens_a_closed_conversation_as_a_new_episode(ours, rosa):
    with ours.transaction():
        routing.close(conversation=rosa, actor=ours.ana, now=now())

        compose(rosa, Text("una cosa más"), author=ours.ana)

        assert Conversation.objects.get().status == "open"
        assert Episode.objects.filter(closed_at=None).get().opened_by_customer is False


@in_rollback
def test_an_answer_keeps_a_customers_message_that_the_writer_cannot_have_seen(ours, rosa):
    with ours.transaction():
        seen = Conversation.objects.get(pk=rosa.pk)
    talk(ours, at=meta.now() + 1)

    with ours.transaction():
        compose(seen, Text("respuesta a lo primero"), author=ours.ana)

        conversation = Conversation.objects.get()
        assert conversation.waiting_since is not None
        assert conversation.unread_count > 0


@in_rollback
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Text(""), EMPTY),
        (Text(" \n\t"), EMPTY),
        (Text("x" * 4097), TOO_LONG),
        (Text("nul\x00"), UNREADABLE),
        (Text("half \ud83d emoji"), UNREADABLE),
        (template("Rosa", "\x00"), UNREADABLE),
        (template(), UNKNOWN_TEMPLATE),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_sentence(ours, rosa, content, reason):
    with ours.transaction():
        assert refusal(rosa, content) == reason


@in_rollback
def test_the_longest_text_that_whatsapp_takes_is_taken(ours, rosa):
    with ours.transaction():
        assert compose(rosa, Text("x" * 4096)).status == "queued"


@in_rollback
def test_a_number_that_is_switched_off_sends_nothing(ours, rosa):
    with ours.transaction():
        rosa.number.is_active = False
        assert refusal(rosa, Text("hola")) == INACTIVE


@in_rollback
def test_a_paused_number_takes_messages_that_wait(ours, rosa):
    with ours.transaction():
        rosa.number.paused_reason = "auth"
        assert compose(rosa, Text("hola")).status == "queued"


@in_rollback
@pytest.mark.parametrize(
    ("left", "can_send"),
    [(timedelta(hours=24), True), (timedelta(seconds=61), True), (timedelta(seconds=60), False),
     (timedelta(0), False), (timedelta(hours=-1), False)],
)  # fmt: skip
def test_free_text_needs_more_of_the_window_than_its_last_minute(ours, rosa, left, can_send):
    moment = now()
    rosa.window_expires_at = moment + left
    with ours.transaction():
        if can_send:
            assert compose(rosa, Text("hola"), now=moment).status == "queued"
        else:
            assert refusal(rosa, Text("hola"), now=moment) == Reason.WINDOW_CLOSED


@in_rollback
def test_a_closed_window_takes_an_approved_template(ours, rosa):
    rosa.window_expires_at = None
    with ours.transaction():
        approve(ours)

        message = compose(rosa, template("Rosa", "A-1"))

        stored = Message.objects.get(pk=message.pk)
        assert (stored.type, stored.text, stored.template_category) == (
            "template",
            "Hola Rosa, su pedido A-1",
            "utility",
        )


@in_rollback
@pytest.mark.parametrize("status", ["PENDING", "PAUSED", "DISABLED", "REJECTED", "SOMETHING_NEW"])
def test_a_template_that_is_not_approved_is_refused(ours, rosa, status):
    with ours.transaction():
        approve(ours, status=status)
        assert refusal(rosa, template("Rosa", "A-1")) == Reason.TEMPLATE_STATE


@in_rollback
def test_a_template_of_another_account_or_company_is_refused(ours, theirs, rosa):
    with theirs.transaction():
        approve(theirs)
    with ours.transaction():
        approve(ours, waba_id="399999999999999")
        assert refusal(rosa, template("Rosa", "A-1")) == UNKNOWN_TEMPLATE


@in_rollback
@pytest.mark.parametrize(
    "values",
    [("Rosa",), ("Rosa", "A-1", "más"), (), ("Rosa", ""), ("Rosa", "  "), ("Rosa\nQuispe", "A-1"), ("Rosa\t", "A-1"),
     ("Rosa     Quispe", "A-1")],
)  # fmt: skip
def test_every_variable_of_a_template_needs_a_value_that_meta_takes(ours, rosa, values):
    with ours.transaction():
        approve(ours)
        assert refusal(rosa, template(*values)) == INCOMPLETE_TEMPLATE


@in_rollback
def test_a_template_without_variables_needs_no_values(ours, rosa):
    with ours.transaction():
        approve(ours, body="Estamos abiertos")
        assert compose(rosa, template()).text == "Estamos abiertos"


@in_rollback
def test_who_stopped_our_marketing_gets_utility_only(ours, rosa):
    rosa.contact.marketing_stopped = True
    with ours.transaction():
        approve(ours, name="oferta", category="MARKETING")
        assert refusal(rosa, template("Rosa", "1", name="oferta")) == Reason.OPTED_OUT

        approve(ours)
        assert compose(rosa, template("Rosa", "A-1")).template_category == "utility"


@in_rollback
def test_a_contact_without_any_address_is_refused_and_a_user_id_is_enough(ours, rosa):
    rosa.contact.phone = ""
    with ours.transaction():
        assert refusal(rosa, Text("hola")) == NO_ADDRESS

        Identity.objects.create(tenant=ours.tenant, contact=rosa.contact, kind="bsuid", value="PE.1", address="PE.1")
        assert compose(rosa, Text("hola")).status == "queued"


@in_rollback
def test_a_reaction_is_sent_and_shown_and_moves_nothing(ours, rosa):
    with ours.transaction():
        before = Conversation.objects.get()

        compose(rosa, ReactionContent(target_id="wamid.x", emoji="👍"))
        compose(rosa, ReactionContent(target_id="wamid.x", emoji=""))

        assert Reaction.objects.get().emoji == ""
        conversation = Conversation.objects.get()
        assert (conversation.last_message_id, conversation.waiting_since) == (
            before.last_message_id,
            before.waiting_since,
        )


@in_rollback
def test_a_double_click_is_one_message(ours, rosa):
    client_id = uuid4()
    with ours.transaction():
        first = compose(rosa, Text("hola"), client_id=client_id)
        rosa.window_expires_at = None  # even if the window has closed between the clicks
        second = compose(rosa, Text("hola"), client_id=client_id)

        assert first == second
        assert Message.objects.filter(direction="outbound").count() == 1


@in_rollback
def test_the_same_client_id_in_another_conversation_is_another_message(ours, rosa):
    client_id, luz = uuid4(), talk(ours, "51900555015")
    with ours.transaction():
        assert compose(rosa, Text("hola"), client_id=client_id) != compose(luz, Text("hola"), client_id=client_id)


def test_two_requests_with_one_client_id_at_the_same_time_are_one_message(committed):
    ours = found_company("ours", number_id="100000000000001")
    rosa, client_id, all_six = talk(ours), uuid4(), threading.Barrier(6)

    def click():
        with ours.transaction():
            mine = Conversation.objects.select_related("contact", "number").get(pk=rosa.pk)
            all_six.wait(10)
            return compose(mine, Text("hola"), client_id=client_id).pk

    assert len(set(at_once(*[click] * 6))) == 1
    with ours.transaction():
        assert Message.objects.filter(direction="outbound").count() == 1


@in_rollback
def test_a_message_that_failed_is_queued_again_as_itself(ours, rosa):
    message = say(ours, rosa, status="failed", failed_at=now(), error_reason="transient", error_code=131000)
    with ours.transaction():
        again = outbound.retry(message=message, actor=ours.ana, now=now())

        assert again == message
        assert (again.status, again.error_reason, again.error_code, again.failed_at) == ("queued", "", None, None)


@in_rollback
def test_a_message_that_whatsapp_had_accepted_is_tried_again_as_a_new_one_once(ours, rosa):
    message = say(ours, rosa, "hola", status="failed", provider_message_id="wamid.first", failed_at=now())
    with ours.transaction():
        again = outbound.retry(message=message, actor=ours.ana, now=now())
        once_more = outbound.retry(message=message, actor=ours.ana, now=now())

        assert again == once_more != message
        assert (again.text, again.status, again.author) == ("hola", "queued", ours.ana)
        message.refresh_from_db()
        assert (message.status, message.provider_message_id) == ("failed", "wamid.first")


@in_rollback
def test_trying_again_follows_todays_rules(ours, rosa):
    message = say(ours, rosa, status="failed", failed_at=now())
    with ours.transaction():
        Conversation.objects.update(window_expires_at=now())
        message = Message.objects.get(pk=message.pk)
        with pytest.raises(outbound.CannotSend) as refused:
            outbound.retry(message=message, actor=ours.ana, now=now())

        assert refused.value.reason == Reason.WINDOW_CLOSED
        message.refresh_from_db()
        assert message.status == "failed"


@in_rollback
@pytest.mark.parametrize("status", ["queued", "sending", "unknown", "accepted", "read"])
def test_only_what_failed_is_tried_again(ours, rosa, status):
    message = say(ours, rosa, status=status)
    with ours.transaction(), pytest.raises(outbound.CannotSend) as refused:
        outbound.retry(message=message, actor=ours.ana, now=now())

    assert refused.value.reason == NOT_FAILED
