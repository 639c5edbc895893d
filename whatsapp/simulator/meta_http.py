"""What every Graph API address shares: errors in Meta's shape, the caller's token, fields, pages, and a cut connection."""

import json
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .errors import GraphError
from .sending import Unanswered
from .world import World

Handler = Callable[[Request], Awaitable[Response]]
NODE = "/{version}/{node}"
_VERSION = re.compile(r"v\d{1,3}\.\d")


def graph(handler: Handler) -> Handler:
    """Serve under a version and turn GraphError into Meta's error body."""

    async def answer(request: Request) -> Response:
        try:
            if not _VERSION.fullmatch(request.path_params["version"]):
                raise GraphError(100, "Unknown path components", status=404)
            return await handler(request)
        except GraphError as refusal:
            return JSONResponse(refusal.as_json(), refusal.status)
        except Unanswered:
            cut(request)
            return Response(status_code=500)

    return answer


def world_of(request: Request) -> World:
    return request.app.state.world


def token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "oauth"} and token:
        return token.strip()
    return request.query_params.get("access_token", "")


def parse(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise GraphError(100, "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise GraphError(100, "The request body must be a JSON object")
    return body


async def form_or_json(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if "form-urlencoded" in request.headers.get("content-type", ""):
        return {name: values[0] for name, values in parse_qs(raw.decode()).items()}
    return parse(raw) if raw else {}


def chosen(facts: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    names = {re.split(r"[{(.]", name)[0] for name in fields if name}
    return {name: value for name, value in facts.items() if name in names or name == "id"} if names else facts


def page_of(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A page by cursor, with the address of the next one as Meta gives it."""
    query = request.query_params
    limit = max(1, min(int(query.get("limit") or 25), 1000))
    start = int(query.get("after") or 0)
    page: dict[str, Any] = {"data": items[start : start + limit]}
    end = start + len(page["data"])
    page["paging"] = {"cursors": {"before": str(start), "after": str(end)}}
    if end < len(items):
        page["paging"]["next"] = str(request.url.include_query_params(after=end, limit=limit))
    return page


def cut(request: Request) -> None:
    """Break the caller's connection without an answer.

    The server owns the socket and offers no way to drop it, so it is found among the open files by the caller's address.
    """
    host, port = request.scope["client"]
    for name in os.listdir("/dev/fd"):
        try:
            connection = socket.socket(fileno=int(name))
        except OSError:
            continue
        try:
            if connection.getpeername()[:2] == (host, int(port)):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue
        finally:
            connection.detach()
