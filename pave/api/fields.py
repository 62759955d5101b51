"""Fields of serializers that take exactly what the contract says."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import iso18245
import pycountry
from rest_framework import serializers

_SURROGATE = re.compile("[\ud800-\udfff]")
# Twenty digits hold every sum of money there is, eight decimals the finest currency units.
MAX_AMOUNT_DIGITS = 20
MAX_AMOUNT_DECIMALS = 8
# The countries that cards are used in, and Kosovo, which has no official code.
_COUNTRIES = {country.alpha_2 for country in pycountry.countries} | {"XK"}
_CURRENCIES = {currency.alpha_3 for currency in pycountry.currencies}


class TextField(serializers.CharField):
    """Text that every part of Pave can store and send: no NUL, no half characters.

    Other than REST framework's field it takes no numbers, and leaves white space as it is.
    """

    default_error_messages = {
        "invalid": "Must be a string.",
        "nul": "Must not contain NUL characters.",
        "surrogate": "Must not contain lone surrogates: they are no characters.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

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


class AmountField(serializers.Field):
    """A sum of money: a JSON number, or a string with a decimal number.

    It is given back in the digits in which it came, so it is kept as text.
    """

    default_error_messages = {
        "invalid": 'Must be a decimal number, such as "12.99".',
        "digits": f"Must have no more than {MAX_AMOUNT_DIGITS} digits, "
        f"{MAX_AMOUNT_DECIMALS} of them after the point.",
    }

    def to_internal_value(self, data: Any) -> str:
        """Return the number's plain digits."""
        if not isinstance(data, str) or len(data) > 60 or not data.isascii():
            self.fail("digits" if isinstance(data, str) and data[:60].isdigit() else "invalid")
        try:
            amount = Decimal(data)
        except InvalidOperation:
            self.fail("invalid")
        if not amount.is_finite() or "_" in data or data != data.strip():
            self.fail("invalid")
        if amount.adjusted() >= MAX_AMOUNT_DIGITS or amount.adjusted() < -MAX_AMOUNT_DIGITS:
            self.fail("digits")
        text = format(amount, "f")
        whole, _, decimals = text.lstrip("-").partition(".")
        if len(whole) + len(decimals) > MAX_AMOUNT_DIGITS or len(decimals) > MAX_AMOUNT_DECIMALS:
            self.fail("digits")
        return text

    def to_representation(self, value: str) -> str:
        """Return the digits."""
        return value


class DateField(serializers.Field):
    """A calendar date as RFC 3339 has it, such as 2021-10-03."""

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
    """A code of a standard's list, in upper case or not."""

    default_error_messages = {"unknown": "Must be {expected}."}

    def __init__(self, *, codes: set[str], expected: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._codes = codes
        self._expected = expected

    def to_internal_value(self, data: str) -> str:
        """Return the code in upper case."""
        code = super().to_internal_value(data).upper()
        if code not in self._codes:
            self.fail("unknown", expected=self._expected)
        return code


def currency_field(**kwargs: Any) -> CodeField:
    """Return a field for a currency."""
    expected = "a currency code of ISO 4217, such as USD"
    return CodeField(codes=_CURRENCIES, expected=expected, **kwargs)


def country_field(**kwargs: Any) -> CodeField:
    """Return a field for a country."""
    expected = "a country code of ISO 3166-1 alpha-2, such as US"
    return CodeField(codes=_COUNTRIES, expected=expected, **kwargs)


def mcc_field(**kwargs: Any) -> CodeField:
    """Return a field for a merchant category code."""
    expected = "a merchant category code of ISO 18245, such as 5814"
    return CodeField(codes=_mccs(), expected=expected, **kwargs)


def _mccs() -> set[str]:
    return {mcc.mcc for mcc in iso18245.get_all_mccs()}
