"""The files of steps: kept when they are chosen, named by the definition, and put on the messages that carry them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from crm.media import NewFile, receive
from sequences.definition import Definition
from sequences.models import StepFile
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Number


def keep(file: UploadedFile, *, tenant_id: UUID, numbers: Iterable[Number]) -> StepFile:
    """Keep an uploaded file. Raises RefusedFile where the provider of these numbers would not take it."""
    capabilities = CAPABILITIES[next((number.provider for number in numbers), "cloud")]
    content, kept = receive(file, tenant_id=tenant_id, capabilities=capabilities)
    return StepFile.objects.create(
        tenant_id=tenant_id,
        kind=content.type,
        mime_type=kept.mime_type,
        filename=kept.filename,
        stored_as=kept.stored_as,
        size=kept.size or 0,
    )


def as_json(file: StepFile) -> dict[str, Any]:
    """How a definition names it."""
    return {"id": str(file.pk), "kind": file.kind, "name": file.filename}


def known(ids: Iterable[Any]) -> dict[str, StepFile]:
    """Those of the present company among these ids, whatever stands there; of another one's there are none."""
    wanted = set()
    for each in ids:
        try:
            wanted.add(UUID(str(each)))
        except ValueError:
            continue
    return {str(pk): file for pk, file in StepFile.objects.in_bulk(wanted).items()} if wanted else {}


def of(definitions: Iterable[Definition]) -> dict[str, StepFile]:
    """The files that these definitions name, by id."""
    return known(
        variant.file.id
        for definition in definitions
        for step in definition.steps
        for variant in step.variants
        if variant.file
    )


def new_file(file: StepFile) -> NewFile:
    return NewFile(mime_type=file.mime_type, filename=file.filename, stored_as=file.stored_as, size=file.size)
