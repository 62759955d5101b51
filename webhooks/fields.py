"""Columns that are encrypted at rest."""

import json
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils.functional import cached_property
from encrypted_fields import fields


class Unreadable:
    """An encrypted value that none of the keys decrypts; it looks empty, and is saved as it was.

    So a key that one process lacks stops nothing but the messages of the webhooks that need it.
    """

    ciphertext: str


class UnreadableText(Unreadable, str):
    """In the place of a text."""

    def __new__(cls, ciphertext: str) -> "UnreadableText":
        text = super().__new__(cls, "")
        text.ciphertext = ciphertext
        return text


class UnreadableObject(Unreadable, dict):
    """In the place of a JSON object."""

    def __init__(self, ciphertext: str) -> None:
        super().__init__()
        self.ciphertext = ciphertext


class EncryptedTextField(fields.EncryptedTextField):
    """Text encrypted with the first of ``FIELD_ENCRYPTION_KEYS``, which all decrypt.

    The library derives its keys from ``SECRET_KEY``; here they are Fernet keys of their own, so
    that either can be changed without the other.
    """

    @cached_property
    def keys(self) -> list[bytes]:
        """The Fernet keys, as the library's mixin wants them."""
        return [key.encode() for key in settings.FIELD_ENCRYPTION_KEYS]

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt ``value``."""
        return value.ciphertext if isinstance(value, Unreadable) else super().get_prep_value(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Decrypt ``value``; ``Unreadable`` if no key does.

        The library would hand out the encrypted text, and messages would be signed with that.
        """
        if value is None:
            return None
        try:
            return self.f.decrypt(value.encode()).decode()
        except InvalidToken:
            return UnreadableText(value)

    def to_python(self, value: Any) -> Any:
        """Return ``value``: it is in the clear unless it comes from the database."""
        return value


class EncryptedJSONField(EncryptedTextField):
    """A JSON value, encrypted as text."""

    def get_prep_value(self, value: Any) -> Any:
        """Encode and encrypt."""
        plain = value is None or isinstance(value, Unreadable)
        return super().get_prep_value(value if plain else json.dumps(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """Decrypt and decode."""
        text = super().from_db_value(value, expression, connection)
        if isinstance(text, Unreadable):
            return UnreadableObject(text.ciphertext)
        return None if text is None else json.loads(text)
