"""One process, three doors: Meta's webhooks and the browsers' streams beside Django, which serves everything else."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from django.conf import settings
from django.core import checks
from django.urls import get_resolver

from crm.bells import ring_drain
from crm.garbage import keep_what_is_loaded
from crm.stream import stream
from whatsapp.intake import Intake

intake = Intake(ring=ring_drain)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"].startswith("/webhooks/"):
        await intake(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == "/live/":
        await stream(scope, receive, send)
    elif scope["type"] == "http":
        await django_application(scope, receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


def _refuse_to_serve_without_the_fence() -> None:
    errors = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    if any(error.is_serious() for error in errors):
        raise SystemExit("\n".join(str(error) for error in errors))


if settings.DATABASES:
    _refuse_to_serve_without_the_fence()

get_resolver().url_patterns  # noqa: B018  # all views are loaded before somebody asks for the first
keep_what_is_loaded()
