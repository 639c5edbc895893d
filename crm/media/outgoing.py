"""Files that we send: what a file may be sent as is decided before anything waits, and said to the person."""

import mimetypes
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from crm.media import storing
from crm.models import Attachment
from whatsapp.capabilities import Capabilities
from whatsapp.outgoing import MEDIA, Audio, Document, Image, Media, Video

MOST_BEFORE_SHRINKING = 100 * 1024 * 1024
_NAME_LENGTH = 200


class RefusedFile(Exception):
    """The file cannot be sent as it is; the text says why and what to do, to the person who chose it."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is kept already, or an address (`source_url`) it will be fetched from; `compose` gives it its row."""

    mime_type: str
    filename: str = ""
    stored_as: str = ""
    size: int | None = None
    is_voice: bool = False
    source_url: str = ""

    @classmethod
    def of(cls, attachment: Attachment) -> "NewFile":
        """The same file again, for another message."""
        return cls(
            mime_type=attachment.mime_type,
            filename=attachment.filename,
            stored_as=attachment.stored_as,
            size=attachment.size,
            is_voice=attachment.is_voice,
            source_url=(attachment.source_url or "") if not attachment.stored_as else "",
        )


def receive(
    file: UploadedFile,
    *,
    tenant_id: UUID,
    capabilities: Capabilities,
    caption: str = "",
    is_voice: bool = False,
    shrink: bool = False,
) -> tuple[Media, NewFile]:
    """Keep an uploaded file and say what it is sent as. Raises RefusedFile, and keeps nothing then.

    What WhatsApp does not take as it is, but can be turned into (an image of another format, a recording), is taken and
    turned on its way; a video that is too large only when `shrink` asks for it.
    """
    name = _name(file.name or "")
    mime_type = type_of(name, file.content_type or "")
    size = file.size or 0
    if not size:
        raise RefusedFile(_("“%(name)s” is empty.") % {"name": name})
    kind = _kind(mime_type, capabilities)
    _check_size(kind, mime_type, size, name, capabilities, shrink=shrink)
    stored = storing.save(tenant_id, file)  # type: ignore[arg-type]
    return content_of(kind, filename=name, caption=caption, is_voice=is_voice), NewFile(
        mime_type=mime_type, filename=name, stored_as=stored, size=size, is_voice=is_voice and kind is Audio
    )


def content_of(kind: type[Media], *, filename: str = "", caption: str = "", is_voice: bool = False) -> Media:
    values: dict[str, Any] = {"filename": filename, "caption": caption if kind.HAS_CAPTION else ""}
    return kind(**values, is_voice=is_voice) if kind is Audio else kind(**values)


def type_of(name: str, declared: str) -> str:
    """The type a browser or caller gave, else what the name's ending says. Bare and in lower case."""
    bare = declared.partition(";")[0].strip().lower()
    if bare in ("", "application/octet-stream", "binary/octet-stream"):
        bare = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return bare[:120]


def limits(capabilities: Capabilities) -> dict[str, int]:
    """The most bytes that may be chosen, by what a file's type begins with; `document` for every other one.

    Photos and sounds are made to fit on their way. A larger video has to be made smaller first, which is asked for.
    """
    kinds: dict[str, type[Media]] = {"image": Image, "audio": Audio, "video": Video, "document": Document}
    return {
        name: MOST_BEFORE_SHRINKING if kind in (Image, Audio) else capabilities.media[kind.type].max_bytes
        for name, kind in kinds.items()
        if kind.type in capabilities.media
    }


def too_large_words(*, is_video: bool = False) -> str:
    """What is said of a file that is beyond its limit, with `{name}`, `{size}` and `{limit}` to be filled in."""
    words = {"name": "{name}", "size": "{size}", "limit": "{limit}"}
    return _too_large(is_video=is_video) % words


def _too_large(*, is_video: bool) -> str:
    if is_video:
        return _("“%(name)s” is %(size)s; WhatsApp takes videos up to %(limit)s. Choose “Make large videos smaller”.")
    return _("“%(name)s” is %(size)s; WhatsApp takes this kind of file up to %(limit)s.")


def limit_in_words(kind: type[Media], capabilities: Capabilities) -> str:
    return filesizeformat(capabilities.media[kind.type].max_bytes)


def kind_by_name(name: str) -> type[Media]:
    return MEDIA[name]


def _kind(mime_type: str, capabilities: Capabilities) -> type[Media]:
    family = mime_type.partition("/")[0]
    kind: type[Media] = {"image": Image, "video": Video, "audio": Audio}.get(family, Document)
    if mime_type == "image/svg+xml":  # a drawing with a program in it is not a photo
        kind = Document
    if kind.type not in capabilities.media:
        raise RefusedFile(_("This number cannot send this kind of file."))
    return kind


def _check_size(
    kind: type[Media], mime_type: str, size: int, name: str, capabilities: Capabilities, *, shrink: bool
) -> None:
    limit = capabilities.media[kind.type]
    if limit.allows(mime_type, size):
        return
    # Turned into something smaller on the way: every photo, and a video when asked.
    can_turn = kind in (Image, Audio) or (kind is Video and (shrink or size <= limit.max_bytes))
    if can_turn and size <= MOST_BEFORE_SHRINKING:
        return
    words = {"name": name, "size": filesizeformat(size), "limit": filesizeformat(limit.max_bytes)}
    raise RefusedFile(_too_large(is_video=kind is Video) % words)


def _name(given: str) -> str:
    """The last part of the name, without what could not be shown or sent."""
    bare = PurePath(given.replace("\\", "/")).name
    return "".join(each for each in bare if each.isprintable())[-_NAME_LENGTH:] or "file"


def open_stored(name: str) -> IO[bytes]:
    return storing.storage().open(name)
