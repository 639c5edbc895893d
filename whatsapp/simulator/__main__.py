"""`python -m whatsapp.simulator [--port N]`: port 0 takes a free one. The first line printed is the address."""

import argparse
import asyncio
import dataclasses
import os

from .app import free_port, serve
from .settings import Settings


def main() -> None:
    settings = Settings.from_environment()
    parser = argparse.ArgumentParser(prog="python -m whatsapp.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=settings.port, help="0 takes a free port")
    parser.add_argument("--app-url", default=settings.app_url, help="where webhooks go")
    parser.add_argument("--quiet", action="store_true", help="no customer writes unasked")
    given = parser.parse_args()
    settings = dataclasses.replace(
        settings,
        port=given.port or free_port(settings.host),
        app_url=given.app_url.rstrip("/"),
        traffic=settings.traffic and not given.quiet,
    )
    print(f"http://{settings.host}:{settings.port}", flush=True)
    asyncio.run(serve(settings))
    os._exit(0)  # worker threads may still wait for the application; everything is saved


if __name__ == "__main__":
    main()
