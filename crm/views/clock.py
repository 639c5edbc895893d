"""The demonstration's clock, on a local machine only: the simulator moves it, signed as a webhook is."""

import hmac
import json
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tenants import clock as domain_clock

FURTHEST = timedelta(days=366)


@csrf_exempt  # the simulator has no session; its signature says who it is
@require_http_methods(["GET", "POST"])
def clock(request: HttpRequest) -> HttpResponse:
    """GET: how far it is ahead, and the seconds until something is due. POST `{"offset_s"}`: set how far, from real time."""
    if request.method == "POST":
        expected = "sha256=" + hmac.digest(settings.META_APP_SECRET.encode(), request.body, "sha256").hex()
        if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", "").encode(), expected.encode()):
            return HttpResponse(status=401)
        try:
            offset = timedelta(seconds=float(json.loads(request.body)["offset_s"]))
        except (ValueError, TypeError, KeyError, OverflowError):
            return JsonResponse({"detail": 'Send {"offset_s": seconds}.'}, status=400)
        domain_clock.move(ahead=min(max(offset, timedelta(0)), FURTHEST))
    now = domain_clock.now()
    due = min((moment for name in settings.CLOCK_NEXT if (moment := import_string(name)(now))), default=None)
    return JsonResponse(
        {
            "now": now.isoformat(),
            "offset_s": domain_clock.ahead().total_seconds(),
            "next_due_s": max((due - now).total_seconds(), 0) if due else None,
        }
    )
