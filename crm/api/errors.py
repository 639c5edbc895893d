"""What goes wrong and how it is told: shapes for the documentation, and refusals of the domain as 422."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


class Refused(APIException):
    """The input is right and the domain says no: 422 with a sentence for people and a word for programs."""

    status_code = 422

    def __init__(self, *, reason: str, explanation: Any) -> None:
        super().__init__()
        self.detail: Any = {"detail": str(explanation), "reason": str(reason)}


class ProblemSerializer(serializers.Serializer):
    detail = serializers.CharField(help_text="A sentence for people, in the caller's language.")


class RefusalSerializer(ProblemSerializer):
    reason = serializers.CharField(help_text="A word for programs: `window_closed`, `opted_out`, `paused` …")


class UnknownAddress(APIView):
    """Under `/api/v1/` even “no such page” is JSON."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(_("There is nothing at this address. The documentation is at /api/docs/."))


_FIELD_ERRORS = {"type": "object", "additionalProperties": {}, "description": "Sentences by field."}

INVALID = OpenApiResponse(
    _FIELD_ERRORS,
    "Bad input: sentences by field.",
    [OpenApiExample("Bad input", {"text": ["Ensure this field has no more than 4096 characters."]})],
)
UNAUTHENTICATED = OpenApiResponse(
    ProblemSerializer,
    "No token, or one that was revoked.",
    [OpenApiExample("No token", {"detail": "Authentication credentials were not provided."})],
)
FORBIDDEN = OpenApiResponse(
    ProblemSerializer,
    "For owners and admins alone.",
    [OpenApiExample("Not for you", {"detail": "Owners and admins alone may do this."})],
)
MISSING = OpenApiResponse(
    ProblemSerializer,
    "There is no such thing, or not for you.",
    [OpenApiExample("Not there", {"detail": "No Conversation matches the given query."})],
)
REFUSED = OpenApiResponse(
    RefusalSerializer,
    "The input is right, and a rule says no.",
    [
        OpenApiExample(
            "Window closed",
            {
                "detail": "More than 24 hours have passed since the customer wrote. Send a template.",
                "reason": "window_closed",
            },
        )
    ],
)
THROTTLED = OpenApiResponse(
    ProblemSerializer,
    "Too many requests; `Retry-After` says how many seconds to wait.",
    [OpenApiExample("Too many", {"detail": "Request was throttled. Expected available in 42 seconds."})],
)

READING = {400: INVALID, 401: UNAUTHENTICATED, 429: THROTTLED}
READING_ONE = {401: UNAUTHENTICATED, 404: MISSING, 429: THROTTLED}
CHANGING = {400: INVALID, 401: UNAUTHENTICATED, 404: MISSING, 429: THROTTLED}
ASKING = CHANGING | {422: REFUSED}
"""Responses by status for `extend_schema`: of lists, of one row, of changes, of changes that a rule may refuse."""
