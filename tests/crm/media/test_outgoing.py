"""Files that we send: kept, turned into what WhatsApp takes, handed over, and then sent once."""

import io
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from crm import media, outbound
from crm.media import RefusedFile, storing, working
from crm.models import Attachment, Conversation, FileState, Message, MessageStatus, Source
from tests.crm.media.conftest import files, hurry, kept_in
from tests.crm.media.pictures import picture
from tests.crm.outbound.conftest import change_token, dispatch, now
from whatsapp.capabilities import CAPABILITIES, KIB, MIB
from whatsapp.outgoing import Audio, Document, Video
from whatsapp.outgoing import Image as Photo
from whatsapp.simulator.media import MediaStore

pytestmark = pytest.mark.django_db
CLOUD = CAPABILITIES["cloud"]


def upload(content: bytes, name: str, mime_type: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type=mime_type)


def send(
    company: Any, conversation: Conversation, file: SimpleUploadedFile, client_id: Any = None, **options: Any
) -> Message:
    with company.transaction():
        content, kept = media.receive(file, tenant_id=company.tenant.pk, capabilities=CLOUD, **options)
        return outbound.compose(
            conversation=Conversation.objects.get(pk=conversation.pk),
            content=content,
            source=Source.AGENT,
            client_id=client_id or uuid4(),
            now=now(),
            file=kept,
        )


def stored(company: Any, message: Message) -> Message:
    with company.transaction():
        return Message.objects.get(pk=message.pk)


def test_a_photo_goes_once_its_file_was_handed_over(ours, simulator, rosa):
    message = send(ours, rosa, upload(picture(), "zapato.png", "image/png"), caption="El rosado")
    assert dispatch(ours) == 0  # its file is not at WhatsApp yet

    assert media.work() == 1
    assert dispatch(ours) == 1

    [sent] = simulator.ledger()
    assert (sent["type"], sent["token"]) == ("image", "000001")
    [file] = files(ours)
    assert (file.state, file.width, file.height, bool(file.thumbnail)) == (FileState.THERE, 320, 200, True)
    message = stored(ours, message)
    assert (message.status, message.text, message.payload["media_id"]) == (
        MessageStatus.ACCEPTED,
        "El rosado",
        file.media_id,
    )
    assert dispatch(ours) == 0


@pytest.mark.parametrize(
    ("name", "mime_type", "kind"),
    [
        ("a.jpg", "image/jpeg", Photo),
        ("a.webp", "image/webp", Photo),
        ("a.mp4", "video/mp4", Video),
        ("a.mp3", "audio/mpeg", Audio),
        ("a.pdf", "application/pdf", Document),
        ("a.pdf", "", Document),
        ("a.jpg", "application/octet-stream", Photo),
        ("a.svg", "image/svg+xml", Document),
        ("../../a.html", "text/html", Document),
        ("a", "", Document),
    ],
)
def test_what_a_file_is_sent_as(ours, name, mime_type, kind):
    content, kept = media.receive(upload(b"x", name, mime_type), tenant_id=ours.tenant.pk, capabilities=CLOUD)
    assert type(content) is kind
    assert "/" not in kept.filename


@pytest.mark.parametrize(
    ("size", "name", "mime_type", "words"),
    [
        (17 * MIB, "viaje.mp4", "video/mp4", "16.0"),
        (101 * MIB, "todo.zip", "application/zip", "100.0"),
        (0, "nada.txt", "text/plain", "nada.txt"),
    ],
)
def test_a_file_that_cannot_go_is_refused_before_anything_is_kept(ours, folder, size, name, mime_type, words):
    file = upload(b"x", name, mime_type)
    file.size = size
    with pytest.raises(RefusedFile, match=words):
        media.receive(file, tenant_id=ours.tenant.pk, capabilities=CLOUD)
    assert kept_in(folder) == []


def test_a_picture_of_another_format_becomes_a_jpeg(ours, simulator, rosa):
    send(ours, rosa, upload(picture("WEBP"), "zapato.webp", "image/webp"))
    media.work()
    dispatch(ours)

    [file] = files(ours)
    assert (file.mime_type, file.state) == ("image/jpeg", FileState.THERE)
    with storing.storage().open(file.stored_as) as kept:
        assert Image.open(kept).format == "JPEG"
    assert [entry["type"] for entry in simulator.ledger()] == ["image"]


def test_a_recording_becomes_a_voice_message(ours, simulator, rosa):
    _id, note = MediaStore().sample("audio")
    webm = working.pictures._converted(io.BytesIO(note.content), ".webm", "-c:a", "libopus")
    message = send(ours, rosa, upload(webm, "voice.webm", "audio/webm"), is_voice=True)
    media.work()
    dispatch(ours)

    [file] = files(ours)
    with storing.storage().open(file.stored_as) as kept:
        assert kept.read(4) == b"OggS"
    assert (file.mime_type, file.is_voice, file.seconds) == ("audio/ogg", True, file.seconds or -1)
    assert file.size < 512 * KIB
    assert stored(ours, message).payload["is_voice"] is True
    assert [entry["type"] for entry in simulator.ledger()] == ["audio"]


def test_a_large_video_is_made_smaller_when_asked(ours, simulator, rosa, monkeypatch):
    _id, clip = MediaStore().sample("video")
    monkeypatch.setattr(working, "CAPABILITIES", {"cloud": _with_small_videos(len(clip.content) - 1)})
    send(ours, rosa, upload(clip.content, "clip.mp4", "video/mp4"), shrink=True)
    media.work()

    [file] = files(ours)
    assert (file.state, file.failure) in ((FileState.THERE, ""), (FileState.FAILED, "file_unreadable"))
    if file.state == FileState.THERE:
        assert file.size < len(clip.content)


def _with_small_videos(most: int) -> Any:
    from dataclasses import replace

    from whatsapp.capabilities import MediaLimit

    return replace(CLOUD, media={**CLOUD.media, "video": MediaLimit(most, frozenset({"video/mp4"}))})


def test_a_damaged_picture_fails_with_the_reason_and_is_not_sent(ours, simulator, rosa):
    message = send(ours, rosa, upload(b"not a picture", "zapato.webp", "image/webp"))
    media.work()

    message = stored(ours, message)
    assert (message.status, message.error_reason) == (MessageStatus.FAILED, "file_unreadable")
    assert dispatch(ours) == 0
    assert simulator.ledger() == []


def test_a_failed_one_is_handed_over_anew_when_tried_again(ours, simulator, rosa):
    change_token(ours, "not-the-right-token")
    message = send(ours, rosa, upload(picture(), "zapato.png", "image/png"))
    for _ in range(working.MOST_TRIES + 1):
        hurry()
        media.work()
    assert stored(ours, message).status == MessageStatus.FAILED

    change_token(ours, "token-of-ours-000001")
    with ours.transaction():
        outbound.retry(message=Message.objects.select_related("conversation").get(pk=message.pk), actor=None, now=now())
    media.work()
    dispatch(ours)

    assert [entry["type"] for entry in simulator.ledger()] == ["image"]


def test_the_same_click_twice_is_one_message_and_one_file(ours, simulator, rosa):
    click = uuid4()
    first = send(ours, rosa, upload(picture(), "a.png", "image/png"), client_id=click)
    second = send(ours, rosa, upload(picture(), "a.png", "image/png"), client_id=click)
    assert first.pk == second.pk
    with ours.transaction():
        assert Attachment.objects.count() == 1


def test_a_worker_killed_after_handing_over_sends_it_once(ours, simulator, rosa):
    send(ours, rosa, upload(picture(), "a.png", "image/png"))
    [job] = working._claim(1)
    working._worked(job)  # handed over, and killed before it was written down

    hurry()
    media.work()
    dispatch(ours)
    dispatch(ours)

    assert len(simulator.ledger()) == 1
