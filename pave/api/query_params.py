"""Serializers of query parameters, as strict as those of bodies."""

import datetime
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from pave.api.exceptions import ParameterError
from pave.api.fields import DescribedField, TextField, TimestampField
from pave.api.pagination import MAX_PAGE_SIZE, PAGE_SIZE


class TimestampOrDateField(TimestampField):
    """A time in RFC 3339 format; a date alone stands for its start in UTC."""

    described = {
        "type": "string",
        "anyOf": [{"type": "string", "format": form} for form in ("date-time", "date")],
    }

    default_error_messages = {
        "invalid": "Must be a time with its offset, such as 2026-11-20T00:00:00Z, or a date."
    }

    def to_internal_value(self, data: Any) -> datetime.datetime:
        """Return the time."""
        # A plus sign that was not escaped arrives as a space.
        text = str(data).replace(" ", "+")
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII)
        return super().to_internal_value(f"{text}T00:00:00Z" if is_date else text)


class IdField(DescribedField):
    """The id of an object."""

    described = {"type": "string", "format": "uuid"}

    default_error_messages = {"invalid": "Must be an id from Pave, which is a UUID."}

    def to_internal_value(self, data: Any) -> UUID:
        """Return the id."""
        try:
            return UUID(data)
        except (ValueError, TypeError, AttributeError):
            self.fail("invalid")
            raise  # not reached: ``fail`` raises


class OneOfField(TextField):
    """One of a few words.

    Args:
        words: The valid words.
        component: Their name in the description.
    """

    default_error_messages = {"unknown": "Must be one of: {words}."}

    def __init__(self, *, words: Sequence[str], component: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words
        self.described = {"type": "string", "enum": [str(word) for word in words]}
        self.component = component

    def to_internal_value(self, data: str) -> str:
        """Return the word."""
        word = super().to_internal_value(data)
        if word not in self.words:
            self.fail("unknown", words=", ".join(self.words))
        return word


class LimitField(TextField):
    """The number of rows per page, validated by the pagination."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=1000, **kwargs)
        self.described = {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_PAGE_SIZE,
            "default": PAGE_SIZE,
        }


class PageQuery(serializers.Serializer):
    """Query parameters of every list, validated by the pagination; subclasses add filters."""

    cursor = TextField(
        required=False,
        max_length=1000,
        help_text="The `next_cursor` or `previous_cursor` of a page of this list.",
    )
    limit = LimitField(required=False, help_text="Rows per page.")


class CreatedQuery(PageQuery):
    """Query parameters of a list whose rows have ``created_at`` and ids that begin with it."""

    created_after = TimestampOrDateField(
        required=False, help_text="At or after this time or day (UTC)."
    )
    created_before = TimestampOrDateField(
        required=False, help_text="Before this time or day (UTC)."
    )


def read_query(request: Request, serializer_class: type[serializers.Serializer]) -> dict[str, Any]:
    """Return the query's values.

    Raises:
        ParameterError: A parameter is unknown, repeated, or invalid.
    """
    serializer = serializer_class(data=request.query_params.dict())
    errors: dict[str, Any] = {}
    for name, values in request.query_params.lists():
        if name not in serializer.fields:
            errors[name] = "Is not a parameter of this route."
        elif len(values) > 1:
            errors[name] = "Is given more than once."
    if not serializer.is_valid():
        errors = {**serializer.errors, **errors}
    if errors:
        raise ParameterError(errors)
    return serializer.validated_data
