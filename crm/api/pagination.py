from typing import Any

from django.core.exceptions import ValidationError as Malformed
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """Pages that stay right while rows arrive. A view whose order is another one names a subclass."""

    ordering: Any = ("-created_at", "-id")
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self._model = queryset.model
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The cursor of the address, or 400: REST framework itself hands a made-up position on to the database."""
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                self._refuse_made_up(str(cursor.position))
        except (NotFound, Malformed):
            raise ValidationError({"cursor": [_("Take the cursor from “next” or “previous” as it is.")]}) from None
        return cursor

    def _refuse_made_up(self, position: str) -> None:
        if "\x00" in position:
            raise NotFound
        self._model._meta.get_field(self.ordering[0].removeprefix("-")).to_python(position)


class LastTalkFirst(NewestFirst):
    ordering = ("-last_message_at", "-id")


class LastSaidFirst(NewestFirst):
    ordering = ("-sent_at", "-id")


class ByName(NewestFirst):
    ordering = ("name", "id")


class ByAlias(NewestFirst):
    ordering = ("alias", "id")


class LastAskedFirst(NewestFirst):
    ordering = ("-asked_at", "-id")
