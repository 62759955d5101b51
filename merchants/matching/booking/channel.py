"""The channel of a card payment: in store or online, as far as the text shows it.

Strong signs are conclusive. Weak ones, which some banks and processors print for the other channel
too, count only without a strong sign. Contradicting signs give no channel.
"""

from typing import NamedTuple

from merchants.matching.booking.counterparties import marketplace_of
from merchants.matching.booking.kind import Kind
from merchants.matching.descriptor.parser import Descriptor
from merchants.matching.descriptor.processors import ONLINE
from merchants.matching.text.word_lists import word_set

# Processors that mainly run terminals.
_TERMINALS = frozenset(
    {
        "CCV", "CMS Vending", "Cantaloupe", "Clover", "Dojo", "Heartland", "Nayax", "PayPoint",
        "SpotOn", "Square", "SumUp", "Toast", "Tyro", "Zettle", "myPOS",
    }
)  # fmt: skip
# Addresses that these processors print for shops with a terminal.
_PROCESSOR_DOMAINS = word_set("gosq.com squareup.com toasttab.com sumup.com zettle.com clover.com")


CHANNELS = ("in_store", "online", "unknown")


class Channel(NamedTuple):
    """in_store, online or unknown, and the sign it rests on, without the client's text."""

    name: str = "unknown"
    basis: str = ""


def channel_of(descriptor: Descriptor, kind: Kind, store_number: str) -> Channel:
    """The channel of a payment; only purchases and refunds have one."""
    if kind.kind not in ("purchase", "refund"):
        return Channel()
    online, in_store = _strong_online(descriptor, kind), _strong_in_store(descriptor, kind)
    if not online and not in_store:
        online = _weak_online(descriptor)
        in_store = _weak_in_store(descriptor, kind, store_number)
    elif in_store and not online and descriptor.intermediary:
        online = _weak_online(descriptor)  # such processors have online shops as well
    if online and in_store:
        return Channel(basis="signs of both")
    if online:
        return Channel("online", online)
    return Channel("in_store", in_store) if in_store else Channel()


def _strong_online(descriptor: Descriptor, kind: Kind) -> str:
    if (descriptor.domain and descriptor.domain not in _PROCESSOR_DOMAINS) or descriptor.cut_domain:
        return "web address"
    if "online" in kind.phrases.senses:
        return "online wording"
    if marketplace_of(descriptor):
        return "marketplace"
    if descriptor.intermediary in ONLINE:
        return "processor of online shops"
    return ""


def _strong_in_store(descriptor: Descriptor, kind: Kind) -> str:
    if "terminal" in kind.phrases.senses:
        return "terminal wording"
    if descriptor.intermediary in _TERMINALS:
        return "processor of terminals"
    return ""


def _weak_online(descriptor: Descriptor) -> str:
    if descriptor.city or not is_phone(descriptor):
        return ""
    return "phone number without a town"


def _weak_in_store(descriptor: Descriptor, kind: Kind, store_number: str) -> str:
    if store_number:
        return "store number"
    if "point of sale" in kind.phrases.senses:
        return "terminal wording"
    if descriptor.after_star or descriptor.reference:
        return ""  # UBER *TRIP SAN FRANCISCO: the seat of an online service
    return "town" if descriptor.city and (descriptor.region or descriptor.country) else ""


def is_phone(descriptor: Descriptor) -> bool:
    """Whether the phone number is a valid one; in the United States none begins with 0."""
    return bool(descriptor.phone) and not (
        descriptor.country == "US" and descriptor.phone.startswith("0")
    )
