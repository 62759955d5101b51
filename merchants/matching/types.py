"""The terms in which a heuristic is asked and answers: transactions, merchants, rules, matches."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

NO_NAME = "n/a"


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a client tells about one card transaction; only the description is required."""

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
    evidence: tuple[str, ...] = ()  # how it was found; stored, so without words of the text


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two transactions the same question: those with one key have one answer.

    Args:
        text: Equal for such transactions. It is stored as a digest unless it is shared.
        shared: Whether one answer may serve all clients. Only where neither the text nor the
            answer holds words of a client's own; the time of an answer would also tell one client
            what another has asked.
    """

    text: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueMerchant:
    """What the matcher needs of a merchant; `countries` empty: anywhere."""

    id: str
    name: str
    website: str = ""
    mccs: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    category: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchRule:
    """A rule of the staff on the cleaned descriptor; empty conditions fit every transaction."""

    id: str
    kind: str  # exact | prefix | contains | regex
    pattern: str
    merchant_id: str | None  # None: "no merchant"
    priority: int = 0
    mcc: str = ""
    country: str = ""
    intermediary: str = ""
