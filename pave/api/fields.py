"""Strict serializer fields, which also define their schema in the API's description."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import iso18245
import pycountry
from rest_framework import serializers

from pave.api.body_parsers import Number
from pave.core.time_text import time_text

_SURROGATE = re.compile("[\ud800-\udfff]")
# Enough for any card payment in any currency.
MAX_AMOUNT_DIGITS = 12
MAX_AMOUNT_DECIMALS = 8
# The countries that cards are used in, and Kosovo, which has no official code.
COUNTRIES = {country.alpha_2 for country in pycountry.countries} | {"XK"}
CURRENCIES = {currency.alpha_3 for currency in pycountry.currencies}
# No NUL, which PostgreSQL cannot store; and for required text, not only white space.
ANY_TEXT = r"^[^\u0000]*$"
SOME_TEXT = r"^[^\u0000]*[^\u0000\s\u0085\u001c-\u001f][^\u0000]*$"
# Of a serializer: its own names Python's types.
NOT_AN_OBJECT: dict[str, Any] = {"invalid": "This must be a JSON object."}


class DescribedField(serializers.Field):
    """A field that defines its own schema in the API's description.

    ``described`` is its whole schema, except for null. With a ``component`` name the schema is
    shared under that name, and generated clients have one type for it.
    """

    described: dict[str, Any] = {}
    component = ""


class TextField(DescribedField, serializers.CharField):
    """Text that every part of Pave can store and send: no NUL, no lone surrogates.

    Unlike REST framework's field it refuses numbers and keeps white space.
    """

    default_error_messages = {
        "invalid": "Must be a string.",
        "nul": "Must not contain NUL characters.",
        "surrogate": "Must not contain lone surrogates: they are no characters.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)
        self.described = {
            "type": "string",
            **({} if self.allow_blank else {"minLength": 1}),
            **({"maxLength": self.max_length} if self.max_length else {}),
            "pattern": ANY_TEXT if self.allow_blank else SOME_TEXT,
        }

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the text, or refuse it."""
        if data is not serializers.empty and data is not None:
            if type(data) is not str:
                self.fail("invalid")
            if "\x00" in data:
                self.fail("nul")
            if _SURROGATE.search(data):
                self.fail("surrogate")
            if not self.allow_blank and not data.strip():
                self.fail("blank")
        return super().run_validation(data)


class AmountField(DescribedField):
    """A sum of money: a string with a plain decimal number, or a JSON number.

    It is returned in the digits in which it was sent, so it is kept as text. A JSON number may be
    written as 1e2 and may have floating-point noise; digits beyond the eighth decimal are rounded
    off.
    """

    default_error_messages = {
        "invalid": 'Must be a decimal number, such as "12.99".',
        "digits": f"Must have no more than {MAX_AMOUNT_DIGITS} digits before the point and "
        f"{MAX_AMOUNT_DECIMALS} after it.",
    }
    described = {
        "anyOf": [
            {
                "type": "string",
                "pattern": rf"^-?[0-9]{{1,{MAX_AMOUNT_DIGITS}}}"
                rf"(\.[0-9]{{1,{MAX_AMOUNT_DECIMALS}}})?$",
            },
            {
                "type": "number",
                "exclusiveMinimum": -(10**MAX_AMOUNT_DIGITS),
                "exclusiveMaximum": 10**MAX_AMOUNT_DIGITS,
            },
        ]
    }
    _plain = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

    def to_internal_value(self, data: Any) -> str:
        """Return the number's plain digits."""
        if isinstance(data, Number):
            return self._number(data)
        if not isinstance(data, str) or not self._plain.fullmatch(data):
            self.fail("invalid")
        whole, _, decimals = data.lstrip("-").partition(".")
        if len(whole) > MAX_AMOUNT_DIGITS or len(decimals) > MAX_AMOUNT_DECIMALS:
            self.fail("digits")
        return data

    def to_representation(self, value: str) -> str:
        """Return the digits."""
        return value

    def _number(self, data: Number) -> str:
        # Parsing much longer ones would only cost time.
        try:
            amount = Decimal(data) if len(data) <= 400 else Decimal("Infinity")
            fits = abs(amount) < 10**MAX_AMOUNT_DIGITS
        except ArithmeticError:  # 1e1000000: beyond the decimal context
            fits = False
        if not fits:
            self.fail("digits")
        if amount.as_tuple().exponent < -MAX_AMOUNT_DECIMALS:  # type: ignore[operator]  # finite, so a number
            amount = round(amount, MAX_AMOUNT_DECIMALS).normalize()
        return format(amount, "f")


class DateField(DescribedField):
    """A calendar date as RFC 3339 has it, such as 2021-10-03."""

    described = {"type": "string", "format": "date"}
    default_error_messages = {"invalid": "Must be a date in the form YYYY-MM-DD."}

    def to_internal_value(self, data: Any) -> date:
        """Return the date."""
        if type(data) is not str or not re.fullmatch(r"\d{4}-\d\d-\d\d", data, re.ASCII):
            self.fail("invalid")
        try:
            return date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
            raise  # not reached: ``fail`` raises

    def to_representation(self, value: date) -> str:
        """Return the date's text."""
        return value.isoformat()


class CodeField(TextField):
    """A code of a standard's list, in upper case or not.

    Args:
        codes: The list.
        expected: What it is a list of, for the error.
        component: The list's name in the description.
    """

    default_error_messages = {"unknown": "Must be {expected}."}

    def __init__(self, *, codes: set[str], expected: str, component: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._codes = codes
        self._expected = expected
        self.described = {"type": "string", "enum": sorted(codes)}
        self.component = component

    def to_internal_value(self, data: str) -> str:
        """Return the code in upper case."""
        code = super().to_internal_value(data)
        if code.isascii():  # ß would become SS, which is South Sudan
            code = code.upper()
        if code not in self._codes:
            self.fail("unknown", expected=self._expected)
        return code


def currency_field(**kwargs: Any) -> CodeField:
    """Return a field for a currency."""
    expected = "a currency code of ISO 4217, such as USD"
    return CodeField(codes=CURRENCIES, expected=expected, component="Currency", **kwargs)


def country_field(**kwargs: Any) -> CodeField:
    """Return a field for a country."""
    expected = "a country code of ISO 3166-1 alpha-2, such as US"
    return CodeField(codes=COUNTRIES, expected=expected, component="Country", **kwargs)


def mcc_field(**kwargs: Any) -> CodeField:
    """Return a field for a merchant category code."""
    expected = "a merchant category code of ISO 18245, such as 5814"
    return CodeField(codes=mccs(), expected=expected, component="Mcc", **kwargs)


def mccs() -> set[str]:
    """Return the merchant category codes that there are."""
    return {mcc.mcc for mcc in iso18245.get_all_mccs()}


class IntegerField(DescribedField):
    """A whole JSON number; a string that looks like one is not."""

    default_error_messages = {
        "invalid": "Must be a whole number.",
        "range": "Must be from {min_value} to {max_value}.",
    }

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._min_value = min_value
        self._max_value = max_value
        self.described = {"type": "integer", "minimum": min_value, "maximum": max_value}

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        # The parser leaves numbers as they were written, in a type of their own.
        if not isinstance(data, Number) or not re.fullmatch(r"-?\d+(\.0+)?", data):
            self.fail("invalid")
        # Twenty digits are out of any range here; more need not be read.
        number = int(data.partition(".")[0][:20])
        if not self._min_value <= number <= self._max_value:
            self.fail("range", min_value=self._min_value, max_value=self._max_value)
        return number

    def to_representation(self, value: int) -> int:
        """Return the number."""
        return value


class BooleanField(DescribedField):
    """true or false, and no value that merely resembles them."""

    described = {"type": "boolean"}
    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        """Return the value."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data

    def to_representation(self, value: bool) -> bool:
        """Return the value."""
        return value


class TimestampField(DescribedField):
    """A time as RFC 3339 has it, with its offset from UTC."""

    described = {"type": "string", "format": "date-time"}
    default_error_messages = {
        "invalid": "Must be a time with its offset from UTC, such as 2026-11-24T08:30:00Z."
    }

    def to_internal_value(self, data: Any) -> datetime:
        """Return the time, in UTC."""
        pattern = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
        if type(data) is not str or not re.fullmatch(pattern, data, re.ASCII):
            self.fail("invalid")
        try:
            return datetime.fromisoformat(data.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")
            raise  # not reached: ``fail`` raises

    def to_representation(self, value: datetime | str) -> str:
        """Return the time as text; text is returned unchanged."""
        return value if isinstance(value, str) else time_text(value)


class ShownTextField(DescribedField):
    """Text in a response; if it is nullable, an empty text becomes null.

    Args:
        words: The present words. They are listed as ``x-extensible-enum``, which generated clients
            treat as plain text: a new word must not break them. An ``anyOf`` of enum and string is
            no better: in TypeScript the type collapses to ``string``, and in Python it is a union
            to be distinguished at each use.
        format: As in JSON Schema.
    """

    def __init__(self, *, words: Iterable[str] = (), format: str = "", **kwargs: Any) -> None:  # noqa: A002 - the description's own word
        super().__init__(**kwargs)
        self.described = {"type": "string"}
        if listed := [str(word) for word in words]:
            self.described["x-extensible-enum"] = listed
        if format:
            self.described["format"] = format

    def to_representation(self, value: str) -> str | None:
        """Return the text."""
        return value or (None if self.allow_null else "")


class ConstField(DescribedField):
    """A constant member of a response, which identifies its type."""

    def __init__(self, value: str | bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._value = value
        kind = "boolean" if isinstance(value, bool) else "string"
        self.described = {"type": kind, "const": value}

    def get_attribute(self, instance: object) -> str | bool:
        """Return the constant, whatever the instance."""
        return self._value

    def to_representation(self, value: str | bool) -> str | bool:
        """Return the value."""
        return value
