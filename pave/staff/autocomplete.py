"""Fields of forms that suggest rows while one types."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect

from pave.staff.row_keys import can_be_key


class Autocomplete(AutocompleteSelect):
    """Django's own, which fails where it is given what cannot be the key of any row."""

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        model = self.field.remote_field.model
        return super().optgroups(name, [key for key in value if can_be_key(model, key)], attrs)
