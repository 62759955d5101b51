"""Filters of lists that may be very long."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest


class ChosenFilter(SimpleListFilter):
    """Narrows a list to one related object that a link has chosen.

    It lists no other objects, of which there may be thousands; it shows the chosen one, and can be
    cleared.
    """

    def chosen(self, value: str) -> Model | None:
        """Return the object that a value in the URL means."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        obj = self.chosen(value) if value else None
        return [(value, str(obj))] if value and obj is not None else []

    def has_output(self) -> bool:
        return bool(self.lookup_choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        obj = self.chosen(value)
        field = (self.parameter_name or "").split("__")[0]
        return queryset.filter(**{field: obj}) if obj is not None else queryset.none()
