"""Lists, page by page."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.db.models import Max, Min
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from pave.api.exceptions import ParameterError

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
# A response that fits into the kernel's buffer keeps no thread waiting for a client that does not
# read it, and no place among the requests in progress. Of 240 KB with Linux's own
# net.core.wmem_max, whatever pave/gunicorn.py asks for.
MAX_PAGE_BYTES = 200_000
# What REST framework reads from a cursor that names nothing; one of Pave's always does.
_TOP = Cursor(offset=0, reverse=False, position=None)
# REST framework writes each of these in six bytes instead of three.
_ESCAPED = re.compile("[\u2028\u2029]")


def count_within_page(objects: Iterable[Any]) -> int:
    """Return how many of the objects, one at least, have ``MAX_PAGE_BYTES`` in JSON together."""
    size = count = 0
    for shown in objects:
        text = json.dumps(shown, ensure_ascii=False, default=str)
        size += len(_ESCAPED.sub(6 * "x", text).encode())
        if count and size > MAX_PAGE_BYTES:
            break
        count += 1
    return count


class Pages(CursorPagination):
    """Pages of rows that stay correct while rows are added.

    A page is ``{"data": [...], "next_cursor": …, "previous_cursor": …}``; a cursor goes back
    into the query as ``cursor``, and is null where there is no such page. ``limit`` sets the
    page's length; it ends sooner at ``MAX_PAGE_BYTES``. Subclasses define the order.
    """

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "limit"
    cursor_query_param = "cursor"

    def decode_cursor(self, request: Request) -> Any:
        """Return the cursor's position.

        Raises:
            ParameterError: It is not a cursor from Pave.
        """
        try:
            cursor = super().decode_cursor(request)
            if cursor == _TOP and request.query_params[self.cursor_query_param]:
                raise ValueError("It names no position.")
            if cursor is not None and cursor.position is not None:
                self.check_position(str(cursor.position))
        except (NotFound, ValueError) as error:
            raise ParameterError(
                {"cursor": "This is not a cursor of this list; omit it to start at the top."}
            ) from error
        return cursor

    def get_page_size(self, request: Request) -> int:
        """Return the page's length.

        Raises:
            ParameterError: ``limit`` is not from 1 to ``MAX_PAGE_SIZE``.
        """
        limit = request.query_params.get(self.page_size_query_param)
        if limit is None:
            return self.page_size
        if not re.fullmatch(r"[1-9]\d{0,3}", limit, re.ASCII) or int(limit) > MAX_PAGE_SIZE:
            raise ParameterError({"limit": f"Must be a whole number from 1 to {MAX_PAGE_SIZE}."})
        return int(limit)

    def check_position(self, position: str) -> None:
        """Raise ValueError for an invalid position."""
        raise NotImplementedError

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return nothing: ``PageQuery`` describes the parameters."""
        return []

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the description of a page."""
        cursor = {
            "type": ["string", "null"],
            "description": "Send it as `cursor`; null if there is no such page.",
            "example": None,
        }
        names = ("data", "next_cursor", "previous_cursor")
        return {
            "type": "object",
            "required": [*names],
            "properties": dict(zip(names, (schema, cursor, cursor), strict=True)),
        }

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page."""
        data = self._shortened(data)
        # By which a cursor skips rows of one name.
        self.page_size = len(data)
        return Response(
            {
                "data": data,
                "next_cursor": _cursor(self.get_next_link()),
                "previous_cursor": _cursor(self.get_previous_link()),
            }
        )

    def _shortened(self, data: Sequence[Any]) -> Sequence[Any]:
        """Return as many of the page's objects as fit, next to the cursor; the rest is a page."""
        backwards = self.cursor is not None and self.cursor.reverse
        rows = self.page or []
        kept = count_within_page(reversed(data) if backwards else data)
        if kept == len(data):
            return data
        if backwards:
            self.has_previous = True
            self.previous_position = self._position(rows[-kept - 1])
            self.page, data = rows[-kept:], data[-kept:]
        else:
            self.has_next = True
            self.next_position = self._position(rows[kept])
            self.page, data = rows[:kept], data[:kept]
        return data

    def _position(self, row: Any) -> str:
        return str(self._get_position_from_instance(row, self.ordering))


class NewestFirst(Pages):
    """Pages of rows whose ids begin with the time, newest first."""

    ordering = "-id"

    def check_position(self, position: str) -> None:
        """Raise ValueError if it is not an id."""
        UUID(position)


class ByName(Pages):
    """Pages of rows by their name."""

    ordering = ("name", "id")
    # Of rows with one name that a cursor steps over.
    offset_cutoff = 1_000_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self._rows = queryset
        return super().paginate_queryset(queryset, request, view)

    def get_next_link(self) -> Any:
        return self._link_within_name(reverse=False) or super().get_next_link()

    def get_previous_link(self) -> Any:
        return self._link_within_name(reverse=True) or super().get_previous_link()

    def _link_within_name(self, *, reverse: bool) -> Any:
        """Return a link to what is beside a page of one name; None where it is not such a one.

        REST framework knows no position there, and where the direction changes, its own skips or
        repeats rows ("a paging artifact").
        """
        rows = self.page or []
        follows = self.has_previous if reverse else self.has_next
        if self.cursor is None or not follows or len({row.name for row in rows}) != 1:
            return None
        edge = rows[0 if reverse else -1]
        if reverse:
            skipped = self._rows.filter(name=edge.name, id__gte=edge.pk)
            before = self._rows.filter(name__gt=edge.name).aggregate(name=Min("name"))
        else:
            skipped = self._rows.filter(name=edge.name, id__lte=edge.pk)
            before = self._rows.filter(name__lt=edge.name).aggregate(name=Max("name"))
        return self.encode_cursor(Cursor(skipped.count(), reverse, before["name"]))

    def check_position(self, position: str) -> None:
        """Raise ValueError for text that cannot be stored."""
        if "\x00" in position:
            raise ValueError(position)
        position.encode()


def _cursor(link: str | None) -> str | None:
    """Return the cursor of a link; the link to the first page has an empty one, or none."""
    return parse_qs(urlsplit(link or "").query).get("cursor", [None])[0]
