"""What every resource has in common."""

from typing import Any

from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from crm.api.parsing import StrictJSONParser
from tenants import clock


class Resource(GenericViewSet):
    """A viewset whose moment is read once, at the door, and handed to everything it calls."""

    parser_classes = [StrictJSONParser]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        self.now = clock.now()
        super().initial(request, *args, **kwargs)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": getattr(self, "now", None)}

    def given(self, serializer_class: type[Serializer], data: Any = None, **kwargs: Any) -> Any:
        """The request's body (or `data`) as the serializer understands it. Raises ValidationError: 400."""
        given = self.request.data if data is None else data
        serializer = serializer_class(data=given, context=self.get_serializer_context(), **kwargs)
        serializer.is_valid(raise_exception=True)
        return serializer

    def asked_for(self, filters: type[Serializer]) -> Any:
        """The filters of the address. Raises ValidationError for a value that means nothing."""
        return self.given(filters, self.request.query_params.dict())
