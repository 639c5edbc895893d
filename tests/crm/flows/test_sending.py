"""A Flow into a conversation, from the composer and over the API; and its answer, in the thread and on the contact."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from crm import outbound
from crm.api.tokens import create_token
from crm.inbound.draining import drain
from crm.models import Contact, Conversation, Identity, Message, Source
from tenants.models import Alert
from tests import meta
from tests.crm.flows.conftest import published
from tests.crm.flows.survey import SURVEY
from tests.crm.views.talk import outbound as said_before
from whatsapp.flows import keys
from whatsapp.interactive import FLOW
from whatsapp.models import Flow, FlowStatus, FlowToken
from whatsapp.outgoing import Interactive, Recipient, from_payload
from whatsapp.providers.cloud import payloads

pytestmark = pytest.mark.django_db


@pytest.fixture
def survey(ours) -> Flow:
    with ours.transaction():
        return published(ours, SURVEY, name="Encuesta", flow_id="4413")


@pytest.fixture
def ana(client, ours):
    client.force_login(ours.ana.user)
    return client


def send(client, talk, flow, **fields: Any):
    given = {"text": "¿Nos ayudas?", "flow": flow.pk, "client_id": uuid4(), **fields}
    return client.post(f"/conversations/{talk.pk}/messages/", given, headers={"HX-Request": "true"})


def body_of(company, talk) -> dict[str, Any]:
    """What WhatsApp is sent for the newest message."""
    with company.transaction():
        message = Message.objects.filter(conversation=talk).latest("sent_at")
    content = from_payload(message.type, message.payload)
    return payloads.message(recipient=Recipient(phone="51900555014"), content=content)["interactive"]


def compose(company, talk, flow, **fields: Any) -> Message:
    content = Interactive(kind=FLOW, body="¿Nos ayudas?", label="Abrir", flow={"id": str(flow.pk), **fields})
    with company.transaction():
        conversation = Conversation.objects.for_thread().get(pk=talk.pk)
        return outbound.compose(
            conversation=conversation, content=content, source=Source.AGENT, client_id=uuid4(), now=timezone.now()
        )


def test_the_composer_offers_what_the_number_may_send(ana, ours, talk, survey):
    with ours.transaction():
        published(ours, name="Unfinished", flow_id="1").wants(None)
        Flow.objects.filter(name="Unfinished").update(status=FlowStatus.DRAFT)
        Flow.objects.create(
            tenant=ours.tenant, waba_id="other", name="Elsewhere", provider_flow_id="2", status="PUBLISHED"
        )

    page = ana.get(f"/inbox/{talk.pk}/").content.decode()

    assert "Encuesta" in page and "Unfinished" not in page and "Elsewhere" not in page


def test_from_the_composer_it_goes_out_with_its_first_screen_and_what_we_know(ana, ours, talk, survey):
    answer = send(ana, talk, survey, flow_label="Responder")

    assert answer.status_code == 201 and "Responder" in answer.content.decode()
    body = body_of(ours, talk)
    parameters = body["action"]["parameters"]
    token = parameters.pop("flow_token")
    assert body["type"] == "flow" and body["action"]["name"] == "flow" and body["body"] == {"text": "¿Nos ayudas?"}
    assert parameters == {
        "flow_message_version": "3", "flow_id": "4413", "flow_cta": "Responder", "flow_action": "navigate",
        "flow_action_payload": {"screen": "SURVEY", "data": {"city": "Arequipa"}},
    }  # fmt: skip
    with ours.transaction():
        kept = FlowToken.objects.get()
    assert kept.digest == FlowToken.digest_of(token) and kept.holder == talk.pk and kept.flow_id == survey.pk


def test_one_with_an_endpoint_lets_the_phone_ask(ana, ours, talk, profile):
    with ours.transaction():
        keys.put_into_use(keys.prepare(number=ours.number), timezone.now())

    assert send(ana, talk, profile).status_code == 201

    parameters = body_of(ours, talk)["action"]["parameters"]
    assert parameters["flow_action"] == "data_exchange" and "flow_action_payload" not in parameters
    assert len(parameters["flow_token"]) >= 40


def test_without_a_key_one_with_an_endpoint_is_refused(ana, ours, talk, profile):
    answer = send(ana, talk, profile)

    assert answer.status_code == 422 and "¿Nos ayudas?" in answer.content.decode()
    with ours.transaction():
        assert not FlowToken.objects.exists()


@pytest.mark.parametrize("status", ["DRAFT", "DEPRECATED", "BLOCKED"])
def test_what_is_not_published_is_refused(ours, talk, survey, status):
    with ours.transaction():
        Flow.objects.update(status=status)

    with pytest.raises(outbound.CannotSend) as refusal:
        compose(ours, talk, survey)
    assert refusal.value.reason == "unknown_flow"


def test_another_companys_is_refused(ours, theirs, talk):
    with theirs.transaction():
        flow = published(theirs, SURVEY)

    with pytest.raises(outbound.CannotSend):
        compose(ours, talk, flow)


def test_a_closed_window_refuses_it(ours, talk, survey):
    with ours.transaction():
        Conversation.objects.update(window_expires_at=timezone.now())

    with pytest.raises(outbound.CannotSend) as refusal:
        compose(ours, talk, survey)
    assert refusal.value.reason == "window_closed"


def test_sent_twice_it_has_two_tokens(ours, talk, survey):
    compose(ours, talk, survey)
    compose(ours, talk, survey)

    with ours.transaction():
        assert FlowToken.objects.count() == 2


def test_the_same_click_twice_is_one_message_and_one_token(ana, ours, talk, survey):
    client_id = uuid4()
    send(ana, talk, survey, client_id=client_id)
    send(ana, talk, survey, client_id=client_id)

    with ours.transaction():
        assert FlowToken.objects.count() == 1


@pytest.mark.parametrize("by", ["pk", "provider_flow_id"])
def test_over_the_api_by_either_id(ours, talk, survey, by):
    program = APIClient(HTTP_AUTHORIZATION=f"Token {create_token(ours.supervisor)}")
    flow = {"id": str(getattr(survey, by)), "data": {"city": "Puno"}}
    said = {"type": "interactive", "interactive": {"kind": "flow", "body": "Hola", "label": "Abrir", "flow": flow}}

    answer = program.post(f"/api/v1/conversations/{talk.pk}/messages/", said, format="json")

    assert answer.status_code == 201, answer.content
    assert answer.json()["payload"]["flow"]["name"] == "Encuesta"
    assert "token" not in answer.json()["payload"]["flow"]  # it would let a program speak as the customer
    assert body_of(ours, talk)["action"]["parameters"]["flow_action_payload"]["data"] == {"city": "Puno"}


class TestItsAnswer:
    def hear(self, company, talk, token: str, *, wamid: str = "wamid.answer", **values: Any) -> None:
        with company.transaction():
            phone = Contact.objects.get(pk=talk.contact_id).phone
        reply = {"name": "flow", "body": "Sent", "response_json": json.dumps({"flow_token": token, **values})}
        message = meta.text(wamid=wamid, wa_id=phone, at=meta.now()) | {"type": "interactive"}
        message.pop("text")
        message["interactive"] = {"type": "nfm_reply", "nfm_reply": reply}
        meta.store(meta.body(meta.messages(message)))
        drain()

    @pytest.fixture
    def token(self, ours, talk, survey) -> str:
        with ours.transaction():
            contact = Contact.objects.get(pk=talk.contact_id)
            Identity.objects.create(
                tenant=ours.tenant, contact=contact, kind="phone", value=contact.phone, address=contact.phone
            )
            said_before(talk)
        return compose(ours, talk, survey).payload["flow"]["token"]

    def contact(self, company, talk) -> Contact:
        with company.transaction():
            return Contact.objects.get(pk=talk.contact_id)

    def test_it_is_on_the_contact(self, ours, talk, token):
        self.hear(ours, talk, token, city="Tacna", size="l", vip="no")

        assert self.contact(ours, talk).attributes == {"city": "Tacna", "vip": "yes", "size": "l"}
        with ours.transaction():
            assert FlowToken.objects.get().used_at

    def test_in_the_thread_it_reads_as_the_form(self, ana, ours, talk, token):
        self.hear(ours, talk, token, size="l", city="Tacna")

        page = ana.get(f"/inbox/{talk.pk}/").content.decode()
        assert "¿En qué ciudad vives?" in page and "Grande" in page
        assert page.index("¿En qué ciudad vives?") < page.index("<dt>Talla</dt>")
        assert token not in page.partition('class="answers"')[2]

    def test_what_was_filled_in_is_text(self, ana, ours, talk, token):
        self.hear(ours, talk, token, city="<script>hit()</script>")

        page = ana.get(f"/inbox/{talk.pk}/").content.decode()
        assert "<script>hit()" not in page and "&lt;script&gt;hit()" in page

    def test_with_a_token_that_is_not_ours_it_is_read_and_not_written(self, ana, ours, talk, token):
        self.hear(ours, talk, "a-token-of-nobody", favourite_city="Lima")

        assert "Favourite city" in ana.get(f"/inbox/{talk.pk}/").content.decode()
        assert self.contact(ours, talk).attributes == {"city": "Arequipa", "vip": "yes"}

    def test_with_somebody_elses_token_nothing_is_written(self, ours, talk, token):
        with ours.transaction():
            FlowToken.objects.update(holder=uuid4())

        self.hear(ours, talk, token, city="Lima")

        assert self.contact(ours, talk).attributes["city"] == "Arequipa"

    def test_repeated_it_changes_nothing(self, ours, talk, token):
        self.hear(ours, talk, token, city="Tacna")
        with ours.transaction():
            Contact.objects.filter(pk=talk.contact_id).update(attributes={"city": "Ilo"})

        self.hear(ours, talk, token, city="Tacna")

        assert self.contact(ours, talk).attributes == {"city": "Ilo"}

    @pytest.mark.parametrize("response", ["", "no JSON", "[]", "null", "7", '{"flow_token": 7}'])
    def test_one_that_cannot_be_read_spoils_nothing(self, ana, ours, talk, token, response):
        with ours.transaction():
            phone = Contact.objects.get(pk=talk.contact_id).phone
        message = meta.text(wamid="wamid.odd", wa_id=phone, at=meta.now()) | {"type": "interactive"}
        message.pop("text")
        message["interactive"] = {
            "type": "nfm_reply",
            "nfm_reply": {"name": "flow", "body": "Sent", "response_json": response},
        }
        meta.store(meta.body(meta.messages(message)))
        drain()

        assert ana.get(f"/inbox/{talk.pk}/").status_code == 200
        with ours.transaction():
            assert Message.objects.filter(provider_message_id="wamid.odd").exists()


def test_what_meta_says_of_a_flow_arrives_by_webhook(ours, survey):
    value = {"event": "FLOW_STATUS_CHANGE", "flow_id": "4413", "old_status": "PUBLISHED", "new_status": "BLOCKED"}
    meta.store(meta.body(value, field="flows", waba=ours.number.waba_id))
    drain()

    with ours.transaction():
        assert Flow.objects.get().status == FlowStatus.BLOCKED
        assert Alert.objects.get(kind="flow-held-back").facts["flow"] == "Encuesta"
