"""A template whose button opens a Flow: for one person alone, whoever sends it, and their answer is on the contact."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from crm import outbound
from crm.api.tokens import create_token
from crm.inbound.draining import drain
from crm.models import Contact, Conversation, Message, Source
from crm.outbound.batching import Draft
from sequences import broadcasting, enrolling, freezing, runner
from sequences.models import Broadcast
from tests import meta
from tests.cast import Company
from tests.crm.flows.conftest import published
from tests.crm.flows.survey import SURVEY
from tests.crm.views.talk import conversation
from tests.sequences.conftest import build, step
from tests.whatsapp.flows.phone import Phone
from whatsapp.flows import keys
from whatsapp.models import Flow, FlowToken, Template
from whatsapp.outgoing import Recipient, from_payload
from whatsapp.outgoing import Template as Content
from whatsapp.providers.cloud import payloads

pytestmark = pytest.mark.django_db

BUTTON = {
    "type": "FLOW",
    "text": "Responder",
    "flow_id": "4413",
    "flow_action": "NAVIGATE",
    "navigate_screen": "SURVEY",
}


def approved(company: Company, **button: Any) -> Template:
    buttons = [{"type": "QUICK_REPLY", "text": "Ahora no"}, BUTTON | button]
    return Template.objects.create(
        tenant=company.tenant, waba_id=company.number.waba_id, name="encuesta", language="es", category="UTILITY",
        status="APPROVED",
        components=[{"type": "BODY", "text": "Hola {{1}}, ¿nos ayudas?"}, {"type": "BUTTONS", "buttons": buttons}],
    )  # fmt: skip


@pytest.fixture
def survey(ours: Company) -> Flow:
    with ours.transaction():
        return published(ours, SURVEY, name="Encuesta", flow_id="4413")


@pytest.fixture
def template(ours: Company, survey: Flow) -> Template:
    with ours.transaction():
        return approved(ours)


def written(*more: dict[str, Any]) -> Content:
    parameters = [{"type": "text", "text": "Rosa"}]
    return Content("encuesta", "es", components=[{"type": "body", "parameters": parameters}, *more])


def compose(company: Company, talk: Conversation, content: Content | None = None) -> Message:
    with company.transaction():
        return outbound.compose(
            conversation=Conversation.objects.for_thread().get(pk=talk.pk), content=content or written(),
            source=Source.AGENT, client_id=uuid4(), now=timezone.now(),
        )  # fmt: skip


def button_of(message: Message) -> dict[str, Any]:
    """What WhatsApp is sent for the template's button."""
    content = from_payload(message.type, message.payload)
    body = payloads.message(recipient=Recipient(phone="51900555014"), content=content)
    (button,) = [part for part in body["template"]["components"] if part["type"] == "button"]
    assert (button["sub_type"], button["index"]) == ("flow", "1")
    return button["parameters"][0]["action"]


def newest(company: Company, talk: Conversation) -> Message:
    with company.transaction():
        return Message.objects.filter(conversation=talk, direction="outbound").latest("sent_at")


def opens_for(company: Company, talk: Conversation, flow: Flow) -> None:
    """The newest message opens the Flow by a token that counts for this conversation."""
    token = button_of(newest(company, talk))["flow_token"]
    with company.transaction():
        kept = FlowToken.objects.get(digest=FlowToken.digest_of(token))
    assert (kept.tenant_id, kept.holder, kept.flow_id) == (company.tenant.pk, talk.pk, flow.pk)
    assert kept.number_id == company.number.pk and not kept.is_over(timezone.now())


class TestOnEveryPath:
    def test_the_composer(self, client, ours, talk, survey, template):
        client.force_login(ours.ana.user)
        given = {"template": template.pk, "var_1": "Rosa", "client_id": uuid4()}

        answer = client.post(f"/conversations/{talk.pk}/template-messages/", given, headers={"HX-Request": "true"})

        assert answer.status_code == 201, answer.content
        opens_for(ours, talk, survey)

    @pytest.mark.parametrize("said", [{"variables": ["Rosa"]}, {"components": written().components}])
    def test_the_api(self, ours, talk, survey, template, said):
        program = APIClient(HTTP_AUTHORIZATION=f"Token {create_token(ours.supervisor)}")
        message = {"type": "template", "template": {"name": "encuesta", "language": "es", **said}}

        answer = program.post(f"/api/v1/conversations/{talk.pk}/messages/", message, format="json")

        assert answer.status_code == 201, answer.content
        opens_for(ours, talk, survey)
        shown = answer.json()["payload"]["flow"]
        assert shown["name"] == "Encuesta" and "token" not in shown

    def test_a_sequence(self, ours, talk, survey, template):
        with ours.transaction():
            sequence = build(ours, step("", template="encuesta"))
            enrolling.enroll(sequence, [Conversation.objects.get(pk=talk.pk)], now=timezone.now())
        runner.run_due(timezone.now())

        opens_for(ours, talk, survey)

    def test_a_broadcast(self, ours, talk, survey, template):
        now = timezone.now()
        with ours.transaction():
            broadcast = Broadcast.objects.create(
                tenant=ours.tenant, name="Encuesta", number=ours.number, template_name="encuesta",
                template_language="es", variables={"1": "{first_name}"}, created_at=now, per_minute=600,
                template_category="utility",
            )  # fmt: skip
            freezing.prepare(broadcast)
        broadcasting.run(now)
        with ours.transaction():
            assert broadcasting.start(Broadcast.objects.get(), now=now)
            Broadcast.objects.update(paced_at=None)
        broadcasting.run(now)

        opens_for(ours, talk, survey)


def test_a_page_of_drafts_has_its_tokens_in_one_statement(ours, survey, template):
    with ours.transaction():
        talks = [conversation(ours, f"Cliente {at}", now=timezone.now()) for at in range(20)]
        drafts = [Draft(talk, written(), uuid4()) for talk in talks]
        outbound.compose_many(drafts[:1], source=Source.SEQUENCE, now=timezone.now())
    counts = []
    for page in (drafts[1:3], drafts[3:]):
        with ours.transaction(), CaptureQueriesContext(connection) as queries:
            outbound.compose_many(page, source=Source.SEQUENCE, now=timezone.now())
        counts.append(len(queries))

    assert counts[0] == counts[1]
    with ours.transaction():
        assert FlowToken.objects.count() == 20
        assert set(FlowToken.objects.values_list("holder", flat=True)) == {talk.pk for talk in talks}


def test_it_begins_with_what_we_know_and_what_a_program_gives(ours, talk, template):
    assert button_of(compose(ours, talk))["flow_action_data"] == {"city": "Arequipa"}

    action = {"flow_token": "a-token-of-theirs", "flow_action_data": {"city": "Puno"}}
    theirs = {"type": "button", "sub_type": "flow", "index": "1", "parameters": [{"type": "action", "action": action}]}
    sent = button_of(compose(ours, talk, written(theirs)))

    assert sent["flow_action_data"] == {"city": "Puno"}
    assert sent["flow_token"] != "a-token-of-theirs"


def test_sent_again_it_has_another_token(ours, talk, template):
    first, second = compose(ours, talk), compose(ours, talk)

    assert button_of(first)["flow_token"] != button_of(second)["flow_token"]


def test_a_flow_that_was_taken_back_is_refused(ours, talk, survey, template):
    with ours.transaction():
        Flow.objects.update(status="DEPRECATED")

    with pytest.raises(outbound.CannotSend) as refusal:
        compose(ours, talk)
    assert refusal.value.reason == "unknown_flow"


def test_one_with_an_endpoint_needs_a_key_and_then_lets_the_phone_ask(ours, talk, profile):
    with ours.transaction():
        approved(ours, flow_id="4411", flow_action="DATA_EXCHANGE", navigate_screen="")
    with pytest.raises(outbound.CannotSend) as refusal:
        compose(ours, talk)
    assert refusal.value.reason == "flow_without_key"
    with ours.transaction():
        keys.put_into_use(keys.prepare(number=ours.number), timezone.now())

    assert set(button_of(compose(ours, talk))) == {"flow_token"}


def test_its_endpoint_knows_who_opened_it(ours, talk, profile, phone: Phone):
    with ours.transaction():
        approved(ours, flow_id="4411", flow_action="DATA_EXCHANGE", navigate_screen="")

    token = button_of(compose(ours, talk))["flow_token"]

    status, shown = phone.says({"version": "3.0", "action": "INIT", "flow_token": token})
    assert (status, shown["data"]["name"]) == (200, "Rosa Quispe")


@pytest.mark.parametrize("flow_id", ["9999", ""])
def test_a_flow_we_have_not_heard_of_goes_as_meta_would_have_it(ours, talk, flow_id):
    with ours.transaction():
        approved(ours, flow_id=flow_id)

    assert button_of(compose(ours, talk)) == {"flow_token": "unused"}
    with ours.transaction():
        assert not FlowToken.objects.exists()


def test_another_companys_flow_is_none_of_ours(ours, theirs, talk):
    with theirs.transaction():
        published(theirs, SURVEY, flow_id="4413")
    with ours.transaction():
        approved(ours)

    assert button_of(compose(ours, talk)) == {"flow_token": "unused"}


def answered(company: Company, talk: Conversation, token: str, **values: Any) -> Contact:
    with company.transaction():
        phone = Contact.objects.get(pk=talk.contact_id).phone
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps({"flow_token": token, **values})}
    message = meta.text(wamid="wamid.answer", wa_id=phone, at=meta.now()) | {"type": "interactive"}
    message.pop("text")
    message["interactive"] = {"type": "nfm_reply", "nfm_reply": reply}
    meta.store(meta.body(meta.messages(message)))
    drain()
    with company.transaction():
        return Contact.objects.get(pk=talk.contact_id)


def test_its_answer_is_on_the_contact(ours, survey, template):
    with ours.transaction():
        talk = conversation(ours, "Rosa Quispe", now=timezone.now(), identified=True)

    contact = answered(ours, talk, button_of(compose(ours, talk))["flow_token"], city="Tacna", size="l")

    assert contact.attributes == {"city": "Tacna", "size": "l"}
    with ours.transaction():
        assert FlowToken.objects.get().used_at
