"""A customer who sends files, a WhatsApp that holds them, and a folder of the test's own to keep them in."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from crm import inbound, media
from crm.models import Attachment, Conversation
from tenants.context import system_transaction
from tests import meta
from tests.cast import Company
from tests.crm.outbound.conftest import ROSA, _running_simulator, rosa, simulator  # noqa: F401
from whatsapp.simulator.media import MediaStore

_samples = MediaStore()


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> Any:
    settings.STORAGES = {
        **settings.STORAGES,
        "media": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        },
    }
    return tmp_path / "media"


def kept_in(folder: Any) -> list[Any]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def sends(ours: Company) -> Callable[..., None]:
    """Rosa sends a file of this kind; the webhook is merged."""

    def sends(kind: str = "image", **content: Any) -> None:
        media_id, sample = _samples.sample(kind)
        part = {"id": media_id, "mime_type": sample.mime_type, "sha256": sample.sha256_base64, **content}
        message = {
            "id": f"wamid.{uuid4()}", "from": ROSA, "timestamp": str(meta.now()), "type": kind, kind: part
        }  # fmt: skip
        meta.store(meta.body(meta.messages(message, contacts=[meta.contact(ROSA)])))
        inbound.drain()

    return sends


def files(company: Company) -> list[Attachment]:
    with company.transaction():
        return list(Attachment.objects.select_related("message").order_by("id"))


def hurry() -> None:
    """Let the time pass until the next try of every file."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_attachment SET next_attempt_at = statement_timestamp() WHERE state IN ('waiting', 'working')"
        )


def until_done(company: Company, *, rounds: int = 20) -> None:
    for _ in range(rounds):
        hurry()
        if not media.work():
            return


def conversation_of(company: Company) -> Conversation:
    return Conversation.objects.select_related("contact", "number").get()
