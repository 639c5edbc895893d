"""Steps that send a file: chosen in the editor, kept once, handed over with each message; nobody else's is ever taken."""

import json
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.models import Attachment, Message
from sequences import enrolling, forms
from sequences.definition import Delay, File, Step, Variant
from sequences.files import as_json
from sequences.models import Sequence, StepFile
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import Told, build, run, shut, written

pytestmark = pytest.mark.django_db


def pdf(name: str = "catálogo.pdf", content: bytes = b"%PDF-1.4 catalogue", kind: str = "application/pdf"):
    return SimpleUploadedFile(name, content, kind)


def stored(company) -> StepFile:
    with company.transaction():
        return StepFile.objects.create(
            tenant=company.tenant, kind="document", mime_type="application/pdf", filename="catálogo.pdf",
            stored_as=f"{company.tenant.pk}/ab/{uuid4().hex}", size=18,
        )  # fmt: skip


def carrying(file: StepFile, text: str = "Aquí lo tienes, {first_name}", **more) -> Step:
    return Step("", Delay(), (Variant(text, file=File(**as_json(file))),), **more)


def test_a_file_is_chosen_in_the_editor_and_stays_while_steps_are_arranged(supervisor, ours):
    arranged = supervisor.post("/sequences/new/", written("Mira", do="add", **{"s0-file": pdf()}))
    first = arranged.context["steps"][0]
    assert (first["file"]["name"], first["file"]["kind"]) == ("catálogo.pdf", "document")

    supervisor.post(
        "/sequences/new/", written("Mira", "", **{"s0-file-id": first["file"]["id"], "s1-file": pdf("b.pdf")})
    )
    with ours.transaction():
        steps = Sequence.objects.get().version.content.steps
        assert [step.variants[0].file.name for step in steps] == ["catálogo.pdf", "b.pdf"]
        sequence = Sequence.objects.get()
    page = supervisor.get(f"/sequences/{sequence.pk}/").content.decode()
    assert page.count("catálogo.pdf") == 2  # at its step, and on the phone

    supervisor.post(
        f"/sequences/{sequence.pk}/", written("Mira", **{"s0-file-id": first["file"]["id"], "s0-file-off": "1"})
    )
    with ours.transaction():
        assert Sequence.objects.get().version.content.steps[0].variants[0].file is None


@pytest.mark.parametrize(
    ("text", "file", "words"),
    [
        ("Escucha", pdf("nota.mp3", b"ID3....", "audio/mpeg"), "A sound has no text"),
        ("x" * 1025, pdf(), "at most 1,024"),
        ("Mira", pdf(content=b""), "is empty"),
    ],
)
def test_what_whatsapp_does_not_take_is_said_at_the_step(supervisor, ours, text, file, words):
    answer = supervisor.post("/sequences/new/", written(text, **{"s0-file": file}))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    with ours.transaction():
        assert not Sequence.objects.exists()


def test_the_file_goes_with_its_caption_once_however_often_it_is_run(ours, begin):
    file = stored(ours)
    enrollment = begin(carrying(file))
    run()
    with ours.transaction():
        enrolling.Enrollment.objects.update(state="active", position=0, due_at=NOON)
    run()
    with ours.transaction():
        message = Message.objects.get(direction="outbound")
        assert (message.type, message.text, message.source) == ("document", "Aquí lo tienes, Rosa", "sequence")
        assert message.next_attempt_at is None  # it waits for its file
        attachment = Attachment.objects.get()
        assert (attachment.message, attachment.stored_as, attachment.filename) == (
            message,
            file.stored_as,
            "catálogo.pdf",
        )
        assert attachment.state == "waiting"
    assert Told(ours, enrollment).runs == [(0, "send", "window_open")]


def test_a_file_that_is_gone_leaves_it_to_a_person(ours, begin):
    file = stored(ours)
    enrollment = begin(carrying(file))
    with ours.transaction():
        StepFile.objects.all().delete()
    run()
    told = Told(ours, enrollment)
    assert (told.state, told.sent) == (("task", 0, "no_file"), [])


def test_a_file_without_a_text_is_a_message_and_needs_the_window(ours, begin):
    file = stored(ours)
    enrollment = begin(carrying(file, ""))
    shut(ours, enrollment)
    run()
    assert Told(ours, enrollment).state == ("task", 0, "no_template")


def test_nobody_elses_file_is_taken_in_any_way(supervisor, ours, theirs, begin):
    foreign = stored(theirs)
    supervisor.post("/sequences/new/", written("Mira", **{"s0-file-id": str(foreign.pk)}))
    with ours.transaction():
        assert Sequence.objects.get().version.content.steps[0].variants[0].file is None
        definition = build(ours, carrying(foreign), name="Otra").version.definition
        forms.name_files(definition)
        assert definition["steps"][0]["variants"][0]["file"] is None
    content = {"name": "X", "definition": {"steps": [{"variants": [{"text": "uno", "file": as_json(foreign)}]}]}}
    page = supervisor.post(
        "/sequences/import/", {"file": pdf("s.json", json.dumps(content).encode(), "application/json")}
    )
    assert page.context["steps"][0]["file"] is None
    # Even where a version named it, it is not theirs to send.
    with ours.transaction():
        sequence, talk = Sequence.objects.get(name="Otra"), conversation(ours)
        enrolling.enroll(sequence, [talk], now=NOON)
    run()
    with ours.transaction():
        assert not Attachment.objects.exists()
