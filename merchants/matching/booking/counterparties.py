"""Who else took part, as the text shows: marketplaces, processors, wallets, the bank, a person.

Names are Pave's own words for them, never the client's text; a person has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from merchants.matching.booking.channel_phrases import WALLETS
from merchants.matching.booking.kind import Kind
from merchants.matching.descriptor.marketplaces import MARKETPLACES
from merchants.matching.descriptor.parser import Descriptor, is_noise
from merchants.matching.text.normalize import words_of
from merchants.matching.text.word_lists import word_set

TYPES = ("marketplace", "processor", "wallet", "bank", "person")


@dataclass(frozen=True, slots=True)
class Counterparty:
    """Somebody who took part; `type` is marketplace, processor, wallet, bank or person."""

    type: str
    name: str | None = None


# Processors in which customers keep money or cards; pay-later services are processors.
_WALLETS = frozenset(
    {
        "PayPal", "Venmo", "Cash App", "Vipps", "MobilePay", "Swish", "PhonePe", "Paytm", "PicPay",
        "Mercado Pago", "Satispay", "Amazon Pay",
    }
)  # fmt: skip
# Who brings what a shop behind the name sold; without a shop they are the merchant alone.
_DELIVERY = {
    "DoorDash": "doordash, dd doordash",
    "Uber Eats": "uber eats, ubereats",
    "Deliveroo": "deliveroo, deliveroocouk",
    "Grubhub": "grubhub, grubhubcom",
    "Just Eat": "just eat, justeat, justeatcouk",
    "Instacart": "instacart, ic instacart",
    "Postmates": "postmates",
    "Seamless": "seamless, seamlss",
    "iFood": "ifood, ifd",
    "Rappi": "rappi",
    "Swiggy": "swiggy",
    "Zomato": "zomato",
    "Lieferando": "lieferando, lieferandode",
    "Thuisbezorgd": "thuisbezorgd, thuisbezorgdnl",
    "Wolt": "wolt",
    "Glovo": "glovo",
    "foodpanda": "foodpanda",
    "Menulog": "menulog",
    "SkipTheDishes": "skipthedishes, skip the dishes",
    "Caviar": "caviar",
    "Talabat": "talabat",
    "Too Good To Go": "too good to go, toogoodtogo",
}
# Behind a delivery service these are its own words, no shop's.
_NO_SHOP = word_set(
    """eats trip pending help order orders online delivery dashpass pass plus one pro prime gold
    subscription subscr membership member fee tip wallet express food com www gift card cards inc
    ltd limited llc bv gmbh sa uk us ca au de fr nl es it br in mx ie ae usa canada india brasil
    colombia mexico helpubercom ubercom doordashcom"""
)


def _by_first(
    names: dict[str, str], delivery: bool
) -> dict[str, list[tuple[list[str], str, bool]]]:
    found: dict[str, list[tuple[list[str], str, bool]]] = {}
    for name, phrases in names.items():
        for phrase in phrases.split(","):
            words = words_of(phrase)
            found.setdefault(words[0], []).append((words, name, delivery))
    return found


_SELLERS = {**_by_first(MARKETPLACES, delivery=False)}
for _first, _entries in _by_first(_DELIVERY, delivery=True).items():
    _SELLERS.setdefault(_first, []).extend(_entries)


def counterparties_of(descriptor: Descriptor, kind: Kind) -> Iterator[Counterparty]:
    """Everybody besides the merchant of whom the text speaks."""
    if kind.kind in ("fee", "interest"):
        yield Counterparty("bank")
        return
    if kind.kind in ("purchase", "refund") and (marketplace := marketplace_of(descriptor)):
        yield Counterparty("marketplace", marketplace)
    who = descriptor.intermediary
    if who:
        yield Counterparty("wallet" if who in _WALLETS else "processor", who)
    for wallet in WALLETS:
        if wallet in kind.found.senses and wallet != who:
            yield Counterparty("wallet", wallet)
    if kind.person:
        yield Counterparty("person")


def marketplace_of(descriptor: Descriptor) -> str:
    """The marketplace or delivery service through which another one sold; "" if none is printed."""
    words = list(descriptor.words)
    for phrase, name, delivery in _SELLERS.get(words[0], ()) if words else ():
        if words[: len(phrase)] != phrase:
            continue
        behind = words[len(phrase) :]
        if not delivery or _is_shop([word for word in behind if word not in phrase]):
            return name
    return ""


def _is_shop(words: list[str]) -> bool:
    """Whether words behind a delivery service name a shop, not an order or the service's own."""
    named = [word for word in words if word not in _NO_SHOP and word.isalpha()]
    return bool(named) and not is_noise(" ".join(named))
