"""The kind of a transaction from its wording: a purchase, a transfer, cash, a fee ..."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from merchants.matching.booking import channel_phrases, fee_and_tax_phrases, transfer_phrases
from merchants.matching.booking.persons import (
    COMPANY,
    has_preposition,
    is_also_city,
    names_person,
    pays_person,
)
from merchants.matching.booking.phrasebook import Phrasebook, PhraseMatches
from merchants.matching.descriptor.parser import Descriptor, sanitize
from merchants.matching.text.normalize import words_of
from merchants.matching.text.word_lists import NON_MERCHANT_WORDS, word_set

# Of several senses in a text the first decides: a fee for a transfer is a fee.
_ORDER = (
    "tax", "salary", "refund", "fee", "interest", "cash", "collected purchase", "instant transfer",
    "person_to_person", "bill_payment", "own accounts", "transfer", "purchase", "may be transfer",
)  # fmt: skip
KINDS = (
    "purchase", "refund", "transfer", "person_to_person", "cash", "fee", "interest", "salary",
    "bill_payment", "tax", "unknown",
)  # fmt: skip
# A name in these is at most a person's. "unknown" is a text without a name, or (UPI) with one that
# may be a person's.
KINDS_WITHOUT_MERCHANT = frozenset(
    {"person_to_person", "transfer", "cash", "fee", "interest", "salary", "unknown"}
)
_KIND_PHRASES = Phrasebook(
    {
        "tax": fee_and_tax_phrases.TAX,
        "salary": fee_and_tax_phrases.SALARY,
        "refund": fee_and_tax_phrases.REFUND,
        "fee": fee_and_tax_phrases.FEE,
        "interest": fee_and_tax_phrases.INTEREST,
        "cash": fee_and_tax_phrases.CASH,
        "collected purchase": transfer_phrases.COLLECTED_PURCHASE,
        "instant transfer": transfer_phrases.INSTANT_TRANSFER,
        "person_to_person": transfer_phrases.PERSON_TO_PERSON,
        "bill_payment": transfer_phrases.BILL_PAYMENT,
        "own accounts": transfer_phrases.OWN_ACCOUNTS,
        "transfer": transfer_phrases.TRANSFER,
        "may be transfer": transfer_phrases.MAY_BE_TRANSFER,
        "purchase": transfer_phrases.PURCHASE,
    }
)
# Separate from the kinds, since phrases overlap: PAIEMENT SANS CONTACT (purchase), SANS CONTACT.
_CHANNEL_PHRASES = Phrasebook(
    {
        "online": channel_phrases.ONLINE,
        "terminal": channel_phrases.TERMINAL,
        "point of sale": channel_phrases.POINT_OF_SALE,
        "incoming": channel_phrases.INCOMING,
        "shops and people": channel_phrases.SHOPS_AND_PEOPLE,
        **channel_phrases.WALLETS,
    }
)
_SERVICE_PHRASES = Phrasebook(
    {"shops and people": channel_phrases.SHOPS_AND_PEOPLE, **channel_phrases.WALLETS}
)
_UNSPACED = [
    ("".join(words_of(phrase)), kind)
    for kind, phrases in fee_and_tax_phrases.UNSPACED.items()
    for phrase in phrases.split()
]
_WITHOUT_LOCATION = frozenset({"person_to_person", "unknown"})
# The kind by the client's MCC, where the text has no sense.
_BY_MCC = {
    "6010": "cash", "6011": "cash", "9311": "tax", "4829": "transfer", "6536": "transfer",
    "6537": "transfer", "6538": "transfer",
}  # fmt: skip
_KIND_OF_SENSE = {
    "collected purchase": "purchase",
    "instant transfer": "purchase",
    "own accounts": "transfer",
}
_TRANSFERS = frozenset({"transfer", "person_to_person"})
# Mostly with companies, sometimes with a person.
_KINDS_WITH_PERSONS = frozenset({"bill_payment", "refund", "tax", "salary"})
# What joins the parts of a name without a blank.
_NAME_JOINERS = re.compile(r"(?<=[^\W\d_])(?:\.(?=[^\W\d_])|@\S{1,100})")
# Labels by which a bank separates the parties of a wire.
_COUNTERPARTY = re.compile(
    r"\b(?:BNF|BENE(?:FICIARY)?|ORIG(?:INATOR)?|ORG)(?: NAME)?\s?:\s?([^:]{2,80})"
    r"(?:\s(?:ID|[A-Z]{2,4} BK|BK|OGB|INFO|PMT DET|PMTDET|DETAIL|ADDR?)\s?:|$)",
    re.IGNORECASE,
)
_CUSTOMER = re.compile(r"\bIND(?:N| NAME| ID)\s?:.*", re.IGNORECASE | re.DOTALL)
_TERMINALS = frozenset({"terminal", "point of sale"})
_CARD_WORDS = word_set(
    """card crd visa mastercard maestro girocard pos dbt checkcard karte carte carta tarjeta cartao
    kaart betaalpas debetkaart bancontact kort kortti karta karty kartou"""
)
_COMPANY = COMPANY - channel_phrases.BRANDS
_CASH_APP = "SQC"  # before a star
_NON_NAME_WORDS = channel_phrases.PARTICLES | NON_MERCHANT_WORDS
# How a shop's UPI address begins or ends.
_SHOP_UPI_ADDRESS = re.compile(
    r"\b(?:q\d{6,}|paytm[-.\w]{0,12}\d|paytmqr|bharatpe|pinelabs|razorpay|payu|ccavenue|billdesk"
    r"|gpay-\d|vyapar|eazypay|merchant|ezetap|mswipe)|@(?:rapl|rap|rzp|razorpay|paytm|hdfcbankjd)\b",
    re.IGNORECASE,
)
_MAX_PERSON_WORDS = 6


class Kind(NamedTuple):
    """The kind of a transaction, and the phrases of its wording."""

    kind: str
    phrases: PhraseMatches
    person: bool = False  # a person is named, or may be

    @property
    def names_no_merchant(self) -> bool:
        """Whether a name in the text is no merchant's unless the catalogue knows it."""
        return self.person or self.kind in KINDS_WITHOUT_MERCHANT

    @property
    def has_no_location(self) -> bool:
        """Whether what looks like a city may be a surname: TRANSFER TO JANE PARIS."""
        return self.person or self.kind in _WITHOUT_LOCATION


@lru_cache(maxsize=4096)  # several times per transaction, as `parse` is
def kind_of(descriptor: Descriptor, mcc: str = "") -> Kind:
    """The kind of a transaction; `mcc` decides only if the text does not."""
    text = sanitize(descriptor.raw)
    words = words_of(text)
    without_merchant = descriptor.names_no_merchant or descriptor.is_cash or descriptor.is_movement
    phrases = _KIND_PHRASES.match(words, without_merchant)
    senses = phrases.senses | _CHANNEL_PHRASES.match(words, without_merchant).senses
    if not text.isascii() and (unspaced := _unspaced("".join(words))):
        senses |= unspaced.keys()
        rest = tuple(word for word in phrases.rest if not any(map(word.count, unspaced.values())))
        phrases = phrases._replace(rest=rest)
    if "shops and people" in senses or not senses.isdisjoint(channel_phrases.WALLETS):
        phrases = phrases._replace(
            rest=_SERVICE_PHRASES.match(list(phrases.rest), without_merchant).rest
        )
    phrases = phrases._replace(senses=senses)
    kind = next((kind for kind in _ORDER if kind in senses), "")
    if kind == "may be transfer":
        if transfer := _kind_of_bare_transfer_word(phrases, words, descriptor, mcc):
            return transfer
        kind, phrases = "", phrases._replace(rest=tuple(words))
    if (
        descriptor.code == _CASH_APP
        and kind in ("", "purchase")
        and _is_cash_app_person(descriptor, phrases)
    ):
        return Kind("person_to_person", phrases, person=True)
    if descriptor.intermediary in ("Venmo", "Cash App") and kind in ("", "purchase", "transfer"):
        kind = "person_to_person"
    elif "shops and people" in senses and kind in ("", "purchase", "transfer"):
        kind = "purchase" if descriptor.intermediary else "person_to_person"
    if (
        "upi" in words
        and "collected purchase" not in senses
        and kind in ("", "transfer", "purchase")
    ):
        return _kind_of_upi_payment(phrases, text)
    if kind in _TRANSFERS:
        return _kind_of_transfer(kind, phrases, _counterparty_name(text))
    if kind in _KINDS_WITH_PERSONS:
        return Kind(kind, phrases, person=_names_person(phrases, text))
    if kind == "instant transfer" and names_person(
        [word for word in phrases.rest if word != "paypal"]
    ):
        return Kind("transfer", phrases, person=True)
    if kind in _KIND_OF_SENSE:
        return Kind(_KIND_OF_SENSE[kind], phrases)
    if kind and kind != "purchase":
        return Kind(kind, phrases)
    if descriptor.is_cash:
        return Kind("cash", phrases)
    if not kind and _is_payment_to_person(phrases, descriptor, mcc):
        return Kind("person_to_person", phrases, person=True)
    if not kind and mcc in _BY_MCC:
        return Kind(_BY_MCC[mcc], phrases)
    if kind or not without_merchant or _looks_like_a_shop(descriptor) or (mcc and mcc[0] != "6"):
        return Kind("purchase", phrases)
    return Kind("unknown", phrases)


def _kind_of_bare_transfer_word(
    phrases: PhraseMatches, words: list[str], descriptor: Descriptor, mcc: str
) -> Kind | None:
    """The kind of a text that begins with TRANSFER or WIRE; None if that is a shop's name."""
    if _is_retail_mcc(mcc):
        return None
    if pays_person(words):
        return Kind("person_to_person", phrases, person=True)
    is_shop = _looks_like_a_shop(descriptor) or _is_company(phrases.rest)
    return None if is_shop else _kind_of_transfer("transfer", phrases, "")


def _is_cash_app_person(descriptor: Descriptor, phrases: PhraseMatches) -> bool:
    """Whether the name after Cash App's prefix is a person's.

    Location and phone number are the same for shops and people.
    """
    has_person_name = names_person(phrases.rest) or names_person(descriptor.words)
    if has_person_name and not any(map(is_also_city, descriptor.words[:1])):
        return True
    return not descriptor.shop_signals and not _is_company(phrases.rest)


def _names_person(phrases: PhraseMatches, text: str) -> bool:
    """Whether a bill, refund or tax names a person, also as the party of an undone transfer."""
    rest = _without_customer(phrases, text)
    if "person_to_person" in phrases.senses:
        return names_person(rest) or _kind_of_transfer("transfer", phrases, "").person
    return names_person(rest)


def _without_customer(phrases: PhraseMatches, text: str) -> tuple[str, ...]:
    """The words outside of phrases, without the customer's own name where the bank labels it."""
    customer = _CUSTOMER.search(text)
    if not customer:
        return phrases.rest
    return tuple(word for word in phrases.rest if word not in words_of(customer[0]))


def _is_payment_to_person(phrases: PhraseMatches, descriptor: Descriptor, mcc: str) -> bool:
    """Whether a person was paid without a card: PAYMENT TO, CHECK 1234, GIFT FOR."""
    if _is_retail_mcc(mcc) or descriptor.street:
        return False
    if descriptor.intermediary and not _may_pay_people(descriptor):
        return False
    if descriptor.domain and "@" not in descriptor.raw:
        return False
    is_shop = (
        bool(descriptor.city and descriptor.region)
        or not phrases.senses.isdisjoint(_TERMINALS)
        or not _CARD_WORDS.isdisjoint(phrases.rest)
    )
    rest = phrases.rest[1:] if descriptor.intermediary else phrases.rest
    if pays_person(rest):
        return not is_shop or has_preposition(rest)
    # J.DOE, JANE.DOE@MAIL.EXAMPLE, JANE & JOHN DOE
    split = _NAME_JOINERS.sub(" ", descriptor.raw)
    return not is_shop and split != descriptor.raw and pays_person(words_of(split))


def _is_retail_mcc(mcc: str) -> bool:
    """Whether the client's MCC is a shop's."""
    return bool(mcc) and mcc not in _BY_MCC and mcc[0] != "6"


def _may_pay_people(descriptor: Descriptor) -> bool:
    """Whether the processor also sends money between people: PAYPAL SENT TO JANE DOE.

    After its star stands the name of a shop's account.
    """
    return descriptor.intermediary == "PayPal" and "*" not in descriptor.raw


def _is_company(words: Sequence[str]) -> bool:
    """Whether a name is a company's; a brand after another name is not part of it."""
    return bool(words) and (words[0] in channel_phrases.BRANDS or not _COMPANY.isdisjoint(words))


def _counterparty_name(text: str) -> str:
    """The counterparty's name where a wire labels it, else ""."""
    match = _COUNTERPARTY.search(text)
    return match[1] if match else ""


def _looks_like_a_shop(descriptor: Descriptor) -> bool:
    """Whether a processor or a city is printed beside a name that says nothing: T-MOBILE."""
    return bool(descriptor.intermediary or (descriptor.city and descriptor.region))


def _unspaced(text: str) -> dict[str, str]:
    """Kinds by their phrases in languages without blanks between words (Chinese, Thai, ...)."""
    if text.isascii() or max(text) < "\u0e00":
        return {}
    return {kind: phrase for phrase, kind in _UNSPACED if phrase in text}


def _kind_of_upi_payment(phrases: PhraseMatches, text: str) -> Kind:
    """The kind of a UPI payment, to a shop or a person; only some addresses show a shop."""
    return Kind("purchase" if _SHOP_UPI_ADDRESS.search(text) else "unknown", phrases)


def _kind_of_transfer(kind: str, phrases: PhraseMatches, counterparty_name: str) -> Kind:
    """The kind of a transfer: to a person, to a company (a bill), or between accounts."""
    pays_shops = "shops and people" in phrases.senses
    rest = tuple(words_of(counterparty_name)) if counterparty_name else phrases.rest
    if names_person(rest):
        return Kind("person_to_person", phrases, person=True)
    names = [
        word for word in rest if len(word) > 1 and word.isalpha() and word not in _NON_NAME_WORDS
    ]
    if any(word in channel_phrases.TITLES for word in rest):
        return Kind("person_to_person", phrases, person=True)
    if any(word in channel_phrases.BANK_WORDS or word.endswith("bank") for word in names):
        return Kind(kind, phrases)
    if _is_company(names):
        if pays_shops:
            return Kind("purchase", phrases)
        if kind == "transfer" and "incoming" not in phrases.senses:
            kind = "bill_payment"
        return Kind(kind, phrases)
    has_name = 0 < len(names) <= _MAX_PERSON_WORDS
    if kind == "transfer" and has_name:
        kind = "person_to_person"
    return Kind(kind, phrases, person=has_name or kind == "person_to_person")
