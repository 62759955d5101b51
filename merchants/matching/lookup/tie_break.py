"""Chooses between merchants of one name by country, MCC and spelling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from merchants.matching.descriptor.parser import Descriptor
from merchants.matching.lookup import confidence
from merchants.matching.text.normalize import compact, words_of
from merchants.matching.types import CatalogueMerchant

# Processors whose customers are mostly brands.
BRAND_PROCESSORS = frozenset(
    {"Klarna", "Afterpay", "Affirm", "Adyen", "dLocal", "EBANX", "Amazon Pay", "Digital River"}
)


@dataclass(frozen=True, slots=True)
class CatalogueMatch:
    """A merchant, the confidence in it (0 to 1) and why."""

    merchant: CatalogueMerchant
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookupQuery:
    """A descriptor with the transaction's MCC and country."""

    descriptor: Descriptor
    mcc: str
    country: str
    possible_countries: tuple[str, ...] = ()  # countries that have a city of the printed name

    @property
    def words_before_star(self) -> int:
        """How many words stand before a merchant's star; 0 without one."""
        after_star = self.descriptor.after_star
        return len(self.descriptor.words) - len(words_of(after_star)) if after_star else 0

    @property
    def via_processor(self) -> bool:
        """Whether a payment processor is printed whose customers are mostly small shops."""
        intermediary = self.descriptor.intermediary
        return intermediary is not None and intermediary not in BRAND_PROCESSORS


@dataclass(frozen=True, slots=True)
class Candidate:
    """The likeliest of the merchants with one name."""

    merchant: CatalogueMerchant
    country_fits: bool | None  # None: nothing to compare
    mcc_fits: bool | None
    unambiguous: bool  # no other merchant is as likely

    @property
    def is_foreign(self) -> bool:
        """Whether the merchant has countries, and the transaction's is none of them."""
        return self.country_fits is False

    def to_match(self, score: float, reason: str) -> CatalogueMatch:
        """The match, with a lower `score` if the country does not fit."""
        evidence = [reason]
        if self.country_fits is not None:
            evidence.append("country agrees" if self.country_fits else "country does not agree")
        if self.mcc_fits is not None:
            evidence.append("MCC agrees" if self.mcc_fits else "MCC does not agree")
        if self.is_foreign:
            score -= confidence.FOREIGN
        return CatalogueMatch(self.merchant, round(score, 2), tuple(evidence))


def best_candidate(
    merchants: Sequence[CatalogueMerchant], query: LookupQuery, spelling: str = ""
) -> Candidate | None:
    """The likeliest of `merchants` by country, MCC and name; None if there are none.

    A merchant whose main name is `spelling` ranks before one with such an alias.
    """
    best: Candidate | None = None
    best_rank: tuple[bool | int, ...] = ()
    names: set[str] = set()
    for merchant in merchants:
        country_fits = _country_fits(query.country, merchant.countries)
        if country_fits is None and query.descriptor.bank_country in merchant.countries:
            country_fits = True
        mcc_fits = confidence.mcc_fits(query.mcc, merchant.mccs)
        name = compact(merchant.name)
        rank: tuple[bool | int, ...] = (
            country_fits is not False,
            mcc_fits is not False,
            name == spelling,
            country_fits is True,
            mcc_fits is True,
            any(country in merchant.countries for country in query.possible_countries),
            bool(spelling) and spelling.startswith(name),
            not merchant.countries,
            len(merchant.mccs),
        )
        if rank > best_rank:
            if rank[:3] > best_rank[:3]:
                names = set()
            best, best_rank = Candidate(merchant, country_fits, mcc_fits, True), rank
        if rank[:3] == best_rank[:3]:
            names.add(name)
    if best is None or len(names) == 1:
        return best
    return replace(best, unambiguous=False)


def _country_fits(country: str, countries: Sequence[str]) -> bool | None:
    return (country in countries) if country and countries else None
