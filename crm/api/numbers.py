"""The company's WhatsApp numbers. Their tokens never leave."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins

from crm.api import examples
from crm.api.errors import READING, READING_ONE
from crm.api.pagination import ByAlias
from crm.api.resource import Resource
from crm.api.serializers import NumberSerializer
from whatsapp.models import Number


@extend_schema(tags=["numbers"])
@extend_schema_view(
    list=extend_schema(
        summary="List numbers by alias",
        responses={200: NumberSerializer(many=True)} | READING,
        examples=[examples.NUMBER],
    ),
    retrieve=extend_schema(
        summary="Show a number", responses={200: NumberSerializer} | READING_ONE, examples=[examples.NUMBER]
    ),
)
class Numbers(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Number.objects.select_related("queue")
    serializer_class = NumberSerializer
    pagination_class = ByAlias
