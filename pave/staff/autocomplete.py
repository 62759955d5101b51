"""Fields of forms that suggest rows while one types."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError


class Autocomplete(AutocompleteSelect):
    """Django's own, which fails where it is given what cannot be the key of any row."""

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        return super().optgroups(name, [key for key in value if self._can_be_key(key)], attrs)

    def _can_be_key(self, key: Any) -> bool:
        try:
            self.field.remote_field.model._meta.pk.clean(key, None)
        except ValidationError:
            return False
        return True
