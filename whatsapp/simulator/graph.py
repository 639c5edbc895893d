"""The Graph API's doors for messages and media. Any version `vNN.0` is served alike."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import coexistence, conditions, flow_graph, management, reviewing, sending
from .errors import GraphError
from .faults import between, digits
from .media import Media, parts_of
from .meta_http import NODE, chosen, form_or_json, graph, parse, token_of, world_of
from .numbers import Number
from .world import World


@graph
async def send(request: Request) -> Response:
    world, raw = world_of(request), await request.body()
    number = world.numbers.get_or_register(request.path_params["node"])
    body = parse(raw)
    settings = world.faults.resolve(
        number_id=number.id, known=number.known, recipient=digits(body.get("to") or body.get("recipient"))
    )
    try:
        answer = sending.accept(world, number=number, token=token_of(request), body=body, raw=raw)
    except GraphError as refusal:
        world.journal.add(
            "refused", world.clock.now(), number_id=number.id, customer=digits(body.get("to")),
            text=refusal.title, detail=str(refusal.code),
        )  # fmt: skip
        raise
    finally:
        if settings["delay_ms"]:
            await asyncio.sleep(between(settings["delay_ms"]) / 1000)
    return JSONResponse(answer)


@graph
async def upload_media(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.get_or_register(request.path_params["node"])
    _authorize(world, number, token_of(request))
    parts = parts_of(await request.body(), request.headers.get("content-type", ""))
    if "file" not in parts or "messaging_product" not in parts:
        raise GraphError(100, "The parameters messaging_product and file are required.")
    file = parts["file"]
    mime_type = parts["type"].content.decode() if "type" in parts else file.mime_type
    return JSONResponse({"id": world.media.add(Media(file.content, mime_type, file.filename, number.id))})


@graph
async def get_node(request: Request) -> Response:
    """A number, an account, a template, a piece of media, or the caller itself: Graph nodes share one address."""
    world, node = world_of(request), request.path_params["node"]
    fields = [name for name in request.query_params.get("fields", "").split(",") if name]
    token = token_of(request)
    if not token:
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
    if node == "me":
        return JSONResponse({"id": "122100000000000001", "name": "Ventana (simulado)"})
    if number := world.numbers.get(node):
        world.numbers.authorize(number=number, token=token)
        if "whatsapp_business_management" not in number.scopes:
            raise GraphError(200, "Requires whatsapp_business_management permission to manage the object")
        return JSONResponse(
            chosen(world.numbers.describe(number), fields or ["display_phone_number", "verified_name", "id"])
        )
    if world.numbers.of_account(node):
        world.numbers.authorize_account(account_id=node, token=token)
        account = {
            "id": node,
            "name": "Nube Calzado",
            "currency": "USD",
            "timezone_id": "1",
            "message_template_namespace": "nube",
        }
        return JSONResponse(chosen(account, fields))
    if found := world.templates.find_by_id(node):
        return JSONResponse(chosen(found[1], fields))
    if flow := world.flows.get(node):
        flow_graph.authorized(request, flow)
        return JSONResponse(chosen(flow.described(), fields or ["name", "status", "categories", "validation_errors"]))
    if number := world.numbers.get(request.query_params.get("phone_number_id", "")):
        _authorize(world, number, token)
    media = world.media.get(node)
    if faults_of_media(world, request)["media_gone"]:
        raise GraphError(100, f"Unsupported get request. Object with ID '{node}' does not exist", subcode=33)
    base_url = f"{request.url.scheme}://{request.url.netloc}"
    return JSONResponse(
        {
            "url": world.media.sign_url(node, base_url=base_url),
            "mime_type": media.mime_type,
            "sha256": media.sha256,
            "file_size": len(media.content),
            "id": node,
            "messaging_product": "whatsapp",
        }
    )


@graph
async def delete_node(request: Request) -> Response:
    world, node = world_of(request), request.path_params["node"]
    if not token_of(request):
        raise GraphError(190)
    if flow := world.flows.get(node):
        flow_graph.authorized(request, flow)
        flow_graph.remove(world, flow)
        return JSONResponse({"success": True})
    if not world.media.remove(node):
        raise GraphError(100, f"Unsupported delete request. Object with ID '{node}' does not exist", subcode=33)
    return JSONResponse({"success": True})


@graph
async def post_node(request: Request) -> Response:
    """Edit a template, or set a number's webhook."""
    world, node = world_of(request), request.path_params["node"]
    found = world.templates.find_by_id(node)
    body = await form_or_json(request)
    if found:
        account_id, template = found
        world.numbers.authorize_account(account_id=account_id, token=token_of(request))
        world.templates.edit(template, body)
        reviewing.review(world, account_id, template)
        world.journal.touch()
    elif number := world.numbers.get(node):
        world.numbers.authorize(number=number, token=token_of(request))
        await conditions.direct(world, number, body.get("webhook_configuration") or {})
    else:
        raise GraphError(100, f"Object with ID '{node}' does not exist", subcode=33)
    return JSONResponse({"success": True})


async def download(request: Request) -> Response:
    """The second step of a media download: a short-lived address that wants the token again."""
    media = world_of(request).media.opened_by(request.query_params.get("hash", ""))
    if media is None:
        return Response("Not Found", 404)
    if not token_of(request):
        return Response(status_code=401)
    if random.random() < faults_of_media(world_of(request), request)["media_fail"]:  # noqa: S311
        broken = random.choice(["error", "cut", "other"])  # noqa: S311
        if broken == "error":
            return Response("Service Unavailable", 503)
        if broken == "cut":
            return StreamingResponse(_cut(media.content), headers={"content-length": str(len(media.content))})
        return Response(media.content[::-1], media_type=media.mime_type)
    return Response(media.content, media_type=media.mime_type)


def faults_of_media(world: World, request: Request) -> Mapping[str, Any]:
    return world.faults.resolve(number_id=request.query_params.get("phone_number_id", ""))


def _authorize(world: World, number: Number, token: str) -> None:
    expected = world.faults.resolve(number_id=number.id, known=number.known)["token"]
    world.numbers.authorize(number=number, token=token, expected=expected)


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]


sending_route = Route(f"{NODE}/messages", send, methods=["POST"])
routes = [
    sending_route,
    Route(f"{NODE}/media", upload_media, methods=["POST"]),
    *management.routes,
    *flow_graph.routes,
    *coexistence.routes,
    Route("/media/{node}", download, methods=["GET"]),
    Route(NODE, get_node, methods=["GET"]),
    Route(NODE, delete_node, methods=["DELETE"]),
    Route(NODE, post_node, methods=["POST"]),
]
