"""The Graph API's doors for Flows: made, filled, published, taken back, removed, listed."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .courier import Webhook
from .errors import GraphError
from .flows import Flow
from .media import parts_of
from .meta_http import NODE, chosen, form_or_json, graph, page_of, token_of, world_of
from .world import World


@graph
async def flows(request: Request) -> Response:
    world, account_id = world_of(request), request.path_params["node"]
    world.numbers.authorize_account(account_id=account_id, token=token_of(request))
    if request.method == "GET":
        fields = request.query_params.get("fields", "id,name,status,categories,validation_errors").split(",")
        return JSONResponse(page_of(request, [chosen(one.described(), fields) for one in world.flows.of(account_id)]))
    body = await form_or_json(request)
    flow = world.flows.add(
        account_id=account_id, name=str(body.get("name") or ""), categories=body.get("categories"),
        endpoint_uri=str(body.get("endpoint_uri") or ""),
    )  # fmt: skip
    _changed(world)
    return JSONResponse({"id": flow.id, "success": True, "validation_errors": []})


@graph
async def assets(request: Request) -> Response:
    world, flow = _flow(request)
    if request.method == "GET":
        url = f"{request.url.scheme}://{request.url.netloc}/flow-assets/{flow.id}"
        asset = {"name": "flow.json", "asset_type": "FLOW_JSON", "download_url": url}
        return JSONResponse({"data": [asset] if flow.source else []})
    parts = parts_of(await request.body(), request.headers.get("content-type", ""))
    if "file" not in parts or "asset_type" not in parts or parts["asset_type"].content != b"FLOW_JSON":
        raise GraphError(100, "The parameters file, name and asset_type FLOW_JSON are required.")
    found = world.flows.upload(flow, parts["file"].content.decode("utf-8", "replace"))
    _changed(world)
    return JSONResponse({"success": True, "validation_errors": found})


@graph
async def publish(request: Request) -> Response:
    world, flow = _flow(request)
    old = flow.status
    if request.url.path.endswith("/publish"):
        world.flows.publish(flow, has_key=any(one.public_key for one in world.numbers.of_account(flow.account_id)))
    else:
        world.flows.deprecate(flow)
    tell_status(world, flow, old=old)
    return JSONResponse({"success": True})


def tell_status(world: World, flow: Flow, *, old: str) -> None:
    """The webhook by which the application hears of it."""
    value = {
        "event": "FLOW_STATUS_CHANGE",
        "message": f"Flow {flow.name} changed status from {old} to {flow.status}.",
        "flow_id": flow.id, "old_status": old, "new_status": flow.status,
    }  # fmt: skip
    number = next(iter(world.numbers.of_account(flow.account_id)), None)
    world.courier.post(Webhook("flows", flow.account_id, number, value, label=f"Flow {flow.status}"))
    _changed(world)


async def download(request: Request) -> Response:
    """Where an asset's address leads; Meta's is on another host and wants no token."""
    flow = world_of(request).flows.get(request.path_params["flow_id"])
    return Response(flow.source, media_type="application/json") if flow and flow.source else Response(status_code=404)


def remove(world: World, flow: Flow) -> None:
    world.flows.remove(flow)
    _changed(world)


def authorized(request: Request, flow: Flow) -> None:
    world_of(request).numbers.authorize_account(account_id=flow.account_id, token=token_of(request))


def _flow(request: Request) -> tuple[World, Flow]:
    world, node = world_of(request), request.path_params["node"]
    flow = world.flows.get(node)
    if flow is None:
        raise GraphError(100, f"Object with ID '{node}' does not exist", subcode=33)
    authorized(request, flow)
    return world, flow


def _changed(world: World) -> None:
    """So that it is saved."""
    world.journal.touch()


routes = [
    Route(f"{NODE}/flows", flows, methods=["GET", "POST"]),
    Route(f"{NODE}/assets", assets, methods=["GET", "POST"]),
    Route("/flow-assets/{flow_id}", download, methods=["GET"]),
    Route(f"{NODE}/publish", publish, methods=["POST"]),
    Route(f"{NODE}/deprecate", publish, methods=["POST"]),
]
