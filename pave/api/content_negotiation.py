"""The API responds with JSON, whatever the client accepts."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONAlways(DefaultContentNegotiation):
    """Picks the parser by the body's type, and always the view's first renderer.

    A client that asks for something else is better served by a JSON answer than by 406.
    """

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        """Return the first renderer and its media type."""
        first = next(iter(renderers))
        return first, first.media_type
