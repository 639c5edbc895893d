"""Sending from the inbox: the bubble or the form with the reason, and one message however often it is clicked."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.models import Message, MessageStatus
from tests.crm.views.talk import conversation, inbound, outbound
from whatsapp.models import Number, Template

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def rosa(ours, now):
    with ours.transaction():
        return conversation(ours, "Rosa Quispe", now=now)


@pytest.fixture
def marco(ours, now):
    """The window closed a day ago."""
    with ours.transaction():
        return conversation(ours, "Marco Villanueva", now=now, wrote_at=now - timedelta(hours=48))


@pytest.fixture
def template(ours):
    with ours.transaction():
        return Template.objects.create(
            tenant=ours.tenant,
            waba_id=ours.number.waba_id,
            name="pedido_en_camino",
            language="es",
            category="UTILITY",
            status="APPROVED",
            components=[{"type": "BODY", "text": "Hola {{1}}, tu pedido {{2}} sale hoy."}],
        )


def send(client, conversation, text, *, client_id=None, headers=FRAGMENT, **fields):
    return client.post(
        f"/conversations/{conversation.pk}/messages/",
        {"text": text, "client_id": client_id or uuid4(), **fields},
        headers=headers,
    )


def sent(company, conversation) -> list[Message]:
    with company.transaction():
        return list(Message.objects.filter(conversation=conversation, direction="outbound").order_by("created_at"))


def test_answer_is_the_bubble_under_the_id_the_form_gave_it(ana, ours, rosa):
    client_id = uuid4()

    answer = send(ana, rosa, "Ya sale", client_id=client_id)

    assert answer.status_code == 201
    assert f'id="message-{client_id}"' in answer.content.decode()
    assert 'data-status="queued"' in answer.content.decode()
    assert str(rosa.pk) in answer.headers["HX-Trigger"]
    assert [(m.text, m.author_id, m.status) for m in sent(ours, rosa)] == [("Ya sale", ours.ana.pk, "queued")]


def test_double_click_is_one_message(ana, ours, rosa):
    client_id = uuid4()

    answers = [send(ana, rosa, "Ya sale", client_id=client_id) for _click in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(sent(ours, rosa)) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "Write something first."), ("   \n ", "Write something first."), ("x" * 4097, "at most 4,096 characters")],
)
def test_refused_text_comes_back_with_the_reason(ana, ours, rosa, text, sentence):
    answer = send(ana, rosa, text)

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert text.strip() in answer.content.decode()
    assert sent(ours, rosa) == []


def test_line_ends_of_a_browser_count_as_one_character(ana, ours, rosa):
    lines = ["ab"] * 1365  # 4,094 characters, but 5,458 bytes on the way

    answer = send(ana, rosa, "\r\n".join(lines))

    assert answer.status_code == 201
    assert sent(ours, rosa)[0].text == "\n".join(lines)


def test_choices_go_out_as_buttons_and_are_shown(ana, ours, rosa):
    answer = send(ana, rosa, "¿Cuándo se lo llevamos?", options="Hoy\r\nMañana\r\n")

    page = answer.content.decode()
    assert answer.status_code == 201 and "¿Cuándo se lo llevamos?" in page
    assert page.index("Hoy</span>") < page.index("Mañana</span>")
    (message,) = sent(ours, rosa)
    assert (message.type, message.payload["kind"], len(message.payload["options"])) == ("interactive", "button", 2)


def test_a_location_is_sent_and_shown_with_its_map(ana, ours, rosa):
    form = ana.get(f"/conversations/{rosa.pk}/composer/?write=location", headers=FRAGMENT).content.decode()
    given = {"client_id": uuid4(), "point": "https://maps.google.com/?q=-12.1219,-77.0297", "name": "Tienda"}
    answer = ana.post(f"/conversations/{rosa.pk}/locations/", given, headers=FRAGMENT)

    assert 'name="point"' in form and "/locations/" in form
    assert answer.status_code == 201 and "Tienda" in answer.content.decode()
    assert "mlat=-12.121900&amp;mlon=-77.029700" in answer.content.decode()
    (message,) = sent(ours, rosa)
    assert (message.type, message.payload["latitude"], message.text) == ("location", -12.1219, "Tienda")


def test_a_location_without_a_point_comes_back_with_the_reason(ana, ours, rosa):
    given = {"client_id": uuid4(), "point": "cerca del parque", "name": "Tienda"}
    answer = ana.post(f"/conversations/{rosa.pk}/locations/", given, headers=FRAGMENT)

    page = answer.content.decode()
    assert answer.status_code == 422 and "Write coordinates" in page
    assert "cerca del parque" in page and "Tienda" in page
    assert sent(ours, rosa) == []


def test_a_product_is_sent_where_the_number_has_a_catalogue(ana, ours, rosa):
    address, given = f"/conversations/{rosa.pk}/products/", {"product": "TRAIL-43", "words": ""}
    refused = ana.post(address, given | {"client_id": uuid4()}, headers=FRAGMENT)
    assert refused.status_code == 422 and "This number has no catalogue" in refused.content.decode()
    assert "write=product" not in ana.get(f"/inbox/{rosa.pk}/").content.decode()

    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(catalog_id="1948")
    assert 'name="product"' in ana.get(f"/conversations/{rosa.pk}/composer/?write=product").content.decode()
    answer = ana.post(address, given | {"client_id": uuid4()}, headers=FRAGMENT)

    assert answer.status_code == 201 and "TRAIL-43" in answer.content.decode()
    (message,) = sent(ours, rosa)
    assert (message.text, message.payload["product"]) == ("TRAIL-43", {"id": "TRAIL-43", "catalog": "1948"})


def test_somebodys_contact_is_sent_with_the_companys_country(ana, ours, rosa):
    given = {"client_id": uuid4(), "name": "Luis Huamán", "phone": "900 555 015", "email": ""}
    answer = ana.post(f"/conversations/{rosa.pk}/cards/", given, headers=FRAGMENT)
    refused = ana.post(f"/conversations/{rosa.pk}/cards/", given | {"phone": "12"}, headers=FRAGMENT)

    assert answer.status_code == 201 and "Luis Huamán" in answer.content.decode()
    (message,) = sent(ours, rosa)
    assert message.payload["contacts"][0]["phones"][0]["wa_id"] == "51900555015"
    assert refused.status_code == 422 and "This is no phone number" in refused.content.decode()


@pytest.mark.parametrize(
    ("asked", "kind", "shown"),
    [
        ("location", "location_request_message", "Send location"),
        ("phone", "request_contact_info", "Share phone number"),
    ],
)
def test_a_text_may_ask_for_where_they_are_or_for_their_phone(ana, ours, rosa, asked, kind, shown):
    form = ana.get(f"/conversations/{rosa.pk}/composer/?ask={asked}", headers=FRAGMENT).content.decode()
    answer = send(ana, rosa, "Para la entrega", asks=asked)

    assert f'name="asks" value="{asked}"' in form
    assert answer.status_code == 201 and shown in answer.content.decode()
    assert [message.payload["kind"] for message in sent(ours, rosa)] == [kind]


def test_what_nobody_can_ask_for_is_no_form(ana, rosa):
    page = ana.get(f"/conversations/{rosa.pk}/composer/?ask=money", headers=FRAGMENT).content.decode()

    assert 'name="text"' in page and 'name="asks"' not in page


def test_a_closed_window_offers_no_other_form(ana, marco, template):
    for asked in ("write=location", "write=card", "ask=phone"):
        page = ana.get(f"/conversations/{marco.pk}/composer/?{asked}", headers=FRAGMENT).content.decode()
        assert "Send template" in page and 'name="point"' not in page and 'name="asks"' not in page


def test_choices_of_a_customer_are_none_of_ours(ana, ours, rosa):
    """What comes in is shown as words, whatever its object pretends to be."""
    with ours.transaction():
        message = inbound(rosa, "Verlo")
        Message.objects.filter(pk=message.pk).update(
            type="interactive",
            payload=Message._meta.get_field("payload").sealed(
                {"kind": "cta_url", "label": "Verlo", "url": "javascript:alert(1)"}, tenant_id=ours.tenant.pk
            ),
        )
    page = ana.get(f"/inbox/{rosa.pk}/").content.decode()
    assert "Verlo" in page and "javascript:alert" not in page and "msg__buttons" not in page


def test_choices_that_whatsapp_would_refuse_come_back_with_the_reason(ana, ours, rosa):
    answer = send(ana, rosa, "¿Cuál?", options="\n".join(f"Talla {size}" for size in range(30, 41)))

    page = answer.content.decode()
    assert answer.status_code == 422 and "a list of one to ten" in page
    assert "Talla 40" in page and "¿Cuál?" in page
    assert sent(ours, rosa) == []


def test_closed_window_refuses_text_and_offers_templates(ana, ours, marco, template):
    page = ana.get(f"/inbox/{marco.pk}/").content.decode()
    answer = send(ana, marco, "¿Sigues ahí?")

    assert "Send template" in page
    assert "<textarea" not in page
    assert answer.status_code == 422
    assert "More than 24 hours have passed" in answer.content.decode()
    assert "¿Sigues ahí?" in answer.content.decode()


def test_without_javascript_sending_goes_back_to_the_thread(ana, ours, rosa):
    answer = send(ana, rosa, "Ya sale", headers={})
    refused = send(ana, rosa, "", headers={})

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/inbox/{rosa.pk}/"
    assert refused.status_code == 422
    assert "<html" in refused.content.decode()
    assert "Write something first." in refused.content.decode()


def test_quoting_carries_the_providers_id(ana, ours, rosa):
    with ours.transaction():
        asked = inbound(rosa, "¿Llega hoy?")

    form = ana.get(f"/conversations/{rosa.pk}/composer/", {"quote": asked.pk}).content.decode()
    send(ana, rosa, "Sí", quoted=asked.pk)

    assert "¿Llega hoy?" in form
    assert sent(ours, rosa)[0].quoted_message_id == asked.provider_message_id


def test_a_quote_shows_whatsapps_marks_and_a_row_none(ana, ours, rosa):
    with ours.transaction():
        asked = inbound(rosa, "¿*Cuánto* <b>es</b>? https://nube.test/a")
    send(ana, rosa, "_Diez_ <i>soles</i>", quoted=asked.pk)

    thread = ana.get(f"/inbox/{rosa.pk}/").content.decode()

    quote = "<span>¿<strong>Cuánto</strong> &lt;b&gt;es&lt;/b&gt;? https://nube.test/a</span></a>"
    assert quote in thread
    assert quote in ana.get(f"/conversations/{rosa.pk}/composer/", {"quote": asked.pk}).content.decode()
    assert "<span>Diez &lt;i&gt;soles&lt;/i&gt;</span>" in ana.get("/inbox/").content.decode()


def test_a_message_of_another_conversation_cannot_be_quoted(ana, ours, rosa, marco):
    with ours.transaction():
        elsewhere = inbound(marco, "secreto")

    assert "secreto" not in ana.get(f"/conversations/{rosa.pk}/composer/", {"quote": elsewhere.pk}).content.decode()
    assert send(ana, rosa, "Sí", quoted=elsewhere.pk).status_code == 422


def test_template_is_sent_with_its_variables(ana, ours, marco, template):
    answer = ana.post(
        f"/conversations/{marco.pk}/template-messages/",
        {"client_id": uuid4(), "template": template.pk, "var_1": "Marco", "var_2": " #4790  "},
        headers=FRAGMENT,
    )

    assert answer.status_code == 201
    (message,) = sent(ours, marco)
    assert message.text == "Hola Marco, tu pedido #4790 sale hoy."
    assert message.payload["components"] == [
        {"type": "body", "parameters": [{"type": "text", "text": "Marco"}, {"type": "text", "text": "#4790"}]}
    ]


def test_template_with_an_empty_variable_comes_back_filled_as_far(ana, ours, marco, template):
    answer = ana.post(
        f"/conversations/{marco.pk}/template-messages/",
        {"client_id": uuid4(), "template": template.pk, "var_1": "Marquito", "var_2": ""},
        headers=FRAGMENT,
    )

    assert answer.status_code == 422
    assert "WhatsApp takes no empty variable." in answer.content.decode()
    assert 'value="Marquito"' in answer.content.decode()


def test_first_variable_starts_with_the_persons_name(ana, marco, template):
    page = ana.get(f"/inbox/{marco.pk}/?template={template.pk}").content.decode()

    assert 'name="var_1" value="Marco"' in page
    assert 'Hola <mark data-shows="var_1" data-empty="{{1}}">Marco</mark>' in page


@pytest.fixture
def another(ours):
    """Another template of the account: `another(components=…, status=…)`."""

    def another(*, name="a_first", status="APPROVED", components=None, **fields):
        with ours.transaction():
            return Template.objects.create(
                tenant=ours.tenant, waba_id=ours.number.waba_id, name=name, language="es", category="UTILITY",
                status=status, components=components or [{"type": "BODY", "text": "Mira"}], **fields,
            )  # fmt: skip

    return another


def test_a_template_with_parts_of_its_own_is_shown_with_the_reason(ana, ours, marco, template, another):
    other = another(components=[{"type": "CAROUSEL"}, "rubbish"])

    page = ana.get(f"/inbox/{marco.pk}/?template={other.pk}").content.decode()

    assert "It has parts that cannot be filled in here. Choose another one." in page
    assert "Send template" not in page
    address, data = f"/conversations/{marco.pk}/template-messages/", {"client_id": uuid4(), "template": other.pk}
    assert ana.post(address, data, headers=FRAGMENT).status_code == 422
    assert sent(ours, marco) == []


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        ("PAUSED", "FIRST_PAUSE", "people blocked or reported it; the first pause lasts 3 hours."),
        ("REJECTED", "INVALID_FORMAT", "something about its form is wrong: variables, examples or buttons."),
        ("DISABLED", "", "Meta disabled this template. Choose another one, or write a new one."),
        ("PENDING", "", "Meta is still reviewing this template."),
        ("SOMETHING_NEW", "", "Meta does not let this template be sent now."),
    ],
)
def test_a_template_that_meta_stopped_is_refused_with_the_reason(
    ana, ours, marco, template, another, status, reason, sentence
):
    stopped = another(status=status, reason=reason)

    page = ana.get(f"/inbox/{marco.pk}/?template={stopped.pk}").content.decode()
    answer = ana.post(
        f"/conversations/{marco.pk}/template-messages/",
        {"client_id": uuid4(), "template": stopped.pk},
        headers=FRAGMENT,
    )

    assert sentence in page and "Send template" not in page
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert sent(ours, marco) == []


@pytest.mark.parametrize(
    ("value", "sentence"),
    [("a\nb", "no line breaks or tabs"), ("a\tb", "no line breaks or tabs"), ("a" + " " * 5 + "b", "at most four spaces"),
     ("   ", "no empty variable")],
)  # fmt: skip
def test_what_meta_refuses_in_a_variable_is_said_at_its_field(ana, ours, marco, template, value, sentence):
    answer = ana.post(
        f"/conversations/{marco.pk}/template-messages/",
        {"client_id": uuid4(), "template": template.pk, "var_1": "Marco", "var_2": value},
        headers=FRAGMENT,
    )

    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert sent(ours, marco) == []


def test_links_codes_and_headers_are_given_with_the_message(ana, ours, marco, another):
    full = another(
        components=[
            {"type": "HEADER", "format": "TEXT", "text": "Pedido {{1}}"},
            {"type": "BODY", "text": "Hola {{nombre}}, ya va."},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Sí"},
                                            {"type": "URL", "text": "Ver", "url": "https://x.test/{{1}}"},
                                            {"type": "COPY_CODE", "example": "VERANO"}]},
        ]
    )  # fmt: skip
    values = {"head_1": "A-1", "var_nombre": "Marco", "button_1": "a1", "button_2": "VERANO20"}

    answer = ana.post(
        f"/conversations/{marco.pk}/template-messages/",
        {"client_id": uuid4(), "template": full.pk, **values},
        headers=FRAGMENT,
    )

    assert answer.status_code == 201
    assert sent(ours, marco)[0].payload["components"] == [
        {"type": "header", "parameters": [{"type": "text", "text": "A-1"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "Marco", "parameter_name": "nombre"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "a1"}]},
        {"type": "button", "sub_type": "copy_code", "index": "2",
         "parameters": [{"type": "coupon_code", "coupon_code": "VERANO20"}]},
    ]  # fmt: skip


def test_the_photo_of_a_header_is_handed_over_before_the_message_goes(ana, ours, marco, another, settings, tmp_path):
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    pictured = another(components=[{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Mira"}])
    address = f"/conversations/{marco.pk}/template-messages/"

    def send_with(file):
        data = {"client_id": uuid4(), "template": pictured.pk} | ({"head_file": file} if file else {})
        return ana.post(address, data, headers=FRAGMENT)

    missing, wrong = send_with(None), send_with(SimpleUploadedFile("a.pdf", b"%PDF", "application/pdf"))
    right = send_with(SimpleUploadedFile("a.png", b"\x89PNG\r\n\x1a\n", "image/png"))

    assert missing.status_code == 422 and "Choose a file." in missing.content.decode()
    assert wrong.status_code == 422 and "another kind of file" in wrong.content.decode()
    assert right.status_code == 201
    (message,) = sent(ours, marco)
    assert (message.payload["media_kind"], message.next_attempt_at) == ("image", None)
    with ours.transaction():
        assert message.attachments.get().filename == "a.png"
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 1


def test_variables_begin_with_what_the_contact_has(ana, ours, marco, another):
    with ours.transaction():
        marco.contact.attributes = {"Ciudad": "Cusco", "pedido": "A-7"}
        marco.contact.save()
    words = [{"type": "BODY", "text": "Hola {{first_name}}, tu pedido {{pedido}} va a {{lugar}} con {{otra}}."}]
    full = another(components=words, prefilled={"lugar": "la ciudad de {ciudad}"})

    form = ana.get(f"/inbox/{marco.pk}/?template={full.pk}").context["composer"].form

    assert form.values == {
        "var_first_name": "Marco", "var_pedido": "A-7", "var_lugar": "la ciudad de Cusco", "var_otra": "",
    }  # fmt: skip


def test_failed_message_is_tried_again(ana, ours, rosa):
    with ours.transaction():
        failed = outbound(
            rosa,
            "Hola",
            payload={"body": "Hola", "preview_url": True},
            status=MessageStatus.FAILED,
            error_reason="transient",
            provider_message_id=None,
        )

    answer = ana.post(f"/conversations/{rosa.pk}/messages/{failed.pk}/retry/", headers=FRAGMENT)

    assert answer.status_code == 204
    assert [message.status for message in sent(ours, rosa)] == ["queued"]


@pytest.mark.parametrize(("decision", "status"), [("resend", "queued"), ("arrived", "accepted")])
def test_unknown_outcome_is_decided_once(ana, ours, rosa, decision, status):
    with ours.transaction():
        unknown = outbound(
            rosa,
            "Hola",
            payload={"body": "Hola", "preview_url": True},
            status=MessageStatus.UNKNOWN,
            provider_message_id=None,
        )
    address = f"/conversations/{rosa.pk}/messages/{unknown.pk}/outcome/"

    ana.post(address, {"decision": decision}, headers=FRAGMENT)
    again = ana.post(address, {"decision": decision}, headers=FRAGMENT)

    assert [message.status for message in sent(ours, rosa)] == [status]
    assert "This has been decided already." in again.headers["HX-Trigger"]


def test_nobody_writes_where_they_cannot_see(ana, ours, theirs, now):
    with ours.transaction():
        in_support = conversation(ours, now=now, queue=ours.support)
    with theirs.transaction():
        foreign = conversation(theirs, now=now)

    assert send(ana, in_support, "Hola").status_code == 404
    assert send(ana, foreign, "Hola").status_code == 404
    assert sent(ours, in_support) == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(132000, "another number of variables"), (132015, "Meta paused this template"), (132018, "A value is empty")],
)
def test_what_meta_refused_of_a_template_says_what_to_mend(ana, ours, rosa, code, sentence):
    with ours.transaction():
        outbound(rosa, status="failed", error_reason="template_params", error_code=code, type="template")

    assert sentence in ana.get(f"/inbox/{rosa.pk}/").content.decode()


def test_what_may_be_attached_is_said_by_what_the_number_can(ana, ours, rosa):
    def composer() -> str:
        return ana.get(f"/conversations/{rosa.pk}/composer/", headers=FRAGMENT).content.decode()

    assert "videos up to 16.0\xa0MB, documents up to 100.0\xa0MB" in composer()
    assert "&quot;video&quot;: 16777216" in composer() and "&quot;image&quot;: 104857600" in composer()
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(provider="twilio")
    assert "documents up to 16.0\xa0MB" in composer() and "&quot;document&quot;: 16777216" in composer()
