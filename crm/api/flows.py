"""The forms that open inside WhatsApp, as Meta last told us about them; reading only."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers

from crm.api import examples
from crm.api.errors import READING, READING_ONE
from crm.api.pagination import ByName
from crm.api.references import NumberReference
from crm.api.resource import Resource
from crm.api.serializers import FlowSerializer
from crm.flows.sending import senders
from whatsapp.models import Flow, FlowStatus


class FlowFilters(serializers.Serializer):
    number = NumberReference(is_filter=True, required=False, help_text="Of this number's account: id or Meta's id.")
    status = serializers.ChoiceField(choices=FlowStatus.choices, required=False)
    name = serializers.CharField(max_length=200, required=False)


@extend_schema(tags=["flows"])
@extend_schema_view(
    list=extend_schema(
        summary="List Flows by name",
        parameters=[FlowFilters],
        responses={200: FlowSerializer(many=True)} | READING,
        examples=[examples.FLOW],
    ),
    retrieve=extend_schema(
        summary="Show a Flow", responses={200: FlowSerializer} | READING_ONE, examples=[examples.FLOW]
    ),
)
class Flows(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Flow.objects.all()
    serializer_class = FlowSerializer
    pagination_class = ByName

    def filter_queryset(self, queryset: Any) -> Any:
        if self.action != "list":
            return queryset
        asked = dict(self.asked_for(FlowFilters).validated_data)
        if number := asked.pop("number", None):
            asked["waba_id"] = number.waba_id
        return queryset.filter(**asked)

    def get_serializer(self, *shown: Any, **kwargs: Any) -> Any:
        """With the numbers of all that is shown, asked for at once."""
        flows: list[Flow] = [] if not shown else list(shown[0]) if kwargs.get("many") else [shown[0]]
        kwargs["context"] = self.get_serializer_context() | {"senders": senders(flows)}
        return super().get_serializer(*shown, **kwargs)
