"""Which of several merchants of one name a transaction means, as far as its evidence tells."""

from collections.abc import Sequence
from dataclasses import dataclass

from merchants.matching.descriptor.parser import Descriptor
from merchants.matching.lookup import confidence
from merchants.matching.text.normalize import compact, words_of
from merchants.matching.types import CatalogueMerchant

# Processors whose customers are mostly brands.
LARGE_CUSTOMERS = frozenset(
    {"Klarna", "Afterpay", "Affirm", "Adyen", "dLocal", "EBANX", "Amazon Pay", "Digital River"}
)


@dataclass(frozen=True, slots=True)
class Found:
    """A merchant, the confidence in it (0 to 1) and why."""

    merchant: CatalogueMerchant
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clues:
    """A descriptor with what the transaction tells besides."""

    descriptor: Descriptor
    mcc: str
    country: str
    possible_countries: tuple[str, ...] = ()  # countries that have a town of the printed name

    @property
    def before_star(self) -> int:
        """How many words stand before a merchant's star; 0 without one."""
        behind = self.descriptor.after_star
        return len(self.descriptor.words) - len(words_of(behind)) if behind else 0

    @property
    def intermediary(self) -> bool:
        """Whether a payment processor stands in front whose customers are mostly small shops."""
        who = self.descriptor.intermediary
        return who is not None and who not in LARGE_CUSTOMERS


@dataclass(frozen=True, slots=True)
class Choice:
    """The likeliest of the merchants with one name."""

    merchant: CatalogueMerchant
    country: bool | None  # True: agrees, False: speaks against it, None: says nothing
    mcc: bool | None
    alone: bool  # no other merchant is as likely meant

    @property
    def foreign(self) -> bool:
        """Whether the merchant is not known to be in the transaction's country."""
        return self.country is False

    def found(self, sure: float, why: str) -> Found:
        """The answer, with `sure` lowered if the country speaks against it."""
        evidence = [why]
        if self.country is not None:
            evidence.append("country agrees" if self.country else "country does not agree")
        if self.mcc is not None:
            evidence.append("MCC agrees" if self.mcc else "MCC does not agree")
        if self.foreign:
            sure -= confidence.FOREIGN
        return Found(self.merchant, round(sure, 2), tuple(evidence))


def choose(
    merchants: Sequence[CatalogueMerchant], clues: Clues, spelling: str = ""
) -> Choice | None:
    """The one of `merchants` that country, MCC and its name speak for; None if there are none.

    Of several, one called `spelling` comes before one that is only also known so.
    """
    best: Choice | None = None
    best_rank: tuple[bool | int, ...] = ()
    names: set[str] = set()
    for merchant in merchants:
        home = _agrees(clues.country, merchant.countries)
        if home is None and clues.descriptor.bank_country in merchant.countries:
            home = True
        trade = confidence.mcc_agrees(clues.mcc, merchant.mccs)
        name = compact(merchant.name)
        rank: tuple[bool | int, ...] = (
            home is not False,
            trade is not False,
            name == spelling,
            home is True,
            trade is True,
            any(country in merchant.countries for country in clues.possible_countries),
            bool(spelling) and spelling.startswith(name),
            not merchant.countries,
            len(merchant.mccs),
        )
        if rank > best_rank:
            if rank[:3] > best_rank[:3]:
                names = set()
            best, best_rank = Choice(merchant, home, trade, True), rank
        if rank[:3] == best_rank[:3]:
            names.add(name)
    if best is None or len(names) == 1:
        return best
    return Choice(best.merchant, best.country, best.mcc, False)


def _agrees(given: str, known: Sequence[str]) -> bool | None:
    return (given in known) if given and known else None
