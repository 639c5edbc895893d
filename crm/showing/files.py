"""Photos, videos, sounds and documents: their names, and how each is shown."""

from crm.explanations import sentence
from crm.models import Attachment, FileState
from crm.showing.kinds import kind_name
from crm.views.log import Bubble


def file_kind(item: Bubble) -> str:
    is_voice = item.attachment.is_voice if item.attachment else False
    kind = item.message.payload.get("media_kind") or item.message.type
    return "voice" if kind == "audio" and is_voice else kind


def file_name(item: Bubble) -> str:
    """The sender's name of the file, else what kind of file it is."""
    return (item.attachment.filename if item.attachment else "") or kind_name(file_kind(item))


_LOOKS = {"image": "image", "video": "video", "audio": "audio", "voice": "audio", "sticker": "sticker"}
_PLAYED = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "video/mp4", "video/webm"})
_DRAWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})


def file_look(item: Bubble) -> str:
    """How a file is shown: as picture, sticker, video or sound; as a `file` to download; `failed`; or `coming`."""
    attachment = item.attachment
    if attachment is None:
        return "coming"
    if not attachment.stored_as:
        return "failed" if attachment.state == FileState.FAILED else "coming"
    look = _LOOKS.get(file_kind(item), "file")
    family, _slash, _rest = attachment.mime_type.partition("/")
    bare = attachment.mime_type.partition(";")[0].strip().lower()
    if look in ("image", "sticker"):
        return look if family == "image" and (attachment.thumbnail or bare in _DRAWN) else "file"
    return look if look in ("video", "audio") and bare in _PLAYED else "file"


def file_failure(attachment: Attachment) -> str:
    return str(sentence(attachment.failure))


def minutes(seconds: int) -> str:
    """“0:34”."""
    return f"{seconds // 60}:{seconds % 60:02}"


def file_word(attachment: Attachment | None) -> str:
    """“PDF”, “XLSX”: at most four letters, for the little sheet of paper."""
    name = attachment.filename if attachment else ""
    ending = name.rpartition(".")[2] if "." in name else (attachment.mime_type if attachment else "").rpartition("/")[2]
    return ending.upper() if 0 < len(ending) <= 4 and ending.isalnum() else ""
