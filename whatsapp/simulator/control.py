"""The controls for people, tests and demonstrations: who writes, what goes wrong, what time it is, what was accepted."""

import asyncio
import json
import logging
import urllib.request
from collections.abc import Mapping
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import conditions, inbound, remembering, reviewing, webhooks
from .errors import GraphError
from .faults import UnknownFault
from .world import World

log = logging.getLogger(__name__)


class BadRequest(ValueError):
    """The request's body is not what this address takes."""


def explained(handler):
    """Answer 400 with a sentence when the request cannot be done."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (BadRequest, UnknownFault, inbound.BadInbound, GraphError, TypeError, ValueError) as refusal:
            sentence = refusal.details if isinstance(refusal, GraphError) else str(refusal)
            return JSONResponse({"error": sentence}, 400)

    return answer


@explained
async def write(request: Request) -> Response:
    world, spec = _world(request), await body_of(request)
    ids = inbound.receive(world, spec)
    return JSONResponse(
        {"wamid": ids[0] if ids else None, "wamids": ids, "messages": [{"id": one} for one in ids]}, 201
    )


@explained
async def history(request: Request) -> Response:
    """Past talk that the application already has: shown on the phone, windows opened, no webhook sent."""
    world, body = _world(request), await body_of(request)
    threads = body.get("threads") or [body]
    for one in threads:
        remembering.remember(world, one)
    return JSONResponse({"threads": len(threads)}, 201)


@explained
async def faults(request: Request) -> Response:
    world = _world(request)
    if request.method == "DELETE":
        world.faults.reset()
    elif request.method == "POST":
        world.faults.merge(await body_of(request))
    if request.method != "GET":
        world.courier.release()
        world.journal.touch()
    return JSONResponse(world.faults.as_json())


@explained
async def clock(request: Request) -> Response:
    world = _world(request)
    if request.method == "POST":
        await move(world, await body_of(request))
    return JSONResponse(world.clock.as_json() | {"next_due_s": await next_due(world)})


@explained
async def ledger(request: Request) -> Response:
    world, query = _world(request), request.query_params
    if request.method == "DELETE":
        world.ledger.clear()
        return JSONResponse([])
    entries = world.ledger.as_json(
        phone_number_id=query.get("phone_number_id", ""), to=query.get("to", "").strip().lstrip("+")
    )
    return JSONResponse(entries)


@explained
async def traffic(request: Request) -> Response:
    world = _world(request)
    if request.method == "POST":
        body = await body_of(request)
        if "running" in body:
            world.traffic["running"] = bool(body["running"])
        if body.get("per_minute"):
            world.traffic["per_minute"] = max(0.1, float(body["per_minute"]))
        world.journal.touch()
    return JSONResponse(world.traffic)


@explained
async def templates(request: Request) -> Response:
    return JSONResponse(judge(_world(request), await body_of(request)))


async def handshake(request: Request) -> Response:
    """Ask the application to confirm its address, as Meta does when a callback is saved."""
    world = _world(request)
    settings = world.settings
    status, verified = await conditions.shake_hands(settings.webhook_url, verify_token=settings.verify_token)
    return JSONResponse({"verified": verified, "status": status})


@explained
async def numbers(request: Request) -> Response:
    """Break or mend what a number needs: its token, registration, subscription, address."""
    world = _world(request)
    changed = conditions.set_conditions(world, await body_of(request))
    world.journal.touch()
    return JSONResponse(changed)


async def reset(request: Request) -> Response:
    _world(request).reset()
    return JSONResponse({"reset": True})


async def state(request: Request) -> Response:
    """What is under way: for tests that wait until everything was delivered, and for load figures."""
    world = _world(request)
    return JSONResponse(
        {
            "webhooks": world.courier.as_json(),
            "accepted": len(world.ledger),
            "doubles": world.ledger.doubles(),
            "threads": len(world.threads),
            "clock": world.clock.as_json(),
        }
    )


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def judge(world: World, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Let Meta say something of a template: `{name, language, event?, quality?, reason?, account_id?}`. Raises BadRequest."""
    name, language = str(wish.get("name") or ""), str(wish.get("language") or "")
    event, quality = str(wish.get("event") or "").upper(), str(wish.get("quality") or "").upper()
    if event and event not in reviewing.STATUSES:
        raise BadRequest(f"“{event}” is no event of a template; there are {', '.join(reviewing.STATUSES)}.")
    account_id = str(wish.get("account_id") or "300000000000001")
    found = world.templates.find(account_id=account_id, name=name, language=language)
    if found is None:
        raise BadRequest(f"The account {account_id} has no template {name} in {language}.")
    reviewing.decide(world, account_id, found, event=event, quality=quality, reason=str(wish.get("reason") or ""))
    return found


async def move(world: World, wish: Mapping[str, Any]) -> None:
    """Move the clock as a person or program asks: `advance_s` seconds, `to: next` what the application has due, `reset`."""
    if wish.get("reset"):
        await advance(world, -world.clock.offset_s)
    elif wish.get("to") == "next":
        due = await next_due(world)
        if due is None:
            raise BadRequest("Nothing is due: begin a sequence with somebody first.")
        await advance(world, due + 1)
    else:
        await advance(world, float(wish.get("advance_s") or 0))


async def next_due(world: World) -> float | None:
    """Seconds until something is due in the application; None when nothing is, or it does not say."""
    if not world.settings.clock_url:
        return None
    _status, answer = await anyio.to_thread.run_sync(conditions.fetch, world.settings.clock_url)
    try:
        return float(json.loads(answer)["next_due_s"])
    except (ValueError, TypeError, KeyError):
        return None


async def advance(world: World, seconds: float) -> None:
    """Move the simulated clock, and the application's when it says where its own can be moved."""
    world.clock.advance(seconds)
    hours = seconds / 3600
    world.journal.add("clock", world.clock.now(), text=f"{hours:+.1f} h".replace(".0", ""))
    if not await tell_clock(world):
        log.warning("the application's clock did not move")


async def tell_clock(world: World) -> bool:
    """Tell the application how far the clock is ahead; True when it knows, or has no clock that moves."""
    if not world.settings.clock_url:
        return True
    body = json.dumps({"offset_s": world.clock.offset_s}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": webhooks.sign(body, secret=world.settings.app_secret),
    }
    call = urllib.request.Request(world.settings.clock_url, body, headers)  # noqa: S310 - our own setting
    try:
        await anyio.to_thread.run_sync(lambda: urllib.request.urlopen(call, timeout=5).close())  # noqa: S310
    except OSError:
        return False
    return True


async def keep_telling(world: World) -> None:
    """Tell it again and again: the application may have started later than we, or forgotten."""
    while True:
        await tell_clock(world)
        await asyncio.sleep(10)


def _world(request: Request) -> World:
    return request.app.state.world


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was posted. Raises BadRequest."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


routes = [
    Route("/control/inbound", write, methods=["POST"]),
    Route("/control/history", history, methods=["POST"]),
    Route("/control/faults", faults, methods=["GET", "POST", "DELETE"]),
    Route("/control/clock", clock, methods=["GET", "POST"]),
    Route("/control/ledger", ledger, methods=["GET", "DELETE"]),
    Route("/control/traffic", traffic, methods=["GET", "POST"]),
    Route("/control/templates", templates, methods=["POST"]),
    Route("/control/state", state, methods=["GET"]),
    Route("/control/numbers", numbers, methods=["POST"]),
    Route("/control/handshake", handshake, methods=["POST"]),
    Route("/control/reset", reset, methods=["POST"]),
    Route("/healthz", healthz, methods=["GET"]),
]
