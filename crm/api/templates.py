"""Message templates as Meta last told us about them."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers

from crm.api import examples
from crm.api.errors import READING, READING_ONE
from crm.api.pagination import ByName
from crm.api.references import NumberReference
from crm.api.resource import Resource
from crm.api.serializers import TemplateSerializer
from whatsapp.models import Template, TemplateStatus


class TemplateFilters(serializers.Serializer):
    number = NumberReference(is_filter=True, required=False, help_text="What may be sent from it: id or Meta's id.")
    status = serializers.ChoiceField(choices=TemplateStatus.choices, required=False)
    name = serializers.CharField(max_length=512, required=False)
    language = serializers.CharField(max_length=10, required=False)


@extend_schema(tags=["templates"])
@extend_schema_view(
    list=extend_schema(
        summary="List templates by name",
        parameters=[TemplateFilters],
        responses={200: TemplateSerializer(many=True)} | READING,
        examples=[examples.TEMPLATE],
    ),
    retrieve=extend_schema(
        summary="Show a template", responses={200: TemplateSerializer} | READING_ONE, examples=[examples.TEMPLATE]
    ),
)
class Templates(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Template.objects.all()
    serializer_class = TemplateSerializer
    pagination_class = ByName

    def filter_queryset(self, queryset: Any) -> Any:
        if self.action != "list":
            return queryset
        asked = dict(self.asked_for(TemplateFilters).validated_data)
        if number := asked.pop("number", None):
            asked["waba_id"] = number.waba_id
        return queryset.filter(**asked)
