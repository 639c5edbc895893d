"""The company's queues and who answers in each."""

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins

from crm.api import examples
from crm.api.errors import READING, READING_ONE
from crm.api.pagination import ByName
from crm.api.resource import Resource
from crm.api.serializers import QueueSerializer
from tenants.models import Membership, Queue

_ACTIVE = Membership.objects.filter(is_active=True).select_related("user").order_by("user__name", "id")


@extend_schema(tags=["queues"])
@extend_schema_view(
    list=extend_schema(
        summary="List queues by name", responses={200: QueueSerializer(many=True)} | READING, examples=[examples.QUEUE]
    ),
    retrieve=extend_schema(
        summary="Show a queue", responses={200: QueueSerializer} | READING_ONE, examples=[examples.QUEUE]
    ),
)
class Queues(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Queue.objects.prefetch_related(Prefetch("members", _ACTIVE))
    serializer_class = QueueSerializer
    pagination_class = ByName
