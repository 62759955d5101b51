"""All that is read from one transaction's own text, as it is stored with it.

Nothing here is shared between transactions: a reading is made of its request's text alone, and is
erased with it. `docs/matching.md` says what each part rests on.
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

_AT_SHOPS = frozenset({"purchase", "refund"})  # a machine's number is no store's
_STORE_NUMBER = re.compile(
    r"(?:(?:ST|STORE|SHOP|LOC|UNIT|BR|FIL(?:IALE)?|STR|TRM|NO|NR)[\s.:-]?\s?)?\#?-?\s?"
    r"([A-Z]{0,2}-?(?:0\d{1,8}|\d{1,6})|\d{1,4}-\d{1,3}|(?:\d{4}|\d{1,2})-\d{4})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one descriptor says; a part that it does not say is empty."""

    descriptor: str = ""  # the merchant as printed, without everything else
    intermediary: str | None = None  # the processor in front
    store_number: str = ""
    address: str = ""  # the street
    city: str = ""  # written well
    region: str = ""  # as ISO 3166-2 has it behind the dash: CA
    country: str = ""  # alpha-2
    postal_code: str = ""
    phone: str = ""
    domain: str = ""
    kind: str = "unknown"
    channel: str = "unknown"
    channel_basis: str = ""  # the sign it rests on, in Pave's words
    counterparties: tuple[Counterparty, ...] = ()  # whom the text shows besides the merchant

    def to_json(self) -> dict[str, Any]:
        """As it is stored; members that say nothing are left out."""
        stored = {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        if self.counterparties:
            stored["counterparties"] = [
                {"type": other.type, "name": other.name} for other in self.counterparties
            ]
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> "Reading":
        """What `to_json` stored, also of a release with other members; None gives an empty one."""
        stored = stored or {}
        known = {
            field.name: value
            for field in fields(cls)
            if field.name != "counterparties" and isinstance(value := stored.get(field.name), str)
        }
        if known.get("kind") not in KINDS:
            known.pop("kind", None)
        if known.get("channel") not in CHANNELS:
            known.pop("channel", None)
        others = stored.get("counterparties")
        return cls(
            **known,
            counterparties=tuple(
                Counterparty(other["type"], other.get("name"))
                for other in (others if isinstance(others, list) else ())
                if isinstance(other, dict) and isinstance(other.get("type"), str)
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
    """All that the transaction's text says. Never raises for any text."""
    given = (transaction.description, transaction.country.upper(), transaction.city)
    descriptor = parse(*given)
    kind = kind_of(descriptor, transaction.mcc)
    if kind.has_no_location or _may_be_a_seller(descriptor, transaction.city):
        descriptor = parse(*given, without_location=True)
    number = ""
    if kind.kind in _AT_SHOPS and descriptor.store_number != descriptor.postal_code:
        found = _STORE_NUMBER.fullmatch(descriptor.store_number)
        number = found[1] if found else ""
    channel = channel_of(descriptor, kind, number)
    city, region = descriptor.city, descriptor.region
    return Reading(
        descriptor=descriptor.text,
        intermediary=descriptor.intermediary,
        store_number=number,
        address=descriptor.street,
        city=spelled_city(city, region, descriptor.country) if city else "",
        region=region.partition("-")[2],
        country=descriptor.country,
        postal_code=descriptor.postal_code,
        # Masked numbers (XXX-XX55611) are nobody's.
        phone=descriptor.phone
        if is_phone(descriptor) and "X" not in descriptor.phone.upper()
        else "",
        domain=descriptor.domain,
        kind=kind.kind,
        channel=channel.name,
        channel_basis=channel.basis,
        counterparties=tuple(counterparties_of(descriptor, kind)),
    )


def _may_be_a_seller(descriptor: Descriptor, city: str) -> bool:
    """Whether the town right behind a marketplace's name may be who sold there: ALIEXPRESS ACME."""
    alone = len(descriptor.words) == 1 and bool(descriptor.possible_countries) and not city
    return alone and bool(marketplace_of(descriptor))
