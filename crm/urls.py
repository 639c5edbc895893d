from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from crm.api.documentation import Documentation
from crm.views import clock, health

urlpatterns = [
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}crm/icons/favicon.svg")),
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("tenants.urls")),
    path("", include("whatsapp.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("sequences.api_urls")),
    path("api/v1/", include("crm.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", Documentation.as_view(), name="docs"),
    path("", include("crm.urls_inbox")),
    path("", include("crm.urls_flows")),
    path("templates/", include("crm.urls_templates")),
    path("", include("crm.urls_numbers")),
    path("", include("crm.urls_contacts")),
    path("", include("sequences.urls")),
]
if settings.LOCAL:
    urlpatterns.append(path("clock/", clock.clock, name="clock"))
