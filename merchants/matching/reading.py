"""What is read from one transaction's own text, and stored with it.

A reading is made of its request's text alone, never shared between transactions, and erased with
its request. `docs/matching.md` explains each part.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from merchants.matching.booking.channel import CHANNELS, channel_of, is_phone
from merchants.matching.booking.counterparties import (
    Counterparty,
    counterparties_of,
    marketplace_of,
)
from merchants.matching.booking.kind import KINDS, kind_of
from merchants.matching.descriptor.city_spelling import spelled_city
from merchants.matching.descriptor.parser import Descriptor, parse
from merchants.matching.types import Transaction

__all__ = ["Counterparty", "Reading", "read"]

_KINDS_AT_SHOPS = frozenset({"purchase", "refund"})  # elsewhere the number is a machine's
_STORE_NUMBER = re.compile(
    r"(?:(?:ST|STORE|SHOP|LOC|UNIT|BR|FIL(?:IALE)?|STR|TRM|NO|NR)[\s.:-]?\s?)?\#?-?\s?"
    r"([A-Z]{0,2}-?(?:0\d{1,8}|\d{1,6})|\d{1,4}-\d{1,3}|(?:\d{4}|\d{1,2})-\d{4})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one descriptor says; missing parts are empty."""

    descriptor: str = ""  # the merchant as printed, without everything else
    intermediary: str | None = None  # the processor in front
    store_number: str = ""
    address: str = ""  # the street
    city: str = ""  # in its usual spelling
    region: str = ""  # as in ISO 3166-2 after the dash: CA
    country: str = ""  # alpha-2
    postal_code: str = ""
    phone: str = ""
    domain: str = ""
    kind: str = "unknown"
    channel: str = "unknown"
    channel_basis: str = ""  # why, in Pave's own words
    counterparties: tuple[Counterparty, ...] = ()  # others who took part

    def to_json(self) -> dict[str, Any]:
        """As it is stored, without empty members."""
        stored = {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        if self.counterparties:
            stored["counterparties"] = [
                {"type": party.type, "name": party.name} for party in self.counterparties
            ]
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> "Reading":
        """The reading that `to_json` stored, without members of other releases; empty for None."""
        stored = stored or {}
        values = {
            field.name: value
            for field in fields(cls)
            if field.name != "counterparties" and isinstance(value := stored.get(field.name), str)
        }
        if values.get("kind") not in KINDS:
            values.pop("kind", None)
        if values.get("channel") not in CHANNELS:
            values.pop("channel", None)
        counterparties = stored.get("counterparties")
        return cls(
            **values,
            counterparties=tuple(
                Counterparty(party["type"], party.get("name"))
                for party in (counterparties if isinstance(counterparties, list) else ())
                if isinstance(party, dict) and isinstance(party.get("type"), str)
            ),
        )

    def evidence(self) -> list[str]:
        """What was read, line by line, for staff."""
        region = f"{self.country}-{self.region}" if self.region else self.country
        channel = f"{self.channel} ({self.channel_basis})" if self.channel_basis else self.channel
        lines = {
            "intermediary": self.intermediary,
            "store number": self.store_number,
            "address": self.address,
            "place": ", ".join(filter(None, (self.city, region))),
            "postal code": self.postal_code,
            "phone": self.phone,
            "domain": self.domain,
            "kind": self.kind,
            "channel": channel,
        }
        return [f"{name}: {value}" for name, value in lines.items() if value]


def read(transaction: Transaction) -> Reading:
    """Read a transaction's text. Never raises for any text."""
    arguments = (transaction.description, transaction.country.upper(), transaction.city)
    descriptor = parse(*arguments)
    kind = kind_of(descriptor, transaction.mcc)
    if kind.has_no_location or _city_may_be_seller(descriptor, transaction.city):
        descriptor = parse(*arguments, without_location=True)
    store_number = ""
    if kind.kind in _KINDS_AT_SHOPS and descriptor.store_number != descriptor.postal_code:
        match = _STORE_NUMBER.fullmatch(descriptor.store_number)
        store_number = match[1] if match else ""
    channel = channel_of(descriptor, kind, store_number)
    city, region = descriptor.city, descriptor.region
    return Reading(
        descriptor=descriptor.text,
        intermediary=descriptor.intermediary,
        store_number=store_number,
        address=descriptor.street,
        city=spelled_city(city, region, descriptor.country) if city else "",
        region=region.partition("-")[2],
        country=descriptor.country,
        postal_code=descriptor.postal_code,
        # Not masked numbers (XXX-XX55611).
        phone=descriptor.phone
        if is_phone(descriptor) and "X" not in descriptor.phone.upper()
        else "",
        domain=descriptor.domain,
        kind=kind.kind,
        channel=channel.name,
        channel_basis=channel.basis,
        counterparties=tuple(counterparties_of(descriptor, kind)),
    )


def _city_may_be_seller(descriptor: Descriptor, city: str) -> bool:
    """Whether a city right after a marketplace's name may be the seller: ALIEXPRESS ACME."""
    only_one_word = len(descriptor.words) == 1 and bool(descriptor.possible_countries) and not city
    return only_one_word and bool(marketplace_of(descriptor))
