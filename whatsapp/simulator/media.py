"""Files the simulated Meta holds: what the business uploaded, and the samples that customers send.

A sample's media id begins with the sample's own number, so that an id given out before a restart is still good after it.
"""

import base64
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .errors import GraphError

URL_LIFE_S = 300  # Meta: a media URL lives five minutes
_SAMPLES = Path(__file__).with_name("samples")


@dataclass
class Media:
    content: bytes
    mime_type: str
    filename: str = ""
    number_id: str = ""

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def sha256_base64(self) -> str:
        """As webhooks carry it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


# The order is the number in the ids: append, never reorder.
SAMPLES: tuple[tuple[str, str, str], ...] = (
    ("photo-shoes.jpg", "image/jpeg", "image"),
    ("photo-receipt.jpg", "image/jpeg", "receipt"),
    ("voice-note.ogg", "audio/ogg; codecs=opus", "audio"),
    ("clip.mp4", "video/mp4", "video"),
    ("receipt.pdf", "application/pdf", "document"),
    ("sticker.webp", "image/webp", "sticker"),
)
_FIRST_SAMPLE = 7701


@dataclass
class MediaStore:
    MOST_BYTES = 48 * 1024 * 1024

    uploads: dict[str, Media] = field(default_factory=dict)
    _samples: dict[int, Media] = field(default_factory=dict)
    _ids: itertools.count = field(default_factory=lambda: itertools.count(int(time.time() * 1000) % 10**11))
    _urls: dict[str, tuple[str, float]] = field(default_factory=dict)

    def sample(self, kind: str) -> tuple[str, Media]:
        """A fresh media id for a sample of this kind, and the sample."""
        number = next((at for at, sample in enumerate(SAMPLES) if sample[2] == kind), 0)
        return f"{_FIRST_SAMPLE + number}{next(self._ids) % 10**11:011d}", self._load(number)

    def add(self, media: Media) -> str:
        media_id = f"8{next(self._ids) % 10**14:014d}"
        self.uploads[media_id] = media
        while sum(len(one.content) for one in self.uploads.values()) > self.MOST_BYTES and len(self.uploads) > 1:
            self.uploads.pop(next(iter(self.uploads)))
        return media_id

    def get(self, media_id: str) -> Media:
        """Raises error 100 for an id that is not held, as Meta does for expired ones."""
        if media_id in self.uploads:
            return self.uploads[media_id]
        if len(media_id) == 15 and media_id.isdigit() and 0 <= int(media_id[:4]) - _FIRST_SAMPLE < len(SAMPLES):
            return self._load(int(media_id[:4]) - _FIRST_SAMPLE)
        raise GraphError(100, f"Unsupported get request. Object with ID '{media_id}' does not exist", subcode=33)

    def holds(self, media_id: str) -> bool:
        try:
            self.get(media_id)
        except GraphError:
            return False
        return True

    def remove(self, media_id: str) -> bool:
        return self.uploads.pop(media_id, None) is not None

    def sign_url(self, media_id: str, *, base_url: str) -> str:
        key, now = secrets.token_urlsafe(18), time.time()
        self._urls = {key: signed for key, signed in self._urls.items() if signed[1] > now}
        self._urls[key] = (media_id, now + URL_LIFE_S)
        return f"{base_url}/media/{media_id}?ext={int(now) + URL_LIFE_S}&hash={key}"

    def opened_by(self, key: str) -> Media | None:
        media_id, until = self._urls.get(key, ("", 0.0))
        return self.get(media_id) if until > time.time() else None

    def reset(self) -> None:
        self.uploads.clear()
        self._urls.clear()

    def _load(self, number: int) -> Media:
        if number not in self._samples:
            name, mime_type, _kind = SAMPLES[number]
            self._samples[number] = Media((_SAMPLES / name).read_bytes(), mime_type, name)
        return self._samples[number]


def parts_of(body: bytes, content_type: str) -> dict[str, Media]:
    """The parts of a multipart/form-data body by name; a plain field is a part whose content is its text."""
    _, _, boundary = content_type.partition("boundary=")
    boundary = boundary.split(";")[0].strip().strip('"')
    if not boundary:
        raise GraphError(100, "The request body is not multipart/form-data")
    parts: dict[str, Media] = {}
    for chunk in body.split(b"--" + boundary.encode())[1:]:
        head, separator, content = chunk.partition(b"\r\n\r\n")
        if not separator:
            continue
        headers = dict(_header(line) for line in head.decode("utf-8", "replace").strip().splitlines() if ":" in line)
        disposition = headers.get("content-disposition", "")
        parts[_option(disposition, "name")] = Media(
            content.removesuffix(b"\r\n"), headers.get("content-type", "text/plain"), _option(disposition, "filename")
        )
    return parts


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _option(header: str, name: str) -> str:
    for option in header.split(";")[1:]:
        key, _, value = option.strip().partition("=")
        if key == name:
            return value.strip('"')
    return ""
