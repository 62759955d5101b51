"""What is read from one transaction's own text. (A stand-in until the reader's branch lands.)"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merchants.descriptor import parse
from merchants.question import Transaction

KINDS = (
    "purchase", "refund", "transfer", "person_to_person", "cash", "fee", "interest", "salary",
    "bill_payment", "tax", "unknown",
)  # fmt: skip
CHANNELS = ("in_store", "online", "unknown")
COUNTERPARTY_TYPES = ("marketplace", "processor", "wallet", "bank", "person")


@dataclass(frozen=True, slots=True)
class Counterparty:
    type: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    descriptor: str = ""
    intermediary: str | None = None
    store_number: str = ""
    address: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""
    phone: str = ""
    domain: str = ""
    kind: str = "unknown"
    channel: str = "unknown"
    channel_basis: str = ""
    counterparties: tuple[Counterparty, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"descriptor": self.descriptor, "intermediary": self.intermediary}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Reading":
        return cls(**(stored or {}))

    def evidence(self) -> list[str]:
        return []


def read(transaction: Transaction) -> Reading:
    d = parse(transaction.description, transaction.country.upper(), transaction.city)
    return Reading(descriptor=d.text, intermediary=d.intermediary)
