"""Where files are kept: under names that nobody can guess, by company, in the storage `media` of the settings."""

import tempfile
from contextlib import contextmanager
from typing import IO, Any
from uuid import UUID, uuid4

from django.core.files.base import File
from django.core.files.storage import Storage, storages


def storage() -> Storage:
    return storages["media"]


def save(tenant_id: UUID, file: IO[bytes]) -> str:
    """Keep a copy of the file; returns the name it is kept under."""
    key = uuid4().hex
    file.seek(0)
    return storage().save(f"{tenant_id}/{key[:2]}/{key}", File(file))


def delete(name: str) -> None:
    if name:
        storage().delete(name)


@contextmanager
def scratch() -> Any:
    """A file for what is on its way; its space is given back in any case, also when the process is killed."""
    with tempfile.TemporaryFile(prefix="ventana-media-") as file:
        yield file
