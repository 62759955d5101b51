"""Lists, page by page."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response


class NewestFirst(CursorPagination):
    """Pages of rows, newest first, that stay right while rows are added.

    A page is ``{"data": [...], "next_cursor": …, "previous_cursor": …}``; a cursor goes back
    into the query as ``cursor``, and is null where there is no such page. ``limit`` sets the
    page's length.
    """

    ordering = "-id"  # ids begin with the time
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    cursor_query_param = "cursor"

    def decode_cursor(self, request: Request) -> Any:
        """Return the cursor's position.

        Raises:
            ValidationError: It is none that Pave gave out.
        """
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            raise ValidationError(
                {"cursor": "This is not a cursor of this list; leave it out to start anew."}
            ) from error

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page."""
        return Response(
            {
                "data": data,
                "next_cursor": _cursor(self.get_next_link()),
                "previous_cursor": _cursor(self.get_previous_link()),
            }
        )


def _cursor(link: str | None) -> str | None:
    return parse_qs(urlsplit(link).query)["cursor"][0] if link else None
