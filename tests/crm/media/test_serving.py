"""Kept files reach those who may see their conversation, in ranges, and never as something that runs."""

import io
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from crm.media import serving, storing
from crm.models import Attachment, Direction, FileState, Message, MessageStatus, Source
from tests.crm.api.conftest import create_token
from tests.crm.media.conftest import files
from tests.crm.media.pictures import picture
from tests.crm.views.talk import conversation

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(256)) * 40


def signed_in(membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


@pytest.fixture
def file(ours, folder):
    """Builds a kept file of a conversation in sales, of any type."""

    def file(
        mime_type: str = "image/jpeg", content: bytes = CONTENT, filename: str = "", state=FileState.THERE
    ) -> Attachment:
        with ours.transaction():
            talk = conversation(ours, "Rosa", now=timezone.now())
            message = Message.objects.create(
                tenant=ours.tenant,
                conversation=talk,
                number=ours.number,
                direction=Direction.INBOUND,
                source=Source.CUSTOMER,
                type="image" if mime_type.startswith("image") else "document",
                provider_message_id=f"wamid.{uuid4()}",
                sent_at=timezone.now(),
                status=MessageStatus.RECEIVED,
            )
            return Attachment.objects.create(
                tenant=ours.tenant,
                message=message,
                mime_type=mime_type,
                filename=filename,
                size=len(content),
                stored_as=storing.save(ours.tenant.pk, io.BytesIO(content)) if state == FileState.THERE else "",
                state=state,
            )

    return file


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_who_sees_the_conversation_sees_the_file(ours, file):
    kept = file()
    answer = signed_in(ours.ana).get(f"/files/{kept.pk}/")
    assert (answer.status_code, body(answer)) == (200, CONTENT)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"].startswith("private")
    assert signed_in(ours.supervisor).get(f"/files/{kept.pk}/").status_code == 200


def test_nobody_else_does(ours, theirs, file):
    kept = file()
    for place in ("", "thumbnail/"):
        assert signed_in(ours.luis).get(f"/files/{kept.pk}/{place}").status_code == 404  # another queue
        assert signed_in(theirs.owner).get(f"/files/{kept.pk}/{place}").status_code == 404
        assert Client().get(f"/files/{kept.pk}/{place}").status_code == 302
    assert signed_in(theirs.owner).post(f"/files/{kept.pk}/retry/").status_code == 404


@pytest.mark.parametrize(
    ("header", "status", "part", "told"),
    [
        ("bytes=0-99", 206, CONTENT[:100], "bytes 0-99/10240"),
        ("bytes=10000-", 206, CONTENT[10000:], "bytes 10000-10239/10240"),
        ("bytes=-40", 206, CONTENT[-40:], "bytes 10200-10239/10240"),
        ("bytes=10239-99999", 206, CONTENT[-1:], "bytes 10239-10239/10240"),
        ("bytes=0-", 200, CONTENT, None),
        ("bytes=10240-", 416, b"", "bytes */10240"),
        ("bytes=-0", 416, b"", "bytes */10240"),
        ("bytes=9-3", 416, b"", "bytes */10240"),
        ("bytes=0-1,5-6", 200, CONTENT, None),
        ("lines=1-2", 200, CONTENT, None),
    ],
)
def test_players_get_the_part_they_ask_for(ours, file, header, status, part, told):
    answer = signed_in(ours.ana).get(f"/files/{file('audio/ogg').pk}/", headers={"Range": header})

    assert answer.status_code == status
    assert answer.headers.get("Content-Range") == told
    if status != 416:
        assert body(answer) == part
        assert int(answer.headers["Content-Length"]) == len(part)


@pytest.mark.parametrize(
    "mime_type", ["text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "text/javascript", "", "x/y"]
)
def test_what_could_run_is_a_download_of_no_type(ours, file, mime_type):
    answer = signed_in(ours.ana).get(f"/files/{file(mime_type, b'<script>', 'a.html').pk}/")

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_the_senders_name_of_a_file_breaks_no_header(ours, file):
    kept = file("application/pdf", filename='fac"tura\r\nX-Evil: 1 ñ.pdf')
    answer = signed_in(ours.ana).get(f"/files/{kept.pk}/?download")
    assert answer.status_code == 200
    assert "X-Evil" not in answer.headers
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_one_that_is_not_there_is_not_found_and_can_be_asked_for_again(ours, file):
    kept = file(state=FileState.FAILED)
    client = signed_in(ours.ana)
    assert client.get(f"/files/{kept.pk}/").status_code == 404
    assert client.post(f"/files/{kept.pk}/retry/").status_code == 302
    with ours.transaction():
        assert Attachment.objects.get(pk=kept.pk).state == FileState.WAITING


def test_the_thread_shows_pictures_and_says_what_did_not_come(ours, file):
    there, lost = file(), file(state=FileState.FAILED)
    with ours.transaction():
        Attachment.objects.filter(pk=lost.pk).update(failure="file_gone")
    client = signed_in(ours.ana)

    page = client.get(f"/inbox/{there.message.conversation_id}/").content.decode()
    assert f'src="/files/{there.pk}/"' in page
    page = client.get(f"/inbox/{lost.message.conversation_id}/", headers={"Accept-Language": "en"}).content.decode()
    assert f"/files/{lost.pk}/retry/" in page
    assert f'src="/files/{lost.pk}/"' not in page


def test_a_thread_of_many_files_costs_no_more_queries(ours, file, django_assert_max_num_queries):
    kept = file()
    with ours.transaction():
        for place in range(20):
            message = Message.objects.get(pk=kept.message_id)
            message.pk, message._state.adding = uuid4(), True
            message.provider_message_id = f"wamid.{place}"
            message.sent_at += timedelta(seconds=place)
            message.save()
            Attachment.objects.create(
                tenant=ours.tenant, message=message, mime_type="image/jpeg", stored_as=kept.stored_as, size=9,
                state=FileState.THERE,
            )  # fmt: skip
    client = signed_in(ours.ana)
    client.get("/inbox/")

    with django_assert_max_num_queries(36):
        page = client.get(f"/inbox/{kept.message.conversation_id}/")
    assert page.content.decode().count('class="media"') == 21


# --- Sending from the page --------------------------------------------------------------------------------------------


def form(*uploads: SimpleUploadedFile, **fields: str) -> dict:
    return {"client_id": str(uuid4()), "uploads": list(uploads), **fields}


def test_several_files_are_several_messages_the_first_with_the_words(ours, file):
    talk = file().message.conversation
    answer = signed_in(ours.ana).post(
        f"/conversations/{talk.pk}/files/",
        form(
            SimpleUploadedFile("a.png", picture(), "image/png"),
            SimpleUploadedFile("b.pdf", b"%PDF-1.4", "application/pdf"),
            text="Aquí van",
        ),
        headers={"HX-Request": "true"},
    )

    assert answer.status_code == 201
    assert answer.content.decode().count("<article") == 2
    with ours.transaction():
        sent = Message.objects.filter(direction=Direction.OUTBOUND).order_by("pk")
        assert [(message.type, message.text) for message in sent] == [("image", "Aquí van"), ("document", "")]


def test_one_wrong_file_among_several_sends_none_and_says_which(ours, file, folder):
    talk = file().message.conversation
    before = len(list(folder.rglob("*")))
    answer = signed_in(ours.ana).post(
        f"/conversations/{talk.pk}/files/",
        form(SimpleUploadedFile("a.png", picture(), "image/png"), SimpleUploadedFile("nada.txt", b"", "text/plain")),
        headers={"HX-Request": "true"},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"]
    with ours.transaction():
        assert not Message.objects.filter(direction=Direction.OUTBOUND).exists()
    assert len([path for path in folder.rglob("*") if path.is_file()]) <= before


def test_without_javascript_the_page_comes_back_with_the_reason(ours, file):
    talk = file().message.conversation
    client = signed_in(ours.ana)
    assert client.post(f"/conversations/{talk.pk}/files/", form(text="hola")).status_code == 422
    answer = client.post(
        f"/conversations/{talk.pk}/messages/", form(SimpleUploadedFile("a.png", picture(), "image/png"))
    )
    assert answer.status_code == 302
    assert len(files(ours)) == 2


def test_somebody_elses_conversation_takes_no_file(ours, theirs, file):
    talk = file().message.conversation
    upload = SimpleUploadedFile("a.png", picture(), "image/png")
    assert signed_in(theirs.owner).post(f"/conversations/{talk.pk}/files/", form(upload)).status_code == 404
    assert signed_in(ours.luis).post(f"/conversations/{talk.pk}/files/", form(upload)).status_code == 404


def test_the_api_gives_the_file_to_who_may_see_it(ours, theirs, file):
    kept = file("application/pdf", filename="boleta.pdf")

    def ask(membership):
        client = APIClient(HTTP_AUTHORIZATION=f"Token {create_token(membership)}")
        return client.get(f"/api/v1/messages/{kept.message_id}/file/", headers={"Range": "bytes=0-9"})

    answer = ask(ours.ana)
    assert (answer.status_code, body(answer)) == (206, CONTENT[:10])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="boleta.pdf"'
    assert ask(ours.luis).status_code == 404
    assert ask(theirs.owner).status_code == 404


def test_ranges_are_read_as_browsers_write_them():
    assert serving._wanted("bytes=0-0", 1) == (0, 0)
    assert serving._wanted("", 0) == (0, 0)
