"""The page's doors: what its forms ask, what its script fetches, and the stream that says something changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import control, inbound, kinds, pages, playing, scenarios
from .errors import GraphError
from .faults import digits
from .numbers import Number
from .personas import PEOPLE, PERSONAS
from .world import World

STATIC = Path(__file__).resolve().parents[2] / "static"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
TICK_S = 0.25


async def index(request: Request) -> Response:
    world = _world(request)
    number, customer = _chosen(world, dict(request.query_params))
    if name := request.query_params.get("name"):
        world.threads.open(number_id=number.id, customer=customer).name = name
    return HTMLResponse(
        pages.page(world, number=number, customer=customer),
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"},
    )


async def live(request: Request) -> Response:
    world = _world(request)
    number, customer = _chosen(world, dict(request.query_params))
    return HTMLResponse(pages.live(world, number=number, customer=customer), headers={"Cache-Control": "no-store"})


async def stream(request: Request) -> Response:
    """Tell the page that something changed, at most four times a second however much does."""
    world = _world(request)

    async def changes() -> AsyncIterator[str]:
        version, quiet = -1, 0.0
        while not world.closing:
            if world.journal.version != version:
                version, quiet = world.journal.version, 0.0
                yield f"id: {version}\ndata: {version}\n\n"
            elif quiet >= 15:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(TICK_S)
            quiet += TICK_S

    return StreamingResponse(changes(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def media(request: Request) -> Response:
    """What the phone shows; the Graph API's own download asks for a token, a phone does not."""
    try:
        file = _world(request).media.get(request.path_params["media_id"])
    except GraphError:
        return Response(status_code=404)
    headers = {
        "Content-Disposition": "inline",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return Response(file.content, media_type=file.mime_type, headers=headers)


async def write(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    number, customer = _chosen(world, form)
    kind, more = form.get("type", "text"), form.pop("more", "")
    if kind == "more":
        return _write_more(request, number, customer, more, form.get("text", "").strip())
    if kind == "text" and not form.get("text", "").strip():
        return _done(request, number, customer)
    if kind == "reaction":
        thread = world.threads.get(number_id=number.id, customer=customer)
        target = next((one for one in reversed(thread.bubbles if thread else []) if not one.mine), None)
        if target is None:
            return _done(request, number, customer)
        form |= {"message_id": target.id, "emoji": "👍"}
    if kind == "order" or kind == "unsupported":
        form.pop("text", None)
    spec = {key: value for key, value in form.items() if value and key not in {"number", "customer"}}
    inbound.receive(world, _who(number, customer) | spec)
    return _done(request, number, customer)


def _write_more(request: Request, number: Number, customer: str, key: str, text: str) -> Response:
    """Send one of the kinds that have no button of their own; nothing when there is nothing it could be about."""
    world = _world(request)
    thread = world.threads.get(number_id=number.id, customer=customer)
    try:
        specs = kinds.made(key, kinds.Sender(number, customer, thread, text, world.clock.now()))
    except KeyError:
        return Response(status_code=404)
    for spec in specs:
        inbound.receive(world, _who(number, customer) | spec)
    return _done(request, number, customer)


def _who(number: Number, customer: str) -> dict[str, str]:
    persona = PERSONAS.get(customer)
    names = {"name": persona.name, "username": persona.username} if persona else {}
    return {"phone_number_id": number.id, "from": customer, **names}


async def set_fault(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    number, customer = _chosen(world, form)
    name, on = form.get("name", ""), bool(form.get("on"))
    given = form.get("value", "")
    value = (int(given) if given else True) if on else None
    scope = {"to": customer} if name == "block" else {}
    world.faults.merge({**scope, name: value})
    if name == "block" and (thread := world.threads.get(number_id=number.id, customer=customer)):
        thread.blocked = on
    world.courier.release()
    world.journal.touch()
    return _done(request, number, customer)


async def move_clock(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    with contextlib.suppress(control.BadRequest):  # nothing is due: the clock stays
        await control.move(world, form)
    return _done(request, *_chosen(world, form))


async def set_traffic(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    world.traffic["running"] = bool(form.get("running"))
    if world.traffic["running"]:
        quiet = next(
            (one for one in PEOPLE if world.threads.get(number_id=one.number_id, customer=one.address) is None), None
        )
        if quiet:
            playing.open_subject(world, quiet)
    world.journal.touch()
    return _done(request, *_chosen(world, form))


async def play_scenario(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    number, _ = _chosen(world, form)
    scenario = scenarios.find(form.get("key", ""))
    if scenario is None:
        return Response(status_code=404)
    world.keep(asyncio.create_task(scenarios.play(world, key=scenario.key, number_id=number.id)))
    person = next(one for one in PEOPLE if one.key == scenario.persona)
    return _done(request, number, person.address)


async def judge_template(request: Request) -> Response:
    """Let Meta say something of one of the account's templates, as `POST /control/templates` does."""
    world, form = _world(request), await _form(request)
    number, customer = _chosen(world, form)
    with contextlib.suppress(control.BadRequest):  # deleted meanwhile: the page shows that it is gone
        control.judge(world, form | {"account_id": number.account_id})
    world.journal.touch()
    return _done(request, number, customer)


async def reset(request: Request) -> Response:
    world, form = _world(request), await _form(request)
    number, customer = _chosen(world, form)
    world.reset()
    return _done(request, number, customer)


def _done(request: Request, number: Number, customer: str) -> Response:
    """Back to the page; the script is told the address instead, so that it can stay."""
    address = "/?" + urlencode({"number": number.id, "customer": customer})
    if request.headers.get("x-live"):
        return Response(status_code=204, headers={"X-Page": address})
    return RedirectResponse(address, 303)


def _chosen(world: World, given: dict[str, str]) -> tuple[Number, str]:
    """The business number and the customer that the page is about; the first persona when nothing was chosen."""
    first = PEOPLE[0]
    customer = digits(given.get("customer", "")) or first.address
    persona = PERSONAS.get(customer)
    default = persona.number_id if persona else first.number_id
    number_id = given.get("number", "")
    return world.numbers.get_or_register(number_id if number_id.isdigit() else default), customer


async def _form(request: Request) -> dict[str, str]:
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def _world(request: Request) -> World:
    return request.app.state.world


routes = [
    Route("/", index),
    Route("/phone/live", live),
    Route("/phone/stream", stream),
    Route("/phone/media/{media_id}", media),
    Route("/phone/messages", write, methods=["POST"]),
    Route("/phone/faults", set_fault, methods=["POST"]),
    Route("/phone/clock", move_clock, methods=["POST"]),
    Route("/phone/traffic", set_traffic, methods=["POST"]),
    Route("/phone/scenarios", play_scenario, methods=["POST"]),
    Route("/phone/templates", judge_template, methods=["POST"]),
    Route("/phone/reset", reset, methods=["POST"]),
    Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
]
