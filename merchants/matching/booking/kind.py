"""What a transaction was: a purchase, a transfer, cash, a fee ..., from the bank's wording."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from merchants.matching.booking import channel_phrases, kind_phrases, payment_phrases
from merchants.matching.booking.persons import (
    COMPANY,
    handed_to_person,
    is_also_place,
    leads_to,
    named_person,
)
from merchants.matching.booking.phrasebook import Found, Phrasebook
from merchants.matching.descriptor.parser import Descriptor, sanitize
from merchants.matching.lookup.cleaned import no_merchant
from merchants.matching.text.normalize import words_of
from merchants.matching.text.word_lists import NON_MERCHANT_WORDS, word_set

# The first that the text speaks of is what it was: a fee for a transfer is a fee.
_ORDER = (
    "tax", "salary", "refund", "fee", "interest", "cash", "bought", "drawn",
    "person_to_person", "bill_payment", "own accounts", "transfer", "purchase", "may be transfer",
)  # fmt: skip
KINDS = (
    "purchase", "refund", "transfer", "person_to_person", "cash", "fee", "interest", "salary",
    "bill_payment", "tax", "unknown",
)  # fmt: skip
# No merchant takes part in these, whatever name stands there: at most a person's. Where nothing can
# be said of a transaction, its text names nobody, or (UPI) somebody who may be a person.
NAMING_NOBODY = frozenset(
    {"person_to_person", "transfer", "cash", "fee", "interest", "salary", "unknown"}
)
_BOOK = Phrasebook(
    {
        "tax": kind_phrases.TAX,
        "salary": kind_phrases.SALARY,
        "refund": kind_phrases.REFUND,
        "fee": kind_phrases.FEE,
        "interest": kind_phrases.INTEREST,
        "cash": kind_phrases.CASH,
        "bought": payment_phrases.BOUGHT,
        "drawn": payment_phrases.DRAWN,
        "person_to_person": payment_phrases.PERSON_TO_PERSON,
        "bill_payment": payment_phrases.BILL_PAYMENT,
        "own accounts": payment_phrases.OWN_ACCOUNTS,
        "transfer": payment_phrases.TRANSFER,
        "may be transfer": payment_phrases.MAY_BE_TRANSFER,
        "purchase": payment_phrases.PURCHASE,
    }
)
# Apart from the kinds: PAIEMENT SANS CONTACT is a purchase, and SANS CONTACT a terminal.
_SIGNS = Phrasebook(
    {
        "online": channel_phrases.ONLINE,
        "terminal": channel_phrases.TERMINAL,
        "point of sale": channel_phrases.POINT_OF_SALE,
        "incoming": channel_phrases.INCOMING,
        "shops and people": channel_phrases.SHOPS_AND_PEOPLE,
        **channel_phrases.WALLETS,
    }
)
_SERVICES = Phrasebook(
    {"shops and people": channel_phrases.SHOPS_AND_PEOPLE, **channel_phrases.WALLETS}
)
_UNSPACED = [
    ("".join(words_of(phrase)), kind)
    for kind, phrases in kind_phrases.UNSPACED.items()
    for phrase in phrases.split()
]
_WITHOUT_LOCATION = frozenset({"person_to_person", "unknown"})
# What the client's MCC says where the text says nothing of its own.
_BY_MCC = {
    "6010": "cash", "6011": "cash", "9311": "tax", "4829": "transfer", "6536": "transfer",
    "6537": "transfer", "6538": "transfer",
}  # fmt: skip
_MEANS = {"bought": "purchase", "drawn": "purchase", "own accounts": "transfer"}
_MOVED = frozenset({"transfer", "person_to_person"})
# A company takes part in most of these, and a person in some.
_WITH_ANYBODY = frozenset({"bill_payment", "refund", "tax", "salary"})
# A bank that prints the parties apart says which words are whose.
# What joins the parts of a name without a blank.
_INSIDE_NAMES = re.compile(r"(?<=[^\W\d_])(?:\.(?=[^\W\d_])|@\S{1,100})")
_PARTY = re.compile(
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
_NOT_IN_NAMES = channel_phrases.PARTICLES | NON_MERCHANT_WORDS
# What a shop's address at UPI begins or ends with.
_UPI_OF_A_SHOP = re.compile(
    r"\b(?:q\d{6,}|paytm[-.\w]{0,12}\d|paytmqr|bharatpe|pinelabs|razorpay|payu|ccavenue|billdesk"
    r"|gpay-\d|vyapar|eazypay|merchant|ezetap|mswipe)|@(?:rapl|rap|rzp|razorpay|paytm|hdfcbankjd)\b",
    re.IGNORECASE,
)
_LONGEST_PERSON = 6  # words


class Kind(NamedTuple):
    """What a transaction was, and what else its wording says."""

    kind: str
    found: Found
    person: bool = False  # a person is named, or may be

    @property
    def names_nobody(self) -> bool:
        """Whether a name in the text is no merchant's unless the catalogue knows it."""
        return self.person or self.kind in NAMING_NOBODY

    @property
    def has_no_location(self) -> bool:
        """Whether what looks like a town may be a person's surname: TRANSFER TO JANE PARIS."""
        return self.person or self.kind in _WITHOUT_LOCATION


@lru_cache(maxsize=4096)  # as descriptors are, and for the same reason
def kind_of(descriptor: Descriptor, mcc: str = "") -> Kind:
    """What a transaction was; `mcc` decides only where the text says nothing."""
    text = sanitize(descriptor.raw)
    words = words_of(text)
    nameless = no_merchant(descriptor) or descriptor.is_cash or descriptor.is_movement
    found = _BOOK.find(words, nameless)
    senses = found.senses | _SIGNS.find(words, nameless).senses
    if not text.isascii() and (unspaced := _unspaced("".join(words))):
        senses |= unspaced.keys()
        rest = tuple(word for word in found.rest if not any(map(word.count, unspaced.values())))
        found = found._replace(rest=rest)
    if "shops and people" in senses or not senses.isdisjoint(channel_phrases.WALLETS):
        found = found._replace(rest=_SERVICES.find(list(found.rest), nameless).rest)
    found = found._replace(senses=senses)
    kind = next((kind for kind in _ORDER if kind in senses), "")
    if kind == "may be transfer":
        if moved := _by_bare_word(found, words, descriptor, mcc):
            return moved
        kind, found = "", found._replace(rest=tuple(words))
    if descriptor.code == _CASH_APP and kind in ("", "purchase") and _is_no_shop(descriptor, found):
        return Kind("person_to_person", found, person=True)
    if descriptor.intermediary in ("Venmo", "Cash App") and kind in ("", "purchase", "transfer"):
        kind = "person_to_person"
    elif "shops and people" in senses and kind in ("", "purchase", "transfer"):
        kind = "purchase" if descriptor.intermediary else "person_to_person"
    if "upi" in words and "bought" not in senses and kind in ("", "transfer", "purchase"):
        return _by_upi(found, text)
    if kind in _MOVED:
        return _moved(kind, found, _party(text))
    if kind in _WITH_ANYBODY:
        return Kind(kind, found, person=_names_person(found, text))
    if kind == "drawn" and named_person([word for word in found.rest if word != "paypal"]):
        return Kind("transfer", found, person=True)
    if kind in _MEANS:
        return Kind(_MEANS[kind], found)
    if kind and kind != "purchase":
        return Kind(kind, found)
    if descriptor.is_cash:
        return Kind("cash", found)
    if not kind and _is_handed_over(found, descriptor, mcc):
        return Kind("person_to_person", found, person=True)
    if not kind and mcc in _BY_MCC:
        return Kind(_BY_MCC[mcc], found)
    if kind or not nameless or _is_shops(descriptor) or (mcc and mcc[0] != "6"):
        return Kind("purchase", found)
    return Kind("unknown", found)


def _by_bare_word(found: Found, words: list[str], descriptor: Descriptor, mcc: str) -> Kind | None:
    """What TRANSFER or WIRE in front says, unless a shop's name begins so."""
    if _sells(mcc):
        return None
    if handed_to_person(words):
        return Kind("person_to_person", found, person=True)
    shop = _is_shops(descriptor) or _is_companys(found.rest)
    return None if shop else _moved("transfer", found, "")


def _is_no_shop(descriptor: Descriptor, found: Found) -> bool:
    """Whether what stands behind Cash App's prefix is somebody rather than a trader.

    It prints the same place and phone number behind both.
    """
    person = named_person(found.rest) or named_person(descriptor.words)
    if person and not any(map(is_also_place, descriptor.words[:1])):
        return True
    return not descriptor.shop_signals and not _is_companys(found.rest)


def _names_person(found: Found, text: str) -> bool:
    """Whether a bill, refund or tax is a person's: by the name, or by what was undone."""
    rest = _without_customer(found, text)
    if "person_to_person" in found.senses:
        return named_person(rest) or _moved("transfer", found, "").person
    return named_person(rest)


def _without_customer(found: Found, text: str) -> tuple[str, ...]:
    """The words of no phrase, without the customer's own name where the bank marks it."""
    own = _CUSTOMER.search(text)
    if not own:
        return found.rest
    return tuple(word for word in found.rest if word not in words_of(own[0]))


def _is_handed_over(found: Found, descriptor: Descriptor, mcc: str) -> bool:
    """Whether no card was used, and a person is named: PAYMENT TO, CHECK 1234, GIFT FOR."""
    if _sells(mcc) or descriptor.street:
        return False
    if descriptor.intermediary and not _may_pay_people(descriptor):
        return False
    if descriptor.domain and "@" not in descriptor.raw:
        return False
    shop = (
        bool(descriptor.city and descriptor.region)
        or not found.senses.isdisjoint(_TERMINALS)
        or not _CARD_WORDS.isdisjoint(found.rest)
    )
    rest = found.rest[1:] if descriptor.intermediary else found.rest
    if handed_to_person(rest):
        return not shop or leads_to(rest)
    # J.DOE, JANE.DOE@MAIL.EXAMPLE, JANE & JOHN DOE
    split = _INSIDE_NAMES.sub(" ", descriptor.raw)
    return not shop and split != descriptor.raw and handed_to_person(words_of(split))


def _sells(mcc: str) -> bool:
    """Whether the client's MCC is a shop's."""
    return bool(mcc) and mcc not in _BY_MCC and mcc[0] != "6"


def _may_pay_people(descriptor: Descriptor) -> bool:
    """Whether a processor in front sends money between people, too: PAYPAL SENT TO JANE DOE.

    Behind its star stands the name of a shop's account.
    """
    return descriptor.intermediary == "PayPal" and "*" not in descriptor.raw


def _is_companys(words: Sequence[str]) -> bool:
    """Whether a name is a company's; a brand behind another name is not part of it."""
    return bool(words) and (words[0] in channel_phrases.BRANDS or not _COMPANY.isdisjoint(words))


def _party(text: str) -> str:
    """Whom a wire names as the other party, if it does so apart."""
    found = _PARTY.search(text)
    return found[1] if found else ""


def _is_shops(descriptor: Descriptor) -> bool:
    """Whether a processor or a town stands beside a name that seems to say nothing: T-MOBILE."""
    return bool(descriptor.intermediary or (descriptor.city and descriptor.region))


def _unspaced(text: str) -> dict[str, str]:
    """Kinds and their phrases in Chinese, Japanese, Korean, Thai: no blanks between words."""
    if text.isascii() or max(text) < "\u0e00":
        return {}
    return {kind: phrase for phrase, kind in _UNSPACED if phrase in text}


def _by_upi(found: Found, text: str) -> Kind:
    """UPI pays shops and people alike; only some addresses are known to be shops'."""
    return Kind("purchase" if _UPI_OF_A_SHOP.search(text) else "unknown", found)


def _moved(kind: str, found: Found, party: str) -> Kind:
    """Money that was moved: to a person, to a company (a bill), or between accounts."""
    shop = "shops and people" in found.senses
    rest = tuple(words_of(party)) if party else found.rest
    if named_person(rest):
        return Kind("person_to_person", found, person=True)
    names = [
        word for word in rest if len(word) > 1 and word.isalpha() and word not in _NOT_IN_NAMES
    ]
    if any(word in channel_phrases.TITLES for word in rest):
        return Kind("person_to_person", found, person=True)
    if any(word in channel_phrases.BANK_WORDS or word.endswith("bank") for word in names):
        return Kind(kind, found)
    if _is_companys(names):
        if shop:
            return Kind("purchase", found)
        if kind == "transfer" and "incoming" not in found.senses:
            kind = "bill_payment"
        return Kind(kind, found)
    named = 0 < len(names) <= _LONGEST_PERSON
    if kind == "transfer" and named:
        kind = "person_to_person"
    return Kind(kind, found, person=named or kind == "person_to_person")
