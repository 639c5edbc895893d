"""What is drawn from files: thumbnails, posters of videos, and the forms that WhatsApp takes. Nothing here knows a row.

Pillow and ffmpeg read what strangers send: sizes are looked at before pixels are, ffmpeg works on a file of ours with a
time limit and opens no address, and whatever they cannot read is a file without a picture, never an error.
"""

import io
import logging
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import imageio_ffmpeg
from PIL import Image, ImageOps

log = logging.getLogger(__name__)

THUMBNAIL_PIXELS = 640
MOST_PIXELS = 60_000_000  # a phone's camera takes 48 million; a bomb has billions
_JPEG_PIXELS = 2560
_SECONDS = 120
# What is read at all: no playlist, which could name other files and addresses.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,mp3,aac,amr,wav,flac,avi,mpeg,mpegts,image2,jpeg_pipe"
_READABLE = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG or PNG to show, and what the original measures."""

    content: bytes
    width: int
    height: int
    seconds: int | None = None


class Unreadable(ValueError):
    """The file is not what it claims to be."""


def picture_of(file: IO[bytes], mime_type: str) -> Picture | None:
    """The thumbnail of an image or video; None for what has none."""
    kind = mime_type.partition("/")[0]
    try:
        if kind == "image":
            return _thumbnail(file)
        if kind == "video":
            return _poster(file)
    except (Unreadable, OSError, subprocess.SubprocessError):
        log.info("no picture could be drawn", extra={"mime_type": mime_type[:60]})
    return None


def length_of(file: IO[bytes]) -> int | None:
    """Seconds of a sound or video, by what ffmpeg reads of it."""
    try:
        with _on_disk(file) as path:
            told = _ffmpeg("-i", str(path), check=False).stderr.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"Duration: (\d+):(\d\d):(\d\d)\.(\d\d)", told)
    if not found:
        return None
    hours, minutes, seconds, hundredths = map(int, found.groups())
    return max(hours * 3600 + minutes * 60 + seconds + (1 if hundredths >= 50 else 0), 1)


def as_jpeg(file: IO[bytes]) -> bytes:
    """An image as WhatsApp takes it, no larger than a screen needs. Raises Unreadable."""
    with _opened(file) as image:
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((_JPEG_PIXELS, _JPEG_PIXELS))
        upright = upright.convert("RGBA")
        flat = Image.new("RGB", upright.size, "white")
        flat.paste(upright, mask=upright.getchannel("A"))
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=88)
    return out.getvalue()


def as_voice(file: IO[bytes]) -> bytes:
    """A recording as OGG with one channel of OPUS, the only form of a voice note. Raises Unreadable."""
    return _converted(file, ".ogg", "-vn", "-ac", "1", "-c:a", "libopus", "-b:a", "24k", "-application", "voip")


def as_sound(file: IO[bytes]) -> bytes:
    """A sound in a form that WhatsApp takes. Raises Unreadable."""
    return _converted(file, ".mp3", "-vn", "-c:a", "libmp3lame", "-q:a", "5")


def as_small_video(file: IO[bytes], *, max_bytes: int) -> bytes:
    """A video as MP4 that fits. Raises Unreadable, also when it is too long to fit."""
    seconds = length_of(file) or 0
    if not seconds:
        raise Unreadable("no video")
    # Bits a second of both streams, with room for the container.
    total = int(max_bytes * 8 * 0.92 / seconds)
    video = min(total - 64_000, 2_000_000)
    if video < 120_000:
        raise Unreadable("too long to fit")
    converted = _converted(
        file, ".mp4", "-vf", "scale='min(1280,iw)':-2", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
        "-b:v", str(video), "-maxrate", str(video), "-bufsize", str(video * 2),
        "-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart",
    )  # fmt: skip
    if len(converted) > max_bytes:
        raise Unreadable("does not fit")
    return converted


def _thumbnail(file: IO[bytes]) -> Picture:
    with _opened(file) as image:
        width, height = image.size
        if image.getexif().get(0x0112) in (5, 6, 7, 8):  # the camera lay on its side
            width, height = height, width
        image.draft("RGB", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        small = ImageOps.exif_transpose(image)
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        is_transparent = "A" in small.getbands() or "transparency" in small.info
        out = io.BytesIO()
        if is_transparent:
            small.convert("RGBA").save(out, "PNG")
        else:
            small.convert("RGB").save(out, "JPEG", quality=80, progressive=True)
        return Picture(out.getvalue(), width, height)


def _poster(file: IO[bytes]) -> Picture:
    seconds = length_of(file)
    frame = _converted(file, ".jpg", "-frames:v", "1", "-an", "-q:v", "3")
    drawn = _thumbnail(io.BytesIO(frame))
    return Picture(drawn.content, drawn.width, drawn.height, seconds)


def _opened(file: IO[bytes]) -> Image.Image:
    file.seek(0)
    try:
        image: Image.Image = Image.open(file, formats=_READABLE)
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable("too many pixels")
        if image.format != "JPEG":  # a JPEG is read at the size that is needed
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(type(error).__name__) from None
    return image


class _on_disk:
    """A file's content under a name, for a program that wants one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> Path:
        self._copy = tempfile.NamedTemporaryFile(prefix="ventana-media-")
        self._file.seek(0)
        while chunk := self._file.read(1024 * 1024):
            self._copy.write(chunk)
        self._copy.flush()
        return Path(self._copy.name)

    def __exit__(self, *_error: object) -> None:
        self._copy.close()


def _converted(file: IO[bytes], ending: str, *arguments: str) -> bytes:
    with _on_disk(file) as path, tempfile.TemporaryDirectory(prefix="ventana-media-") as folder:
        target = Path(folder) / f"out{ending}"
        try:
            _ffmpeg("-i", str(path), *arguments, str(target))
        except (subprocess.SubprocessError, OSError) as error:
            raise Unreadable(type(error).__name__) from None
        if not target.exists() or not target.stat().st_size:
            raise Unreadable("nothing in it")
        return target.read_bytes()


def _ffmpeg(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    guards = ("-protocol_whitelist", "file", "-format_whitelist", _FORMATS)
    command: Sequence[str] = (
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", "-threads", "1", *guards, *arguments
    )  # fmt: skip
    return subprocess.run(command, capture_output=True, timeout=_SECONDS, check=check)  # noqa: S603
