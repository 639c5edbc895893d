from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Pages that stay right while rows arrive. Set `ordering` on the view when it is not by creation."""

    ordering = ("-created_at", "-id")
    page_size_query_param = "page_size"
    max_page_size = 200
