"""Broadcasts over REST: written, frozen and priced, started and watched by the same calls as the pages make."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.authentication import IsMember, caller
from crm.api.errors import ASKING, READING, READING_ONE, Refused
from crm.api.fields import JSONObject
from crm.api.pagination import NewestFirst
from crm.api.references import NumberReference
from crm.api.resource import Resource
from crm.api.serializers import Shape
from crm.views.composer import can_send
from sequences import broadcasting, freezing
from sequences.models import Broadcast, BroadcastState, Recipient
from sequences.words import pause_words
from whatsapp.models import Template as StoredTemplate
from whatsapp.models import TemplateStatus

MOST_RECIPIENTS = 10_000

_COUNTS = (
    "total",
    "waiting",
    "sent",
    "accepted",
    "delivered",
    "read",
    "replied",
    "failed",
    "unknown",
    "skipped",
    "refused",
)
_BROADCAST = {
    "id": "0199f3a0-0000-7000-8000-0000000000b1",
    "name": "Botas nuevas",
    "number": "0199f3a0-0000-7000-8000-0000000000d1",
    "template": {"name": "oferta", "language": "es"},
    "variables": {"1": "{first_name}"},
    "state": "ready",
    "reason": "",
    "per_minute": 600,
    "failure_limit": 10,
    "counts": dict.fromkeys(_COUNTS, 0) | {"total": 1200, "waiting": 1180, "skipped": 20},
    "forecast": [{"country": "PE", "category": "marketing", "count": 1180, "amount": "82.95", "unknown": 0}],
    "cost": "0.00000",
    "currency": "USD",
    "created_at": "2026-11-24T12:00:00Z",
    "scheduled_at": None,
    "started_at": None,
    "ended_at": None,
}
BROADCAST = OpenApiExample("A broadcast", _BROADCAST, response_only=True, status_codes=["200", "201"])
TO_A_LABEL = OpenApiExample(
    "To a label",
    {
        "name": "Botas nuevas",
        "number": _BROADCAST["number"],
        "template": {"name": "oferta", "language": "es"},
        "variables": {"1": "{first_name}"},
        "label": "botas",
        "days": 90,
    },
    request_only=True,
)
TO_PHONES = OpenApiExample(
    "To phones",
    {
        "name": "Pedidos listos",
        "number": _BROADCAST["number"],
        "template": {"name": "pedido", "language": "es"},
        "variables": {"1": "{first_name}", "2": "{pedido}"},
        "recipients": [{"phone": "+51 900 555 014", "values": {"pedido": "A-1042"}}],
    },
    request_only=True,
)
RECIPIENT = OpenApiExample(
    "A recipient",
    {
        "position": 1,
        "address": "51900555014",
        "conversation": "0199f3a0-0000-7000-8000-0000000000c1",
        "fate": "sent",
        "reason": "",
        "message": "0199f3a0-0000-7000-8000-0000000000e1",
        "status": "delivered",
    },
    response_only=True,
)


class MaySeeEverything(BasePermission):
    """Supervisors and up, as on the pages."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return caller(request).sees_everything


class ByPosition(NewestFirst):
    ordering = ("position",)


class ForecastSerializer(serializers.Serializer):
    country = serializers.CharField()
    category = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.CharField(help_text="Of those whose price is known, in the broadcast's currency.")
    unknown = serializers.IntegerField(help_text="How many have a price that nobody knows.")


class NamedTemplateSerializer(serializers.Serializer):
    name = serializers.CharField(source="template_name", max_length=512)
    language = serializers.CharField(source="template_language", max_length=10)


class BroadcastSerializer(Shape):
    """One template to a frozen list, and what became of it so far."""

    template = NamedTemplateSerializer(source="*")
    reason = serializers.CharField(help_text="Why it paused, as a word.")
    paused_because = serializers.SerializerMethodField(help_text="The same, as a sentence.")
    counts = serializers.SerializerMethodField()
    forecast = ForecastSerializer(many=True)
    cost = serializers.SerializerMethodField(help_text="Of what went out so far.")

    class Meta:
        model = Broadcast
        fields = ["id", "name", "number", "template", "variables", "state", "reason", "paused_because", "per_minute",
                  "failure_limit", "counts", "forecast", "cost", "currency", "created_at", "scheduled_at", "started_at",
                  "ended_at"]  # fmt: skip

    def get_paused_because(self, broadcast: Broadcast) -> str:
        return pause_words(broadcast.reason)

    @extend_schema_field({"type": "object", "properties": {name: {"type": "integer"} for name in _COUNTS}})
    def get_counts(self, broadcast: Broadcast) -> dict[str, int]:
        return {name: self._summary(broadcast).get(name, 0) for name in _COUNTS}

    @extend_schema_field({"type": "string", "format": "decimal"})
    def get_cost(self, broadcast: Broadcast) -> str:
        return str(Decimal(self._summary(broadcast).get("cost", 0)).quantize(Decimal("0.00001")))

    def _summary(self, broadcast: Broadcast) -> dict[str, int]:
        """Of all that are shown, by one query."""
        root: Any = self.root
        if not hasattr(root, "_summaries"):
            shown: Any = root.instance if isinstance(root, serializers.ListSerializer) else [broadcast]
            root._summaries = broadcasting.summary(shown)
        return root._summaries.get(broadcast.pk, {})


class RecipientSerializer(Shape):
    """One line of the list."""

    position = serializers.SerializerMethodField(help_text="From 1, as the list was given.")
    status = serializers.CharField(source="message.status", default="", help_text="Of its message, once there is one.")

    class Meta:
        model = Recipient
        fields = ["position", "address", "conversation", "fate", "reason", "message", "status"]

    def get_position(self, recipient: Recipient) -> int:
        return recipient.position + 1


class RecipientInput(serializers.Serializer):
    phone = serializers.CharField(max_length=40)
    values = JSONObject(required=False, help_text="What `{…}` in the variables becomes for this one.")


class BroadcastInput(serializers.Serializer):
    """For those who wrote to the number, narrowed by `label` and `days`; or for the phones of `recipients`."""

    name = serializers.CharField(max_length=120)
    number = NumberReference(help_text="Our id or Meta's phone number id.")
    template = NamedTemplateSerializer()
    variables = serializers.DictField(
        child=serializers.CharField(max_length=1024), required=False, help_text="What each becomes; `{first_name}` …"
    )
    label = serializers.CharField(max_length=60, required=False, allow_blank=True)  # type: ignore[assignment]
    days = serializers.IntegerField(min_value=1, max_value=3650, required=False, help_text="Who wrote so lately.")
    recipients = serializers.ListField(child=RecipientInput(), min_length=1, max_length=MOST_RECIPIENTS, required=False)
    per_minute = serializers.IntegerField(min_value=1, max_value=4800, default=600)
    failure_limit = serializers.IntegerField(
        min_value=1, max_value=100, default=10, help_text="Percent; it pauses then."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "recipients" in attrs and (attrs.get("label") or attrs.get("days")):
            raise serializers.ValidationError({"recipients": [_("Give either recipients, or label and days.")]})
        template = StoredTemplate.objects.filter(
            waba_id=attrs["number"].waba_id,
            name=attrs["template"]["template_name"],
            language=attrs["template"]["template_language"],
            status=TemplateStatus.APPROVED,
        ).first()
        if template is None or not can_send(template):
            raise Refused(
                reason="unknown_template",
                explanation=_(
                    "This template is not approved for this number, or needs a file or a link for each person."
                ),
            )
        given = attrs.get("variables", {})
        if empty := [name for name in template.variables if not given.get(name, "").strip()]:
            raise serializers.ValidationError({"variables": [_("Say what {{%(name)s}} becomes.") % {"name": empty[0]}]})
        return attrs | {"template": template, "variables": {name: given[name].strip() for name in template.variables}}


class StartInput(serializers.Serializer):
    at = serializers.DateTimeField(required=False, help_text="Later than now; without it, at once.")


def _acts(summary: str, request: Any = None, description: str = "") -> Any:
    return extend_schema(
        summary=summary,
        description=description or None,
        request=request,
        responses={200: BroadcastSerializer} | ASKING,
        examples=[BROADCAST],
    )


@extend_schema(tags=["broadcasts"])
@extend_schema_view(
    list=extend_schema(
        summary="List broadcasts, the newest first",
        responses={200: BroadcastSerializer(many=True)} | READING,
        examples=[BROADCAST],
    ),
    retrieve=extend_schema(
        summary="Show a broadcast, with its forecast and how far it is",
        responses={200: BroadcastSerializer} | READING_ONE,
        examples=[BROADCAST],
    ),
)
class Broadcasts(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Broadcast.objects.shown().defer("rows")
    serializer_class = BroadcastSerializer
    pagination_class = NewestFirst
    permission_classes = [IsMember, MaySeeEverything]

    @extend_schema(
        summary="Write a broadcast",
        description=(
            "Its list is frozen and priced in the background: `state` goes from `preparing` to `ready`. Nothing is sent"
            " before `start`, so a request whose answer was lost leaves at worst a second one that never starts."
        ),
        request=BroadcastInput,
        responses={201: BroadcastSerializer} | ASKING,
        examples=[TO_A_LABEL, TO_PHONES, BROADCAST],
    )
    def create(self, request: Request) -> Response:
        given = self.given(BroadcastInput).validated_data
        recipients = given.get("recipients", ())
        rows = [
            [line, one["phone"], {str(name).lower(): str(value) for name, value in one.get("values", {}).items()}]
            for line, one in enumerate(recipients, start=1)
        ]
        meant = {"file": "API"} if rows else {name: given[name] for name in ("label", "days") if given.get(name)}
        broadcast = broadcasting.draft(
            name=given["name"],
            number=given["number"],
            template=given["template"],
            variables=given["variables"],
            audience=meant,
            rows=rows,
            by=caller(request),
            now=self.now,
        )
        broadcast.per_minute, broadcast.failure_limit = given["per_minute"], given["failure_limit"]
        broadcast.save(update_fields=["per_minute", "failure_limit"])
        freezing.prepare(broadcast)
        return Response(self._shown(broadcast), status.HTTP_201_CREATED)

    @_acts("Start a broadcast, now or later", StartInput, "Repeating it starts nothing twice.")
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        at = self.given(StartInput).validated_data.get("at")
        if at is not None and at <= self.now:
            raise serializers.ValidationError({"at": [_("Choose a moment that is still to come.")]})
        broadcast = self.get_object()
        if broadcast.state in (BroadcastState.DRAFT, BroadcastState.PREPARING):
            raise Refused(reason="preparing", explanation=_("Its list is still being prepared. Try again in a moment."))
        return self._act(broadcast, broadcasting.start(broadcast, now=self.now, at=at))

    @_acts("Pause a broadcast")
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        broadcast = self.get_object()
        return self._act(broadcast, broadcasting.pause(broadcast))

    @_acts("Go on with a paused broadcast")
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        broadcast = self.get_object()
        return self._act(broadcast, broadcasting.resume(broadcast, now=self.now))

    @_acts("Cancel a broadcast", description="What waits does not go out; what went out stays.")
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        broadcast = self.get_object()
        return self._act(broadcast, broadcasting.cancel(broadcast, now=self.now))

    @extend_schema(
        summary="List what became of each recipient",
        responses={200: RecipientSerializer(many=True)} | READING | READING_ONE,
        examples=[RECIPIENT],
    )
    @action(detail=True, methods=["get"], pagination_class=ByPosition)
    def recipients(self, request: Request, pk: str) -> Response:
        found = Recipient.objects.filter(broadcast=self.get_object()).select_related("message")
        page = self.paginate_queryset(found.defer("values", "message__text", "message__payload"))
        return self.get_paginated_response(RecipientSerializer(page, many=True).data)

    def _act(self, broadcast: Broadcast, is_done: bool) -> Response:
        if not is_done:
            raise Refused(reason="state", explanation=_("It is not in a state in which that can be done."))
        return Response(self._shown(broadcast))

    def _shown(self, broadcast: Broadcast) -> Any:
        return self.get_serializer(self.get_queryset().get(pk=broadcast.pk)).data
