"""The intake's promise kept the ordinary way: a Django view that verifies, inserts one row and commits.

Served without any middleware, which is the best case for it.
"""

import hashlib
import hmac
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

import django

django.setup()

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tenants.context import system_transaction
from whatsapp.models import WebhookEvent


def take(request: HttpRequest) -> HttpResponse:
    expected = "sha256=" + hmac.new(settings.META_APP_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Hub-Signature-256", "")):
        return HttpResponse(status=401)
    with system_transaction():
        WebhookEvent.objects.create(body=request.body)
    return HttpResponse()


urlpatterns = [path("webhooks/whatsapp/", take)]
settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
application = ASGIHandler()
