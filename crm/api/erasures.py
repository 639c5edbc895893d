"""People who were erased on request: that it was asked for, and when it was done. For owners and admins."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers
from rest_framework.request import Request

from crm.api import examples
from crm.api.authentication import administrator
from crm.api.errors import FORBIDDEN, READING, READING_ONE
from crm.api.pagination import LastAskedFirst
from crm.api.resource import Resource
from crm.api.serializers import MemberSerializer, Shape
from crm.models import Erasure, ErasureReason


class ErasureFilters(serializers.Serializer):
    reason = serializers.ChoiceField(choices=ErasureReason.values, default=ErasureReason.REQUEST.value)


class ErasureSerializer(Shape):
    """That somebody was erased. Whom, nobody knows any more."""

    state = serializers.SerializerMethodField()
    asked_by = MemberSerializer(read_only=True, allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True, help_text="How much went.")

    class Meta:
        model = Erasure
        fields = ["id", "state", "reason", "door", "asked_by", "asked_at", "done_at", "counts"]

    def get_state(self, erasure: Erasure) -> str:
        return "done" if erasure.is_done else "running"


@extend_schema(tags=["contacts"])
@extend_schema_view(
    list=extend_schema(
        summary="List erasures, newest first",
        responses={200: ErasureSerializer(many=True)} | READING | {403: FORBIDDEN},
        examples=[examples.ERASURE],
    ),
    retrieve=extend_schema(
        summary="Show how far an erasure is",
        responses={200: ErasureSerializer} | READING_ONE | {403: FORBIDDEN},
        examples=[examples.ERASURE],
    ),
)
class Erasures(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Erasure.objects.select_related("asked_by__user").defer("addresses")
    serializer_class = ErasureSerializer
    pagination_class = LastAskedFirst

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        administrator(request)
