"""The types of a heuristic's interface: transactions, merchants, rules, matches."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

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
