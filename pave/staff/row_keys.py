"""Keys of rows in what browsers send: Django's admin fails for what is no key of the table."""

from django.core.exceptions import ValidationError
from django.db.models import Model


def can_be_key(model: type[Model], text: str) -> bool:
    """Return whether a row of ``model`` could have ``text`` for its primary key."""
    try:
        model._meta.pk.clean(text, None)
    except ValidationError:
        return False
    return "\0" not in text  # which no text in PostgreSQL has
