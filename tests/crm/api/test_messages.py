"""Reading a thread, and sending: the same rules as for a person in the browser, told with 201, 200, 400, 404 and 422."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.models import Conversation, Direction, Message, MessageStatus, Reaction, Source
from tenants import clock
from tests.crm.api.conftest import ROOT, approve, ids, say, talk
from whatsapp.models import Number

pytestmark = pytest.mark.django_db

OURS = {"direction": Direction.OUTBOUND, "source": Source.AGENT}


@pytest.fixture
def send(api, ours, our_talk):
    client = api(ours.ana)
    return lambda **body: client.post(f"{our_talk.url}messages/", body, format="json")


def test_a_message_shows_what_happened_to_it(api, ours, our_talk):
    at = clock.now().replace(microsecond=0)
    with ours.transaction():
        message = say(
            ours,
            our_talk.conversation,
            "Sí, tenemos",
            author=ours.ana,
            client_id=uuid4(),
            status=MessageStatus.READ,
            accepted_at=at,
            delivered_at=at,
            read_at=at,
            cost_amount=Decimal("0.0113"),
            cost_currency="USD",
            pricing_category="utility",
            **OURS,
        )

    shown = api(ours.ana).get(f"{ROOT}messages/{message.pk}/").json()

    moment = at.isoformat().replace("+00:00", "Z")
    assert shown["conversation"] == str(our_talk.conversation.pk)
    assert (shown["direction"], shown["source"], shown["status"]) == ("outbound", "agent", "read")
    assert (shown["text"], shown["payload"]) == ("Sí, tenemos", {"body": "Sí, tenemos"})
    assert shown["author"] == {"id": str(ours.ana.pk), "name": "Ana"}
    assert shown["accepted_at"] == shown["delivered_at"] == shown["read_at"] == moment
    assert shown["cost"] == {"amount": "0.01130", "currency": "USD", "category": "utility", "estimated": False}
    assert shown["error"] is None


def test_a_failed_message_says_why(api, ours, our_talk):
    with ours.transaction():
        message = say(
            ours,
            our_talk.conversation,
            "?",
            status=MessageStatus.FAILED,
            error_reason="window_closed",
            error_code=131047,
            error_detail="Re-engagement message",
            **OURS,
        )

    shown = api(ours.ana).get(f"{ROOT}messages/{message.pk}/").json()

    assert shown["error"] == {"reason": "window_closed", "code": 131047, "detail": "Re-engagement message"}
    assert shown["cost"] is None


def test_a_price_is_told_by_kind_before_its_amount_is_known(api, ours, our_talk):
    with ours.transaction():
        message = say(ours, our_talk.conversation, "Oferta", pricing_category="marketing", **OURS)

    shown = api(ours.ana).get(f"{ROOT}messages/{message.pk}/").json()

    assert shown["cost"] == {"amount": None, "currency": "", "category": "marketing", "estimated": False}


def test_a_message_of_a_conversation_one_may_not_see_is_not_there(api, ours, our_talk):
    url = f"{ROOT}messages/{our_talk.message.pk}/"

    assert api(ours.ana).get(url).status_code == 200
    assert api(ours.luis).get(url).status_code == 404


def test_a_thread_comes_newest_first_in_pages_that_lose_nothing(api, ours, our_talk):
    second = clock.now().replace(microsecond=0)  # WhatsApp counts in seconds: many messages share one
    with ours.transaction():
        said = [say(ours, our_talk.conversation, str(n), sent_at=second - timedelta(seconds=n // 5)) for n in range(12)]
    client = api(ours.ana)

    seen, address = [], f"{our_talk.url}messages/?page_size=5"
    while address:
        page = client.get(address)
        seen += ids(page)
        address = page.json()["next"]

    newest_first = sorted([*said, our_talk.message], key=lambda each: (each.sent_at, each.pk), reverse=True)
    assert seen == [message.pk for message in newest_first]


def test_a_long_thread_asks_the_database_as_often_as_a_short_one(api, ours, our_talk):
    client = api(ours.ana)
    client.get(f"{our_talk.url}messages/")

    with CaptureQueriesContext(connection) as of_one:
        client.get(f"{our_talk.url}messages/")
    with ours.transaction():
        for n in range(7):
            say(ours, our_talk.conversation, str(n), author=ours.ana, **OURS)
    with CaptureQueriesContext(connection) as of_many:
        assert len(client.get(f"{our_talk.url}messages/").json()["results"]) == 8

    assert len(of_many) == len(of_one)


def test_sending_a_text_queues_it_in_the_callers_name(ours, our_talk, send):
    key = uuid4()

    answer = send(type="text", text="  Sí, tenemos  ", client_id=str(key))

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["status"], shown["direction"], shown["source"]) == ("queued", "outbound", "api")
    assert (shown["text"], shown["client_id"], shown["author"]["name"]) == ("  Sí, tenemos  ", str(key), "Ana")
    with ours.transaction():
        message = Message.objects.get(pk=shown["id"])
        assert message.payload == {"body": "  Sí, tenemos  ", "preview_url": True}
        assert Conversation.objects.get().waiting_since is None


def test_sending_a_text_without_a_preview_of_its_link(send):
    shown = send(type="text", text={"body": "https://example.com", "preview_url": False}).json()

    assert shown["payload"] == {"body": "https://example.com", "preview_url": False}


def test_the_same_client_id_again_is_the_same_message(ours, send):
    key = str(uuid4())

    first = send(type="text", text="Una vez", client_id=key)
    second = send(type="text", text="Otra vez", client_id=key)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["text"] == "Una vez"
    with ours.transaction():
        assert Message.objects.filter(direction=Direction.OUTBOUND).count() == 1


def test_a_repetition_is_answered_even_when_nothing_more_may_be_sent(ours, our_talk, send):
    key = str(uuid4())
    first = send(type="text", text="A tiempo", client_id=key)
    with ours.transaction():
        Conversation.objects.update(window_expires_at=clock.now() - timedelta(hours=1))

    assert send(type="text", text="A tiempo", client_id=key).json()["id"] == first.json()["id"]


def test_without_client_id_one_is_made(send):
    first, second = send(type="text", text="Hola").json(), send(type="text", text="Hola").json()

    assert first["client_id"] != second["client_id"]


def test_a_closed_window_is_a_refusal_with_a_sentence_and_a_word(ours, our_talk, send):
    with ours.transaction():
        Conversation.objects.update(window_expires_at=clock.now() - timedelta(hours=1))

    answer = send(type="text", text="¿Sigue ahí?")

    assert answer.status_code == 422
    assert answer.json() == {
        "detail": "More than 24 hours have passed since the customer wrote. Send a template.",
        "reason": "window_closed",
    }
    with ours.transaction():
        assert not Message.objects.filter(direction=Direction.OUTBOUND).exists()


def test_a_refusal_speaks_the_callers_language(ours, our_talk, api):
    with ours.transaction():
        Number.objects.update(is_active=False)

    answer = api(ours.ana).post(
        f"{our_talk.url}messages/",
        {"type": "text", "text": "Hola"},
        format="json",
        headers={"Accept-Language": "es"},
    )

    assert answer.status_code == 422
    assert answer.headers["Content-Language"] == "es"


def test_a_stopped_template_is_refused_with_metas_reason(ours, our_talk, send):
    approve(ours, "paused", "Hola", status="PAUSED", reason="SECOND_PAUSE")

    answer = send(type="template", template={"name": "paused", "language": "es"})

    assert answer.json()["detail"].startswith("Meta paused this template.")
    assert "the second pause lasts 6 hours" in answer.json()["detail"]


def test_a_language_is_spelled_as_meta_does_and_numbered_variables_go_in_their_order(ours, our_talk, send):
    approve(ours, "aviso", "El pedido {{2}} ya salió, {{1}}, gracias.")

    answer = send(type="template", template={"name": "aviso", "language": "ES", "variables": {"1": "Rosa", "2": "A-1"}})

    assert answer.status_code == 201
    assert answer.json()["text"] == "El pedido A-1 ya salió, Rosa, gracias."
    (body,) = answer.json()["payload"]["components"]
    assert [parameter["text"] for parameter in body["parameters"]] == ["Rosa", "A-1"]


@pytest.mark.parametrize("variables", [["Rosa", "A-1"], {"1": "Rosa", "2": "A-1"}])
def test_a_template_goes_out_also_after_the_window(ours, our_talk, send, variables):
    approve(ours, "order_ready", "Hola {{1}}, tu pedido {{2}} está listo.")
    with ours.transaction():
        Conversation.objects.update(window_expires_at=clock.now() - timedelta(hours=1))

    answer = send(type="template", template={"name": "order_ready", "language": "es", "variables": variables})

    assert answer.status_code == 201
    assert answer.json()["text"] == "Hola Rosa, tu pedido A-1 está listo."
    assert answer.json()["payload"]["components"] == [
        {"type": "body", "parameters": [{"type": "text", "text": "Rosa"}, {"type": "text", "text": "A-1"}]}
    ]


def test_named_variables_go_out_by_name(ours, send):
    approve(ours, "hello", "Hola {{first_name}}")

    answer = send(type="template", template={"name": "hello", "language": "es", "variables": {"first_name": "Rosa"}})

    assert answer.json()["payload"]["components"][0]["parameters"] == [
        {"type": "text", "text": "Rosa", "parameter_name": "first_name"}
    ]


def test_components_of_ones_own_go_out_as_they_are(ours, send):
    approve(ours, "order_ready", "Hola {{1}}")
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Rosa"}]}]

    answer = send(type="template", template={"name": "order_ready", "language": "es", "components": components})

    assert answer.json()["payload"]["components"] == components


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ({"name": "unheard_of", "language": "es"}, "unknown_template"),
        ({"name": "order_ready", "language": "pt_BR", "variables": ["Rosa"]}, "unknown_template"),
        ({"name": "paused", "language": "es"}, "template_state"),
        ({"name": "order_ready", "language": "es"}, "incomplete_template"),
        ({"name": "order_ready", "language": "es", "variables": {"2": "Rosa"}}, "incomplete_template"),
        ({"name": "order_ready", "language": "es", "variables": ["Rosa", "too many"]}, "incomplete_template"),
    ],
)
def test_a_template_that_cannot_be_sent_is_refused(ours, send, template, reason):
    approve(ours, "order_ready", "Hola {{1}}")
    approve(ours, "paused", "Hola", status="PAUSED")

    answer = send(type="template", template=template)

    assert (answer.status_code, answer.json()["reason"]) == (422, reason)


LINK = {"kind": "cta_url", "body": "Su pedido", "label": "Verlo", "url": "https://tienda.example/1"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            {"kind": "button", "body": "¿Cuándo?", "options": [{"title": "Hoy"}, {"id": "m", "title": "Mañana"}]},
            {"options": [{"id": "Hoy", "title": "Hoy"}, {"id": "m", "title": "Mañana"}]},
        ),
        (
            {"kind": "list", "body": "¿Cuál?", "label": "Ver", "options": [{"title": "Pro", "description": ""}]},
            {"options": [{"id": "Pro", "title": "Pro"}]},
        ),
        (LINK, LINK),
        ({"kind": "location_request_message", "body": "¿Dónde está?"}, {"options": []}),
    ],
)
def test_what_is_answered_by_a_tap_goes_out(ours, send, given, kept):
    answer = send(type="interactive", interactive=given)

    assert answer.status_code == 201, answer.json()
    assert answer.json()["payload"].items() >= kept.items()
    assert answer.json()["text"] == given["body"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "javascript:alert(1)"}, "options_link"),
        ({"label": ""}, "options_label"),
        ({"kind": "button", "options": []}, "options_count"),
        ({"kind": "button", "options": [{"title": "a"}, {"title": "a"}]}, "options_title"),
    ],
)
def test_what_whatsapp_would_not_take_is_refused_with_what_to_change(ours, send, change, reason):
    answer = send(type="interactive", interactive=LINK | change)

    assert answer.status_code == 422
    assert answer.json()["reason"] == reason and answer.json()["detail"]


def test_a_product_goes_out_with_the_numbers_catalogue(ours, send):
    product = {"kind": "product", "product": "TRAIL-43"}
    assert send(type="interactive", interactive=product).json()["reason"] == "no_catalogue"
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(catalog_id="1948")

    answer = send(type="interactive", interactive=product)

    assert answer.status_code == 201, answer.json()
    assert answer.json()["payload"]["product"] == {"id": "TRAIL-43", "catalog": "1948"}


def test_a_location_goes_out(ours, send):
    answer = send(type="location", location={"latitude": -12.1, "longitude": -77, "name": "Tienda"})

    assert answer.status_code == 201, answer.json()
    assert answer.json()["payload"] == {"latitude": -12.1, "longitude": -77.0, "name": "Tienda", "address": ""}
    assert answer.json()["text"] == "Tienda"


@pytest.mark.parametrize("place", [{}, {"latitude": 91, "longitude": 0}, {"latitude": "x", "longitude": 0}])
def test_a_location_off_the_earth_is_refused(send, place):
    assert send(type="location", location=place).status_code == 400


def test_contacts_go_out_in_short_or_in_whatsapps_shape(ours, send):
    whole = {"name": {"formatted_name": "Luis", "first_name": "Luis"}, "phones": [{"phone": "+51900555015"}]}

    answer = send(type="contacts", contacts=[{"name": "Rosa Quispe", "phone": "900 555 014"}, whole])

    assert answer.status_code == 201, answer.json()
    short, same = answer.json()["payload"]["contacts"]
    assert short["phones"] == [{"phone": "+51900555014", "wa_id": "51900555014", "type": "CELL"}]
    assert same == whole
    assert answer.json()["text"] == "Rosa Quispe, Luis"


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ({"name": "Rosa", "phone": "12"}, 400),
        ({"phone": "+51900555014"}, 400),
        ("Rosa", 400),
        ({"name": {"formatted_name": "Rosa"}, "phones": []}, 422),
    ],
)
def test_a_contact_that_nobody_could_reach_is_refused(send, card, status):
    answer = send(type="contacts", contacts=[card])

    assert answer.status_code == status and answer.json()


@pytest.mark.parametrize("named_by", ["pk", "provider_message_id"])
def test_a_reaction_goes_onto_a_message_of_the_conversation(ours, our_talk, send, named_by):
    target = str(getattr(our_talk.message, named_by))

    answer = send(type="reaction", reaction={"message_id": target, "emoji": "👍"})

    assert answer.status_code == 201
    assert answer.json()["payload"] == {"target_id": our_talk.message.provider_message_id, "emoji": "👍"}
    with ours.transaction():
        assert Reaction.objects.get().emoji == "👍"


@pytest.mark.parametrize("named_by", ["pk", "provider_message_id"])
def test_a_quoted_message_travels_by_whatsapps_id(ours, our_talk, send, named_by):
    quoted = str(getattr(our_talk.message, named_by))

    answer = send(type="text", text="Sí", quoted_message_id=quoted)

    assert answer.json()["quoted_message_id"] == our_talk.message.provider_message_id


def test_what_another_conversation_holds_can_neither_be_quoted_nor_reacted_to(ours, send):
    elsewhere = str(talk(ours, "51900555077").message.pk)

    quoting = send(type="text", text="Sí", quoted_message_id=elsewhere)
    reacting = send(type="reaction", reaction={"message_id": elsewhere, "emoji": "👍"})

    assert (quoting.status_code, reacting.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "carrier pigeon"}, "type"),
        ({"type": ["text"], "text": "x"}, "type"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": ""}, "text"),
        ({"type": "text", "text": " \n\t "}, "text"),
        ({"type": "text", "text": "x" * 4097}, "text"),
        ({"type": "text", "text": "a\x00b"}, "detail"),
        ({"type": "text", "text": 5}, "text"),
        ({"type": "text", "text": None}, "text"),
        ({"type": "text", "text": ["x"]}, "text"),
        ({"type": "text", "text": {}}, "text"),
        ({"type": "text", "text": {"body": {"body": "x"}}}, "text"),
        ({"type": "text", "text": {"body": "x", "preview_url": "perhaps"}}, "text"),
        ({"type": "text", "text": "x", "client_id": "1"}, "client_id"),
        ({"type": "text", "text": "x", "client_id": None}, "client_id"),
        ({"type": "text", "text": "x", "quoted_message_id": {}}, "quoted_message_id"),
        ({"type": "template"}, "template"),
        ({"type": "template", "template": "order_ready"}, "template"),
        ({"type": "template", "template": {"name": "x"}}, "template"),
        ({"type": "template", "template": {"name": "x", "language": "es", "components": {}}}, "template"),
        ({"type": "template", "template": {"name": "x", "language": "es", "components": ["x"]}}, "template"),
        (
            {"type": "template", "template": {"name": "x", "language": "es", "components": [{"parameters": "x"}]}},
            "template",
        ),
        (
            {"type": "template", "template": {"name": "x", "language": "es", "components": [{"parameters": None}]}},
            "template",
        ),
        ({"type": "template", "template": {"name": "x", "language": "es", "variables": "x"}}, "template"),
        ({"type": "template", "template": {"name": "x", "language": "es", "variables": [{}]}}, "template"),
        (
            {"type": "template", "template": {"name": "x", "language": "es", "variables": [], "components": []}},
            "template",
        ),
        ({"type": "reaction", "reaction": {"emoji": "👍"}}, "reaction"),
        ({"type": "reaction", "reaction": {"message_id": "x", "emoji": "x" * 33}}, "reaction"),
    ],
)
def test_bad_input_is_told_by_field(send, body, field):
    answer = send(**body)

    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field]


def test_the_longest_text_fits(send):
    assert send(type="text", text="ñ" * 4096).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"type": "text", "text": "\\ud83d"}',
        b'{"type": "text", "text": NaN}',
        b'{"type": "text", "text": "\xff"}',
        b'{"type": "template", "template": {"name": "x", "language": "es", "components": [{"x": 1e999}]}}',
        b'{"type": "template", "template": {"name": "x", "language": "es", "components": [{"x": "\\ud83d"}]}}',
        b'{"type": "template", "template": {"name": "x", "language": "es", "components": [{"x": '
        + b"[" * 300
        + b"]" * 300
        + b"}]}}",
    ],
)
def test_a_body_that_is_no_usable_json_is_bad_input(api, ours, our_talk, body):
    answer = api(ours.ana).post(f"{our_talk.url}messages/", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()


def test_a_form_is_not_json(api, ours, our_talk):
    answer = api(ours.ana).post(f"{our_talk.url}messages/", {"type": "text", "text": "x"}, format="multipart")

    assert answer.status_code == 415
