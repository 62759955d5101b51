"""Validates transactions like the serializer, at a tenth of its cost.

Plain valid values are accepted here. Any other value goes to the serializer, so that both always
give the same result.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Any

from merchants.api.serializers import (
    DESCRIPTION_LENGTH,
    METADATA_KEY_LENGTH,
    METADATA_PAIRS,
    METADATA_VALUE_LENGTH,
    ReferenceField,
    SeedTransactionSerializer,
)
from pave.api.fields import COUNTRIES, CURRENCIES, TextField, mccs
from pave.core.card_numbers.masking import holds_card_number

_CODES = {"currency": CURRENCIES, "mcc": mccs(), "country": COUNTRIES}
# Amounts that are stored as sent. ("007" and "1e3" are amounts too, but are rewritten.)
_PLAIN_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,8})?")
_PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _NotPlain(Exception):
    """The serializer must validate the value."""


class Checker:
    """Validates transactions one after the other, in any thread.

    Args:
        serializer: Defines the fields, and validates values that are not plain. It is created once,
            since that costs as much as a validation, of which it keeps nothing.
    """

    def __init__(self, serializer: SeedTransactionSerializer) -> None:
        self._serializer = serializer
        self._codes = {name: _CODES[name] for name in _CODES if name in serializer.fields}
        self._texts = {
            name: length
            for name, field in serializer.fields.items()
            if isinstance(field, TextField)
            and type(field) in (TextField, ReferenceField)  # no other's own check is made here
            and field.allow_blank
            and (length := field.max_length)
        }
        self._takes_metadata = "metadata" in serializer.fields
        known = {"description", "amount", "date", "metadata", *self._codes, *self._texts}
        self._others = frozenset(serializer.fields) - known

    def check(self, data: Any) -> dict[str, Any]:
        """Return the model's fields.

        Raises:
            ValidationError: The serializer's own.
        """
        try:
            return self._plain_fields(data)
        except _NotPlain:
            return self._serializer.run_validation(data)

    def _plain_fields(self, data: Any) -> dict[str, Any]:
        if type(data) is not dict or not self._others.isdisjoint(data):
            raise _NotPlain
        get = data.get
        description = _plain_text(get("description"), DESCRIPTION_LENGTH)
        if description is None or not description.strip():
            raise _NotPlain
        fields: dict[str, Any] = {"description": description}
        if (amount := get("amount")) is not None:
            if not isinstance(amount, str) or not _PLAIN_AMOUNT.fullmatch(amount):
                raise _NotPlain
            fields["amount"] = str(amount)
        if (day := get("date")) is not None:
            fields["date"] = _plain_date(day)
        for name, codes in self._codes.items():
            if (code := get(name)) is not None:
                if type(code) is not str or code not in codes:
                    raise _NotPlain
                fields[name] = code
        for name, length in self._texts.items():
            if (text := _plain_text(get(name), length)) is not None:
                fields[name] = text
        given = get("metadata") if self._takes_metadata else None
        if given is not None and (pairs := _plain_pairs(given)):
            fields["metadata"] = pairs
        if holds_card_number(fields.get("reference", "")):
            raise _NotPlain
        return fields


def _plain_text(value: Any, length: int) -> str | None:
    """Return a text that can be stored and sent as it is, or None for no text."""
    if value is None:
        return None
    if type(value) is not str or len(value) > length or "\x00" in value:
        raise _NotPlain
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _NotPlain from error
    return value


def _plain_pairs(value: Any) -> dict[str, str]:
    if type(value) is not dict or len(value) > METADATA_PAIRS:
        raise _NotPlain
    for key, text in value.items():
        if not (_plain_text(key, METADATA_KEY_LENGTH) or "").strip():
            raise _NotPlain
        if _plain_text(text, METADATA_VALUE_LENGTH) is None:
            raise _NotPlain
    if any(map(holds_card_number, value)):
        raise _NotPlain
    return value


@lru_cache(maxsize=4096)
def _parsed_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _plain_date(value: Any) -> date:
    if type(value) is not str or not _PLAIN_DATE.fullmatch(value):
        raise _NotPlain
    day = _parsed_date(value)
    if day is None:
        raise _NotPlain
    return day
