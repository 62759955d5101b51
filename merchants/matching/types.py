"""The types of a heuristic's interface: transactions, merchants, rules, matches."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

NO_NAME = "n/a"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One card transaction as a client describes it; only the description is required."""

    description: str
    amount: Decimal | None = None
    currency: str = ""
    date: datetime.date | None = None
    mcc: str = ""
    country: str = ""
    city: str = ""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Transaction":
        """Read one from members as clients write them: of JSON, a row, a form.

        Members that it has no field for are passed over, so that those of a later release do no
        harm, and an amount or a date that is none counts as missing. Codes may be in small letters.
        """
        given = {name: value for name in TRANSACTION_FIELDS if (value := members.get(name))}
        for name, read in _READERS.items():
            if name in given:
                given[name] = read(given[name])
        return cls(**{"description": "", **given})


TRANSACTION_FIELDS = tuple(field.name for field in fields(Transaction))


def _amount(value: Any) -> Decimal | None:
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _date(value: Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


_READERS: dict[str, Callable[[Any], Any]] = {
    "amount": _amount,
    "currency": str.upper,
    "date": _date,
    "country": str.upper,
}


class Method(str, Enum):  # noqa: UP042 - the interface names these bases
    """How a match was found."""

    RULE = "rule"
    CATALOGUE = "catalogue"
    FUZZY = "fuzzy"
    CLEANED = "cleaned"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Match:
    """The answer for one transaction."""

    name: str  # "n/a" when method is none
    method: str
    confidence: float  # 0 to 1: the share of such answers that are right
    merchant_id: str | None = None
    descriptor: str = ""
    intermediary: str | None = None
    rule_id: str | None = None
    evidence: tuple[str, ...] = ()  # why; stored and shared, so without words of the text


@dataclass(frozen=True, slots=True)
class Key:
    """A resolution key: transactions with one key have one answer.

    Args:
        text: Equal for such transactions. Stored as a digest unless it is shared.
        shared: Whether one answer serves all clients. Only if neither the text nor the answer holds
            a client's own words: even the speed of an answer would reveal what another asked.
    """

    text: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueMerchant:
    """A merchant of the catalogue, as the matcher needs it; empty `countries` mean anywhere."""

    id: str
    name: str
    website: str = ""
    mccs: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    category: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchRule:
    """A rule by staff on the cleaned descriptor; empty conditions match every transaction."""

    id: str
    kind: str  # exact | prefix | contains | regex
    pattern: str
    merchant_id: str | None  # None: "no merchant"
    priority: int = 0
    mcc: str = ""
    country: str = ""
    intermediary: str = ""
