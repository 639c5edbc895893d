"""Puts the simulator together as one ASGI application and serves it from one process."""

import asyncio
import contextlib
import signal
import socket

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from . import control, forms, graph, phone, playing, storage
from .settings import Settings
from .world import World


def application(world: World) -> Starlette:
    # The busiest address comes first: each route before it costs every send a look.
    app = Starlette(routes=[graph.sending_route, *control.routes, *forms.routes, *phone.routes, *graph.routes])
    app.state.world = world
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then save what is to be kept."""
    world = World(settings)
    server = Server(
        application(world), address=settings.host, port=settings.port, interface=Interfaces.ASGINL, http=HTTPModes.http1,
        websockets=False, log_enabled=False, backlog=1024,
    )  # fmt: skip
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, ended.set)
    jobs = [
        asyncio.create_task(job)
        for job in (
            server.serve(),
            world.courier.run(),
            storage.keep_saving(world),
            playing.keep_writing(world),
            control.keep_telling(world),
        )
    ]
    stopping = asyncio.create_task(ended.wait())
    await asyncio.wait([stopping, *jobs], return_when=asyncio.FIRST_COMPLETED)
    world.closing = True
    storage.save(world)
    world.courier.stop()
    for job in [*jobs, stopping]:
        job.cancel()
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        await asyncio.wait_for(asyncio.gather(*jobs, return_exceptions=False), 2)


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
