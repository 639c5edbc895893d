"""The OpenAPI description, and its pages without anything from another host."""

from typing import Any

from django.templatetags.static import static
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularSwaggerSplitView


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "crm.api.authentication.MembershipAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <key>`, with the key that `POST /api/v1/auth/token/` gave.",
        }


class Documentation(SpectacularSwaggerSplitView):
    """Swagger UI from our own static files; the script is a file too, so that no page needs inline scripts."""

    @staticmethod
    def _swagger_ui_resource(filename: str) -> str:
        return static(f"drf_spectacular_sidecar/swagger-ui-dist/{filename}")

    @staticmethod
    def _swagger_ui_favicon() -> str:
        return static("crm/icons/favicon.svg")
