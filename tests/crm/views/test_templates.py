"""Templates in the browser: looked at by everybody, written by supervisors, refused in sentences, kept from others."""

from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm import bells
from tests.cast import signed_in
from whatsapp.models import Template, TemplateChange

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list:
    tasks: list = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: tasks.append((task.name, *arguments)))
    return tasks


@pytest.fixture
def supervisor(ours) -> Client:
    return signed_in(ours.supervisor)


@pytest.fixture
def ana(ours) -> Client:
    return signed_in(ours.ana)


def stored(company, name="pedido", **fields) -> Template:
    defaults = {
        "language": "es", "category": "UTILITY", "status": "APPROVED", "waba_id": company.number.waba_id,
        "components": [{"type": "BODY", "text": "Hola {{1}}, tu pedido va hoy.", "example": {"body_text": [["Rosa"]]}}],
    }  # fmt: skip
    with company.transaction():
        return Template.objects.create(tenant=company.tenant, name=name, **defaults | fields)


def form(**fields) -> dict:
    """The editor's form as a browser sends it."""
    return {
        "name": "recojo_listo", "language": "es-pe", "category": "UTILITY", "header": "NONE", "header_text": "",
        "header_example": "", "body": "Hola {{1}}, tu pedido está listo.", "ex-1": "Rosa", "footer": "", "buttons": "0",
        "kept": "",
    } | fields  # fmt: skip


def changes(company) -> list[TemplateChange]:
    with company.transaction():
        return list(TemplateChange.objects.order_by("created_at"))


def test_the_list_groups_languages_and_shows_state_quality_and_reason(ana, ours):
    stored(ours, quality="RED", status="PAUSED", reason="FIRST_PAUSE")
    stored(ours, language="pt_BR")
    page = ana.get("/templates/")
    (group,) = page.context["groups"]
    assert [each.language for each in group["templates"]] == ["es", "pt_BR"]
    assert "Paused by Meta" in page.content.decode()
    assert "People blocked or reported it; the first pause lasts 3 hours" in page.content.decode()
    assert "New template" not in page.content.decode()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["oferta", "pedido", "pedido_viejo"]),
        ("?q=ped", ["pedido", "pedido_viejo"]),
        ("?q=pedido+viejo", ["pedido_viejo"]),
        ("?status=PAUSED", ["oferta"]),
        ("?category=MARKETING", ["oferta"]),
        ("?account=4", ["pedido_viejo"]),
        ("?status=DELETED", ["gone"]),
        ("?status=nonsense&category=x&page=99", ["oferta", "pedido", "pedido_viejo"]),
        ("?q=%00%25", []),
    ],
)
def test_search_and_filters(ana, ours, query, names):
    stored(ours, "pedido")
    stored(ours, "pedido_viejo", waba_id="4")
    stored(ours, "oferta", category="MARKETING", status="PAUSED")
    stored(ours, "gone", status="DELETED")
    assert [group["name"] for group in ana.get(f"/templates/{query}").context["groups"]] == names


def test_the_list_takes_as_many_queries_with_many_templates(ana, ours, django_assert_max_num_queries):
    for number in range(29):
        stored(ours, f"t{number:02}")
    with django_assert_max_num_queries(30) as few:
        ana.get("/templates/")
    for number in range(60):
        stored(ours, f"u{number:02}", language="pt_BR")
    with django_assert_max_num_queries(len(few)):
        ana.get("/templates/")


def test_what_is_complete_is_submitted_with_metas_spelling(supervisor, ours, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        answer = supervisor.post("/templates/new/", form())
    (change,) = changes(ours)
    assert answer.headers["Location"] == "/templates/"
    assert (change.state, change.kind, change.name, change.language) == ("sending", "create", "recojo_listo", "es_PE")
    assert change.wording.examples == {"1": "Rosa"}
    assert ("whatsapp.tasks.submit_templates",) in rung
    assert "being submitted" in supervisor.get("/templates/").content.decode()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"name": "Recojo Listo"}, "Only small letters without accents"),
        ({"language": "quechua!"}, "Choose a language as Meta spells it"),
        ({"body": ""}, "Write the text."),
        ({"body": "Tu pedido está listo, {{1}}"}, "no variable at the beginning or the end"),
        ({"ex-1": ""}, "Give an example for {{1}}"),
        ({"footer": "a" * 61}, "The footer has 61 characters; Meta takes 60."),
        ({"header": "IMAGE"}, "Choose an example file"),
        ({"buttons": "1", "b0-kind": "URL", "b0-text": "Ver", "b0-target": "nube"}, "begins with https://"),
        ({"category": "AUTHENTICATION", "expires": "99"}, "A code lasts 1 to 90 minutes."),
    ],
)
def test_what_meta_would_refuse_is_said_before_and_nothing_is_lost(supervisor, ours, said, sentence):
    answer = supervisor.post("/templates/new/", form(**said))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert f'value="{said.get("name", "recojo_listo")}"' in page
    assert changes(ours) == []


def test_buttons_are_arranged_without_javascript_and_without_saving(supervisor, ours):
    two = {"buttons": "2", "b0-kind": "QUICK_REPLY", "b0-text": "Sí", "b1-kind": "PHONE_NUMBER", "b1-text": "Llamar"}
    for order, texts in (("add:URL", ["Sí", "Llamar", ""]), ("remove:0", ["Llamar"]), ("up:1", ["Llamar", "Sí"]),
                         ("up:0", ["Sí", "Llamar"]), ("nonsense:x", ["Sí", "Llamar"]), ("preview", ["Sí", "Llamar"])):  # fmt: skip
        answer = supervisor.post("/templates/new/", form(**two, do=order))
        assert [button.text for button in answer.context["wording"].buttons] == texts, order
        assert answer.status_code == 200
    assert changes(ours) == []


def test_the_preview_follows_and_brings_fields_for_new_variables_only(supervisor):
    same = supervisor.post("/templates/preview/", form()).content.decode()
    other = supervisor.post(
        "/templates/preview/", form(body="Hola {{1}}, tu {{2}} está ya listo hoy.")
    ).content.decode()
    assert '<mark data-shows="var_1" data-empty="{{1}}">Rosa</mark>' in same
    assert "ex-1" not in same
    assert 'name="ex-2"' in other and 'hx-swap-oob="true"' in other
    assert "Give an example for {{2}}" in other


def test_whatsapps_formatting_is_shown_and_names_with_lines_under_them_are_not_formatting(supervisor):
    body = "Hola *{{first_name}}*, _hoy_ ~no~ va: a_b_c 2*3*4 {{dos_tres}} fin"
    page = supervisor.post("/templates/preview/", form(body=body, **{"ex-first_name": "Rosa"})).content.decode()
    assert "Hola <b><mark" in page and "Rosa</mark></b>, <i>hoy</i> <s>no</s> va: a_b_c 2*3*4" in page
    assert "{{dos_tres}}</mark>" in page


def test_what_is_typed_is_shown_as_text_only(supervisor):
    said = {"body": "<script>alert(1)</script> {{1}} ya va hoy", "ex-1": "<b>x</b>", "footer": "<i>", "name": "<u>"}
    page = supervisor.post("/templates/preview/", form(**said)).content.decode()
    assert "<script>" not in page and "<b>x" not in page and "<i>" not in page


def test_characters_that_no_database_takes_are_left_out(supervisor, ours):
    supervisor.post("/templates/new/", form(body="Hola {{1}},\x00 tu pedido está listo.", do="save"))
    assert changes(ours)[0].wording.body == "Hola {{1}}, tu pedido está listo."


def test_a_draft_is_kept_and_goes_on(supervisor, ours):
    answer = supervisor.post("/templates/new/", form(body="", do="save"))
    (draft,) = changes(ours)
    assert (draft.state, answer.headers["Location"]) == ("draft", f"/templates/changes/{draft.pk}/")
    assert 'value="recojo_listo"' in supervisor.get(answer.headers["Location"]).content.decode()

    supervisor.post(answer.headers["Location"], form())
    assert [(change.pk, change.state) for change in changes(ours)] == [(draft.pk, "sending")]
    assert supervisor.get(answer.headers["Location"]).status_code == 302

    with ours.transaction():
        TemplateChange.objects.update(state="refused", failure={"subcode": 2388293, "code": 100})
    assert "too many variables for so few words" in supervisor.get(answer.headers["Location"]).content.decode()
    supervisor.post(f"{answer.headers['Location']}discard/")
    assert changes(ours) == []


def test_a_name_that_is_taken_is_refused(supervisor, ours):
    stored(ours, "recojo_listo", language="es_PE")
    answer = supervisor.post("/templates/new/", form())
    assert answer.status_code == 422 and "There is a template of this name in this language." in answer.content.decode()
    assert supervisor.post("/templates/new/", form(language="es_MX")).status_code == 302
    assert supervisor.post("/templates/new/", form(language="es_MX", footer="Otra")).status_code == 422


def test_a_double_click_submits_once_and_shows_no_error(supervisor, ours):
    answers = [supervisor.post("/templates/new/", form()) for _click in range(2)]
    assert [answer.headers["Location"] for answer in answers] == ["/templates/", "/templates/"]
    assert len(changes(ours)) == 1


def test_an_edit_keeps_name_language_and_the_category_of_an_approved_one(supervisor, ours):
    template = stored(ours)
    supervisor.post(f"/templates/{template.pk}/edit/", form(category="MARKETING", name="otro"))
    (change,) = changes(ours)
    assert (change.kind, change.name, change.language, change.category) == ("edit", "pedido", "es", "UTILITY")
    assert change.template_id == template.pk
    assert supervisor.get(f"/templates/{template.pk}/edit/").headers["Location"] == f"/templates/changes/{change.pk}/"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "PENDING"},
        {"status": "DISABLED"},
        {"components": [{"type": "BODY", "text": "a"}, {"type": "CAROUSEL"}]},
    ],
)
def test_what_cannot_be_edited_is_shown_only(supervisor, ours, fields):
    template = stored(ours, **fields)
    assert f"/templates/{template.pk}/edit/" not in supervisor.get(f"/templates/{template.pk}/").content.decode()
    assert supervisor.get(f"/templates/{template.pk}/edit/").headers["Location"] == f"/templates/{template.pk}/"


def test_another_language_begins_with_the_words_of_the_first(supervisor, ours):
    template = stored(ours)
    page = supervisor.get(f"/templates/new/?from={template.pk}")
    assert page.context["draft"].name == "pedido" and "Hola {{1}}, tu pedido va hoy." in page.content.decode()
    assert supervisor.get("/templates/new/?from=nonsense").status_code == 404


def test_the_example_of_a_header_is_kept_over_a_refusal_and_cannot_be_forged(
    supervisor, ours, theirs, settings, tmp_path
):
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    photo = SimpleUploadedFile("a.png", b"\x89PNG\r\n\x1a\n", "image/png")
    refused = supervisor.post("/templates/new/", form(header="IMAGE", name="", header_file=photo))
    kept = refused.context["kept"]
    assert refused.status_code == 422 and "a.png" in refused.content.decode()

    wrong = supervisor.post(
        "/templates/new/", form(header="IMAGE", header_file=SimpleUploadedFile("a.pdf", b"x", "application/pdf"))
    )
    assert wrong.status_code == 422 and "Meta does not take “a.pdf” as this header" in wrong.content.decode()
    assert signed_in(theirs.supervisor).post("/templates/new/", form(header="IMAGE", kept=kept)).status_code == 422
    assert supervisor.post("/templates/new/", form(header="IMAGE", kept=kept + "x")).status_code == 422

    supervisor.post("/templates/new/", form(header="IMAGE", kept=kept))
    (change,) = changes(ours)
    assert (change.file["name"], change.file["size"]) == ("a.png", 8)


class TestTheExampleOfAHeader:
    FILE = {"stored_as": "a/b", "name": "foto.png", "mime_type": "image/png", "size": 8}
    PARTS = [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hola, tu pedido va hoy."}]

    def edited(self, supervisor, template, **fields):
        page = supervisor.get(f"/templates/{template.pk}/edit/")
        said = {"header": "IMAGE", "body": "Hola, tu pedido va mañana.", "kept": page.context["kept"]}
        return page, supervisor.post(f"/templates/{template.pk}/edit/", form(**said | fields))

    def test_need_not_be_given_again_for_a_change(self, supervisor, ours):
        template = stored(ours, components=self.PARTS, example=self.FILE)

        page, answer = self.edited(supervisor, template)

        assert "foto.png" in page.content.decode() and answer.status_code == 302
        (change,) = changes(ours)
        assert (change.kind, change.state, change.file) == ("edit", "sending", self.FILE)

    def test_nor_for_another_language(self, supervisor, ours):
        template = stored(ours, components=self.PARTS, example=self.FILE)

        page = supervisor.get(f"/templates/new/?from={template.pk}")

        assert page.context["draft"].file == self.FILE

    def test_of_another_kind_of_header_is_none(self, supervisor, ours):
        template = stored(ours, components=[{"type": "HEADER", "format": "VIDEO"}, self.PARTS[1]], example=self.FILE)

        page = supervisor.get(f"/templates/{template.pk}/edit/")

        assert page.context["draft"].file is None

    def test_that_was_never_given_here_is_still_asked_for(self, supervisor, ours):
        template = stored(ours, components=self.PARTS)

        _page, answer = self.edited(supervisor, template)

        assert answer.status_code == 422 and "Choose an example file" in answer.content.decode()


def test_one_language_or_all_are_deleted_by_the_queue(supervisor, ours):
    template = stored(ours)
    supervisor.post(f"/templates/{template.pk}/deletion/")
    supervisor.post(f"/templates/{template.pk}/deletion/")
    assert [(change.kind, change.language) for change in changes(ours)] == [("delete", "es")]
    other = stored(ours, "oferta")
    supervisor.post(f"/templates/{other.pk}/deletion/", {"all": "1"})
    assert [change.language for change in changes(ours)] == ["es", ""]


def test_a_supervisor_says_what_variables_hold(supervisor, ours):
    template = stored(ours)
    supervisor.post(f"/templates/{template.pk}/", {"fill-1": " {name} ", "fill-9": "x"})
    with ours.transaction():
        assert Template.objects.get().prefilled == {"1": "{name}"}


def test_agents_look_and_change_nothing(ana, ours):
    template = stored(ours)
    assert ana.get(f"/templates/{template.pk}/").status_code == 200
    for method, address in (
        ("post", "/templates/sync/"), ("get", "/templates/new/"), ("post", "/templates/new/"),
        ("post", "/templates/preview/"), ("post", f"/templates/{template.pk}/"),
        ("get", f"/templates/{template.pk}/edit/"), ("post", f"/templates/{template.pk}/deletion/"),
    ):  # fmt: skip
        assert getattr(ana, method)(address, form()).status_code == 403, address
    assert changes(ours) == []


def test_another_companys_are_not_there(supervisor, ours, theirs):
    template = stored(theirs)
    with theirs.transaction():
        change = TemplateChange.objects.create(
            tenant=theirs.tenant, kind="create", waba_id="3", name="x", language="es"
        )
    for address in (f"/templates/{template.pk}/", f"/templates/{template.pk}/edit/", f"/templates/{template.pk}/deletion/",
                    f"/templates/changes/{change.pk}/", f"/templates/changes/{change.pk}/discard/", f"/templates/{uuid4()}/"):  # fmt: skip
        assert supervisor.post(address, form()).status_code == 404, address
    assert supervisor.get(f"/templates/new/?from={template.pk}").status_code == 404
    assert supervisor.get("/templates/").context["groups"] == []
    assert len(changes(theirs)) == 1


def test_sync_now_rings_for_the_company(supervisor, ours, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        supervisor.post("/templates/sync/")
    assert rung == [("whatsapp.tasks.sync_templates", str(ours.tenant.pk))]
