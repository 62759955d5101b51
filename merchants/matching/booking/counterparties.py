"""The counterparties besides the merchant: marketplaces, processors, wallets, the bank, a person.

Their names are Pave's own, never the client's text; a person has none.
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
    """A counterparty; `type` is one of `TYPES`."""

    type: str
    name: str | None = None


# Processors that hold customers' money or cards; pay-later services do not count.
_WALLETS = frozenset(
    {
        "PayPal", "Venmo", "Cash App", "Vipps", "MobilePay", "Swish", "PhonePe", "Paytm", "PicPay",
        "Mercado Pago", "Satispay", "Amazon Pay",
    }
)  # fmt: skip
# Delivery services: marketplaces if a shop's name follows, else the merchant.
_DELIVERY_SERVICES = {
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
# Words after a delivery service that name no shop.
_NOT_A_SHOP = word_set(
    """eats trip pending help order orders online delivery dashpass pass plus one pro prime gold
    subscription subscr membership member fee tip wallet express food com www gift card cards inc
    ltd limited llc bv gmbh sa uk us ca au de fr nl es it br in mx ie ae usa canada india brasil
    colombia mexico helpubercom ubercom doordashcom"""
)


def _by_first_word(
    names: dict[str, str], delivery: bool
) -> dict[str, list[tuple[list[str], str, bool]]]:
    entries: dict[str, list[tuple[list[str], str, bool]]] = {}
    for name, phrases in names.items():
        for phrase in phrases.split(","):
            words = words_of(phrase)
            entries.setdefault(words[0], []).append((words, name, delivery))
    return entries


_SELLING_PLATFORMS = {**_by_first_word(MARKETPLACES, delivery=False)}
for _first, _entries in _by_first_word(_DELIVERY_SERVICES, delivery=True).items():
    _SELLING_PLATFORMS.setdefault(_first, []).extend(_entries)


def counterparties_of(descriptor: Descriptor, kind: Kind) -> Iterator[Counterparty]:
    """All counterparties that the text shows."""
    if kind.kind in ("fee", "interest"):
        yield Counterparty("bank")
        return
    if kind.kind in ("purchase", "refund") and (marketplace := marketplace_of(descriptor)):
        yield Counterparty("marketplace", marketplace)
    intermediary = descriptor.intermediary
    if intermediary:
        yield Counterparty("wallet" if intermediary in _WALLETS else "processor", intermediary)
    for wallet in WALLETS:
        if wallet in kind.phrases.senses and wallet != intermediary:
            yield Counterparty("wallet", wallet)
    if kind.person:
        yield Counterparty("person")


def marketplace_of(descriptor: Descriptor) -> str:
    """The marketplace or delivery service of another seller; "" if none is printed."""
    words = list(descriptor.words)
    for phrase, name, delivery in _SELLING_PLATFORMS.get(words[0], ()) if words else ():
        if words[: len(phrase)] != phrase:
            continue
        words_after = words[len(phrase) :]
        if not delivery or _is_shop([word for word in words_after if word not in phrase]):
            return name
    return ""


def _is_shop(words: list[str]) -> bool:
    """Whether the words after a delivery service name a shop, not an order."""
    name_words = [word for word in words if word not in _NOT_A_SHOP and word.isalpha()]
    return bool(name_words) and not is_noise(" ".join(name_words))
