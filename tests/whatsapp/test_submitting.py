"""Templates handed over to Meta: written, changed, deleted, refused, and tried again when nobody knows."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.db.models.functions import Now

from crm.template_words import refusal_sentence
from tenants.models import Alert
from tests.whatsapp.providers.meta import meta
from whatsapp import submitting, template_alerts
from whatsapp.cataloguing import sync_templates_of
from whatsapp.models import Number, Template, TemplateChange
from whatsapp.simulator.process import Simulator, wait_until
from whatsapp.template_content import Button, Wording

pytestmark = pytest.mark.django_db
TOKEN = "EAAsim-demo-ventas-000001"
WORDS = Wording(
    header="TEXT", header_text="Pedido {{1}}", header_example="NC-1",
    body="Hola {{1}}, tu pedido {{2}} ya salió del almacén hoy.", examples={"1": "Rosa", "2": "NC-1"}, footer="Nube",
    buttons=(Button("QUICK_REPLY", "Gracias"), Button("URL", "Ver", "https://nube.test/{{1}}", "NC-1")),
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(app_url="http://127.0.0.1:9", SIMULATOR_REVIEW_S="0.05") as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator, settings: Any, ours, tmp_path) -> Simulator:
    running.reset()
    settings.GRAPH_API_URL = running.url
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    with ours.transaction():
        ours.number.token = TOKEN
        ours.number.save(update_fields=["token"])
    return running


def asked(
    ours, kind: str = "create", *, wording: Wording = WORDS, name: str = "salida", language: str = "es", **more
) -> None:
    with ours.transaction():
        change = TemplateChange(
            tenant=ours.tenant, kind=kind, waba_id=ours.number.waba_id, name=name, language=language,
            category=more.pop("category", "UTILITY"), content=wording.as_json(), **more,
        )  # fmt: skip
        submitting.submit(change)


def work() -> int:
    return submitting.work(now=datetime.now(UTC))


def changes(ours) -> list[tuple[str, dict | None]]:
    with ours.transaction():
        return [(change.state, change.failure) for change in TemplateChange.objects.all()]


def ours_now(ours, name: str = "salida", **more) -> Template:
    with ours.transaction():
        return Template.objects.get(name=name, **more)


def theirs_now(simulator: Simulator, name: str = "salida") -> list[dict]:
    return simulator.call("GET", f"/v25.0/300000000000001/message_templates?name={name}", token=TOKEN)["data"]


def sync(ours) -> None:
    sync_templates_of(ours.number, now=datetime.now(UTC))


def test_a_new_one_is_in_review_and_then_approved(simulator, ours):
    asked(ours)

    assert work() == 1

    assert changes(ours) == []
    assert ours_now(ours).status == "PENDING"
    (there,) = theirs_now(simulator)
    assert there["components"] == ours_now(ours).components
    assert there["components"][1]["example"] == {"body_text": [["Rosa", "NC-1"]]}
    assert there["components"][3]["buttons"][1]["example"] == ["https://nube.test/NC-1"]
    wait_until(lambda: theirs_now(simulator)[0]["status"] == "APPROVED")
    sync(ours)
    assert ours_now(ours).is_approved


def test_named_variables_travel_with_their_names(simulator, ours):
    asked(ours, wording=Wording(body="Hola {{first_name}}, tu pedido va hoy.", examples={"first_name": "Rosa"}))
    work()
    (there,) = theirs_now(simulator)
    assert there["parameter_format"] == "NAMED"
    assert there["components"][0]["example"] == {
        "body_text_named_params": [{"param_name": "first_name", "example": "Rosa"}]
    }


def test_a_template_for_codes_gets_metas_words(simulator, ours):
    wording = Wording(buttons=(Button("OTP", "Copiar"),), expires_minutes=10)
    asked(ours, wording=wording, category="AUTHENTICATION")
    work()
    sync(ours)
    assert ours_now(ours).body.startswith("*{{1}}*")


def test_the_example_of_a_header_is_uploaded_before(simulator, ours):
    stored = storages["media"].save("a/b", io.BytesIO(b"%PDF-1.4"))
    file = {"stored_as": stored, "name": "guía.pdf", "mime_type": "application/pdf", "size": 8}
    asked(ours, wording=Wording(header="DOCUMENT", body="Tu guía va aquí."), file=file)

    work()

    (there,) = theirs_now(simulator)
    assert there["components"][0]["example"]["header_handle"][0].startswith("4::")
    assert changes(ours) == []


class TestTheFileOfAHeader:
    """It stays beside its template, for the next change; and no longer than something names it."""

    @pytest.fixture(autouse=True)
    def _commits(self, django_capture_on_commit_callbacks) -> None:
        """What happens on commit does."""

        def work_and_commit() -> None:
            with django_capture_on_commit_callbacks(execute=True):
                work()

        self.work = work_and_commit

    def kept(self, name: str = "guía.pdf") -> dict[str, Any]:
        stored = storages["media"].save("a/b", io.BytesIO(b"%PDF-1.4"))
        return {"stored_as": stored, "name": name, "mime_type": "application/pdf", "size": 8}

    def there(self, file: dict[str, Any]) -> bool:
        return storages["media"].exists(file["stored_as"])

    WORDS = Wording(header="DOCUMENT", body="Tu guía va aquí.")

    def edit(self, ours, file: dict[str, Any] | None, **more) -> None:
        asked(ours, "edit", wording=more.pop("wording", self.WORDS), file=file, template=ours_now(ours, **more))
        self.work()
        assert changes(ours) == []

    @pytest.fixture
    def file(self, simulator, ours, _commits) -> dict[str, Any]:
        file = self.kept()
        asked(ours, wording=self.WORDS, file=file)
        self.work()
        wait_until(lambda: theirs_now(simulator)[0]["status"] == "APPROVED")
        sync(ours)
        return file

    def test_is_kept_with_its_template(self, simulator, ours, file):
        assert ours_now(ours).example == file and self.there(file)

    def test_is_uploaded_anew_with_the_next_change(self, simulator, ours, file):
        before = theirs_now(simulator)[0]["components"][0]["example"]["header_handle"]

        self.edit(ours, file, wording=Wording(header="DOCUMENT", body="Tu guía nueva va aquí."))

        assert theirs_now(simulator)[0]["components"][0]["example"]["header_handle"] != before
        assert ours_now(ours).example == file and self.there(file)

    def test_gives_way_to_another(self, simulator, ours, file):
        other = self.kept("otra.pdf")
        self.edit(ours, other)

        assert ours_now(ours).example == other and self.there(other) and not self.there(file)

    def test_goes_with_the_header(self, simulator, ours, file):
        self.edit(ours, None, wording=Wording(body="Tu guía ya no va aquí."))

        assert ours_now(ours).example is None and not self.there(file)

    def test_goes_with_the_template(self, simulator, ours, file):
        asked(ours, "delete", template=ours_now(ours))
        self.work()

        assert ours_now(ours).example is None and not self.there(file)

    def test_stays_while_another_language_has_it(self, simulator, ours, file):
        asked(ours, wording=self.WORDS, file=file, language="pt_BR")
        self.work()
        self.edit(ours, self.kept("otra.pdf"), language="es")
        assert self.there(file) and ours_now(ours, language="pt_BR").example == file

        asked(ours, "delete", language="pt_BR", template=ours_now(ours, language="pt_BR"))
        self.work()
        assert not self.there(file)

    def test_stays_when_a_draft_of_it_is_thrown_away(self, simulator, ours, file, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True), ours.transaction():
            draft = TemplateChange.objects.create(
                tenant=ours.tenant, kind="edit", waba_id=ours.number.waba_id, name="salida", language="es",
                content=self.WORDS.as_json(), file=file, template=Template.objects.get(name="salida"),
            )  # fmt: skip
            assert submitting.discard(draft)

        assert self.there(file)

    def test_that_is_gone_is_asked_for_again(self, simulator, ours, file):
        storages["media"].delete(file["stored_as"])
        asked(ours, "edit", wording=self.WORDS, file=file, template=ours_now(ours))
        self.work()

        ((state, failure),) = changes(ours)
        assert state == "refused" and "Choose it again" in refusal_sentence(failure)


def test_another_text_takes_the_place_of_the_old_one(simulator, ours):
    sync(ours)
    old = ours_now(ours, "hello_world")
    asked(ours, "edit", name="hello_world", language="en_US", template=old, wording=Wording(body="Hi there."))
    work()
    assert changes(ours) == []
    assert (ours_now(ours, "hello_world").body, ours_now(ours, "hello_world").status) == ("Hi there.", "APPROVED")


def test_one_that_was_never_synchronised_is_found_first(simulator, ours):
    with ours.transaction():
        old = Template.objects.create(tenant=ours.tenant, waba_id=ours.number.waba_id, name="hello_world",
                                      language="en_US", category="UTILITY", status="APPROVED")  # fmt: skip
    asked(ours, "edit", name="hello_world", language="en_US", template=old, wording=Wording(body="Hi there."))
    work()
    assert ours_now(ours, "hello_world").body == "Hi there."


def test_one_language_or_all_of_them_are_deleted(simulator, ours):
    asked(ours)
    asked(ours, language="pt_BR")
    work()
    asked(ours, "delete", language="es", template=ours_now(ours, language="es"))
    work()
    assert [there["language"] for there in theirs_now(simulator)] == ["pt_BR"]
    assert ours_now(ours, language="es").status == "DELETED"

    with ours.transaction(), connection.cursor() as cursor:
        Template.objects.filter(language="pt_BR").update(status="PAUSED")
        template_alerts.tell(cursor, [ours_now(ours, language="pt_BR").pk])
        assert Alert.objects.filter(kind=template_alerts.STOPPED, resolved_at=None).count() == 1
    asked(ours, "delete", language="", template=ours_now(ours, language="pt_BR"))
    work()
    with ours.transaction():
        assert not Alert.objects.filter(kind=template_alerts.STOPPED, resolved_at=None).exists()
    assert theirs_now(simulator) == []
    assert ours_now(ours, language="pt_BR").status == "DELETED"


def test_a_refusal_says_what_meta_said_and_the_text_is_kept(simulator, ours):
    asked(ours, wording=Wording(body="{{1}}, tu pedido ya va en camino hoy.", examples={"1": "Rosa"}))
    work()
    ((state, failure),) = changes(ours)
    assert (state, failure["code"], failure["subcode"]) == ("refused", 100, 2388299)
    assert "start or end" in failure["said"]


def test_without_a_number_it_is_said(simulator, ours):
    asked(ours)
    with ours.transaction():
        Number.objects.update(is_active=False)
    work()
    assert changes(ours) == [("refused", {"reason": "no_number"})]


def test_an_answer_that_was_lost_is_found_by_trying_again(simulator, ours, settings):
    asked(ours)
    with meta() as silent:
        silent.answers(500, {})
        settings.GRAPH_API_URL = silent.url
        work()
    assert changes(ours) == [("sending", {"reason": "unreachable"})]
    wanted = {
        "name": "salida",
        "language": "es",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hola"}],
    }
    simulator.call("POST", "/v25.0/300000000000001/message_templates", wanted, token=TOKEN)  # it had arrived
    settings.GRAPH_API_URL = simulator.url
    with ours.transaction():
        TemplateChange.objects.update(next_attempt_at=Now())

    work()

    assert changes(ours) == []
    assert ours_now(ours).body == "Hola"


def test_what_is_already_there_is_refused_at_the_first_try(simulator, ours):
    asked(ours, name="hello_world", language="en_US")
    work()
    ((state, failure),) = changes(ours)
    assert (state, failure["subcode"]) == ("refused", 2388024)


def test_what_is_being_submitted_cannot_be_discarded(simulator, ours):
    asked(ours)
    with ours.transaction():
        change = TemplateChange.objects.get()
        assert not submitting.discard(change)
        TemplateChange.objects.update(state="draft")
        assert submitting.discard(change)
    assert changes(ours) == []


def test_a_fetch_does_not_undo_what_a_webhook_said_meanwhile(simulator, ours):
    sync(ours)
    started = datetime.now(UTC)
    with ours.transaction():
        Template.objects.filter(name="hello_world").update(status="PAUSED", status_at=datetime.now(UTC))
    sync_templates_of(ours.number, now=started)
    assert ours_now(ours, "hello_world").status == "PAUSED"
    sync(ours)
    assert ours_now(ours, "hello_world").status == "APPROVED"


def test_the_simulator_tells_what_becomes_of_a_template(simulator):
    order = {"name": "hello_world", "language": "en_US", "event": "PAUSED", "quality": "RED"}
    there = simulator.call("POST", "/control/templates", order)
    assert (there["status"], there["quality_score"]["score"]) == ("PAUSED", "RED")
    assert json.dumps(there)
