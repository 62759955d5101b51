"""Columns that are encrypted at rest."""

import json
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import cached_property
from encrypted_fields import fields


class EncryptedTextField(fields.EncryptedTextField):
    """Text encrypted with the first of ``FIELD_ENCRYPTION_KEYS``, which all decrypt.

    The library derives its keys from ``SECRET_KEY``; here they are Fernet keys of their own, so
    that either can be changed without the other.
    """

    @cached_property
    def keys(self) -> list[bytes]:
        """The Fernet keys, as the library's mixin wants them."""
        return [key.encode() for key in settings.FIELD_ENCRYPTION_KEYS]

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Decrypt ``value``.

        Raises:
            ImproperlyConfigured: None of the keys decrypts it. (The library would hand out the
                encrypted text, and messages would be signed with that.)
        """
        if value is None:
            return None
        try:
            return self.f.decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"No key in FIELD_ENCRYPTION_KEYS decrypts {self.model.__name__}.{self.name}."
            ) from error

    def to_python(self, value: Any) -> Any:
        """Return ``value``: it is in the clear unless it comes from the database."""
        return value


class EncryptedJSONField(EncryptedTextField):
    """A JSON value, encrypted as text."""

    def get_prep_value(self, value: Any) -> Any:
        """Encode and encrypt."""
        return super().get_prep_value(None if value is None else json.dumps(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """Decrypt and decode."""
        text = super().from_db_value(value, expression, connection)
        return None if text is None else json.loads(text)
