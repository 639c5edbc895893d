"""What the intake is compared with, served by the same granian: an answer that does nothing, and an ordinary Django view."""

import hashlib
import hmac
import os
from typing import Any


async def empty(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body and answer 200."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def django_application() -> Any:
    """Django with one view and no middleware at all, the best case for it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    settings.ROOT_URLCONF, settings.MIDDLEWARE = "tests.bench.doors", []
    return get_asgi_application()


def plain(request: Any) -> Any:
    """The same promise written the ordinary way: verify, one INSERT, one COMMIT, 200."""
    from django.conf import settings
    from django.http import HttpResponse

    from tenants.context import system_transaction
    from whatsapp.models import WebhookEvent

    expected = "sha256=" + hmac.new(settings.META_APP_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Hub-Signature-256", "")):
        return HttpResponse(status=401)
    with system_transaction():
        WebhookEvent.objects.create(body=request.body)
    return HttpResponse()


def __getattr__(name: str) -> Any:
    """`urlpatterns` and `application` on demand: importing this module must not set Django up."""
    if name == "urlpatterns":
        from django.urls import path

        return [path("webhooks/whatsapp/", plain)]
    if name == "application":
        return django_application()
    raise AttributeError(name)
