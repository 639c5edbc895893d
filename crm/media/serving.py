"""Giving a kept file to a browser: in ranges, so that players can seek, and never as something that could run.

What a stranger sent is shown inline only if its type is one that a browser draws or plays; everything else is a download.
`nosniff` keeps a browser from thinking better of the type, and a sandboxing policy is the second lock.
"""

import re
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from crm.media import storing

_CHUNK = 256 * 1024
_SHOWN = frozenset(
    {
        "image/jpeg", "image/png", "image/webp", "image/gif",
        "video/mp4", "video/3gpp", "video/webm",
        "audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/webm",
        "application/pdf",
    }
)  # fmt: skip
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def respond(
    request: HttpRequest, *, stored_as: str, size: int, mime_type: str, filename: str, download: bool = False
) -> HttpResponse | StreamingHttpResponse:
    """The file, or the part of it that a Range header asks for (206; 416 when there is no such part)."""
    bare = mime_type.partition(";")[0].strip().lower()
    is_shown = bare in _SHOWN and not download
    headers = {
        "Content-Type": bare if is_shown else "application/octet-stream",
        "Content-Disposition": content_disposition_header(not is_shown, filename) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # The bytes of an address never change; who may see them might, so only the person's own browser keeps them.
        "Cache-Control": "private, max-age=3600",
        "Accept-Ranges": "bytes",
    }
    wanted = _wanted(request.headers.get("Range", ""), size)
    if wanted is None:
        return HttpResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    first, last = wanted
    is_part = (first, last) != (0, size - 1)
    if is_part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    file = storing.storage().open(stored_as)
    chunks: Any = _async_chunks if isinstance(request, ASGIRequest) else _chunks
    return StreamingHttpResponse(chunks(file, first, last - first + 1), status=status, headers=headers)


def _wanted(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte; None for a range outside the file. What is not one range of bytes asks for all of it."""
    found = _RANGE.fullmatch(header.strip())
    if not found or not any(found.groups()):
        return 0, max(size - 1, 0)
    start, end = found.groups()
    if not start:
        length = min(int(end), size)
        return (size - length, size - 1) if length else None
    first, last = int(start), min(int(end), size - 1) if end else size - 1
    return (first, last) if first <= last else None


def _chunks(file: IO[bytes], first: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while length > 0 and (chunk := file.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk


async def _async_chunks(file: IO[bytes], first: int, length: int) -> AsyncIterator[bytes]:
    """A chunk at a time from a thread: the process goes on with everybody else's requests meanwhile."""
    try:
        await sync_to_async(file.seek, thread_sensitive=False)(first)
        while length > 0 and (chunk := await sync_to_async(file.read, thread_sensitive=False)(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
    finally:
        file.close()
