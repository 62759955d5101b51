"""Finds the merchant of the catalogue that a descriptor names, and says how sure that is."""

from collections.abc import Sequence
from dataclasses import replace

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.descriptor.parser import Descriptor
from merchants.matching.lookup import confidence
from merchants.matching.lookup.inexact import DamagedNames
from merchants.matching.lookup.name_index import BrandIndex, Hit, host_of
from merchants.matching.lookup.suffix import goes_on, tail_kind
from merchants.matching.lookup.tie_break import Choice, Clues, Found, choose
from merchants.matching.text.normalize import compact, compact_words, words_of
from merchants.matching.text.word_lists import is_common, is_everyday
from merchants.matching.types import CatalogueMerchant

# Shops that print the name of what was bought behind a star: GOOGLE *DUOLINGO.
_RESELLERS = frozenset({"google"})


class CatalogueMatcher:
    """Looks descriptors up in one catalogue."""

    def __init__(self, merchants: Sequence[CatalogueMerchant], index: BrandIndex) -> None:
        self._merchants = merchants
        self._index = index
        self._damaged = DamagedNames(merchants, index)

    def by_name(self, name: str) -> CatalogueMerchant | None:
        """The merchant of exactly this name, if there is one."""
        found = self._index.exact(compact(name))
        return self._merchants[found[0]] if found else None

    def knows(self, descriptor: Descriptor) -> bool:
        """Whether a merchant has exactly this name, of several words: `T-MOBILE`, `1&1`."""
        words = words_of(descriptor.text)
        return len(words) > 1 and bool(self._index.exact(compact_words(words)))

    def named(self, descriptor: Descriptor, mcc: str, country: str) -> Found | None:
        """The merchant whose name or web address the descriptor carries.

        Bounded work: look-ups by key and by sorted prefix, no comparison of spellings.
        """
        clues = Clues(descriptor, mcc, country, descriptor.possible_countries)
        words = descriptor.words
        hits = self._index.prefixes(words)
        return (
            self._resold(clues)
            or self._by_code(clues)
            or (self._by_domain(clues) if descriptor.is_address else None)
            or self._damaged.glued_to_a_ticket(clues)
            or self._with_its_place(clues)
            or self._by_words(clues, words, hits, whole=True)
            or self._by_words(clues, words, hits, whole=False)
            or self._by_domain(clues)
            or self._before_its_star(clues)
            or self._behind_its_city(clues)
            or self._damaged.glued(clues)
            or self._cut_off(clues)
        )

    def alike(self, descriptor: Descriptor, mcc: str, country: str) -> Found | None:
        """The merchant whose name is spelled almost as the cleaned descriptor is."""
        return self._damaged.misspelt(Clues(descriptor, mcc, country))

    def _resold(self, clues: Clues) -> Found | None:
        """`GOOGLE *DUOLINGO`: what stands behind a reseller's star, if the catalogue knows it."""
        words = clues.descriptor.words
        if not (clues.descriptor.after_star and words and words[0] in _RESELLERS):
            return None
        if self._index.exact(compact_words(list(words))):
            return None
        choice = self._choose(
            self._index.exact(compact_words(words_of(clues.descriptor.after_star))), clues
        )
        return choice.found(confidence.RESOLD, f"sold by {words[0].title()}") if choice else None

    def _by_code(self, clues: Clues) -> Found | None:
        """`VZW*WEBSITE PMT`: a short code before a star that is a name of a merchant."""
        code = clues.descriptor.code.lower()
        choice = self._choose(self._index.exact(code), clues, code) if code else None
        if choice is None or choice.foreign or not choice.alone:
            return None
        return choice.found(confidence.CODE, f"code {code.upper()} before the star")

    def _before_its_star(self, clues: Clues) -> Found | None:
        """`WSJ*BARRONS`: what stands behind the star was bought from whom stands before it."""
        before = clues.descriptor.words[: clues.before_star]
        return self._by_words(clues, before, self._index.prefixes(before), whole=True)

    def _by_words(
        self, clues: Clues, words: Sequence[str], hits: Sequence[Hit], *, whole: bool
    ) -> Found | None:
        """The longest of `hits` in `words` that counts; with `whole`, nothing stands behind it."""
        for hit in hits:
            tail = words[hit.length :]
            if not whole and hit.length <= clues.before_star:
                break
            if goes_on(tail, clues.descriptor.truncated):
                break
            behind = "none" if self._is_customer(tail, clues) else tail_kind(tail, ())
            if (behind == "none") is not whole:
                continue
            choice = self._choose(hit.merchants, clues, hit.spelling)
            if choice is None:
                continue
            signs = confidence.Signs(
                kind="none" if behind == "none" else tail_kind(tail, choice.merchant.mccs),
                distinctive=self._index.is_distinctive(hit, words),
                letters=len(hit.spelling),
                words=hit.length,
                shop=clues.descriptor.shop_signals,
                mcc=choice.mcc,
                country=choice.country,
                intermediary=clues.intermediary,
                alone=choice.alone,
                everyday=all(map(is_common, words[: hit.length])),
            )
            sure = confidence.named(signs)
            if sure is None:
                continue
            # Only the words that are the catalogue's: the others are the client's own.
            return choice.found(sure, f"catalogue name {' '.join(words[: hit.length])!r}")
        return None

    @staticmethod
    def _is_customer(tail: Sequence[str], clues: Clues) -> bool:
        """Whether what stands behind a name is only the customer's own name."""
        return clues.descriptor.names_customer and len(tail) in (2, 3)

    def _by_domain(self, clues: Clues) -> Found | None:
        domain = clues.descriptor.domain
        if not domain:
            return None
        written_out = "".join(domain.split(".")[-2:])
        choice = self._choose(self._index.exact(written_out) or self._index.host(domain), clues)
        if choice is None:
            return None
        return choice.found(confidence.DOMAIN, f"web site {host_of(choice.merchant.website)}")

    def _with_its_place(self, clues: Clues) -> Found | None:
        """`ANN TAYLOR TX`, `AIR CANADA`: what looked like the place may be the end of a name."""
        words, words_with_location = clues.descriptor.words, clues.descriptor.words_with_location
        if (
            not words
            or words_with_location[: len(words)] != words
            or len(words_with_location) == len(words)
        ):
            return None
        hits = self._index.prefixes(words_with_location)
        if not hits or hits[0].length <= len(words):
            return None
        if clues.country == clues.descriptor.country:
            # The country was told by a town that is none.
            clues = replace(clues, country="", possible_countries=())
        return self._by_words(clues, words_with_location[: hits[0].length], hits, whole=True)

    def _behind_its_city(self, clues: Clues) -> Found | None:
        """`SOUTH LAKE TAHOE ACE HARDWARE`: the branch's town stands in front."""
        words, descriptor = clues.descriptor.words, clues.descriptor
        for count in range(min(3, len(words) - 1), 0, -1):
            regions = load_gazetteer().regions(" ".join(words[:count]).upper())
            if not regions or (count == 1 and is_everyday(words[0])):
                continue
            if descriptor.region and descriptor.region not in regions:
                continue
            rest = words[count:]
            hits = self._index.prefixes(rest)
            if hits and self._index.is_distinctive(hits[0], rest):
                found = self._by_words(clues, rest, hits, whole=False)
                return found or self._by_words(clues, rest, hits, whole=True)
            return self._damaged.cut_off(clues, rest) if descriptor.truncated else None
        return None

    def _cut_off(self, clues: Clues) -> Found | None:
        if not clues.descriptor.truncated:
            return None
        return self._damaged.cut_off(clues, words_of(clues.descriptor.text))

    def _choose(self, at: Sequence[int], clues: Clues, spelling: str = "") -> Choice | None:
        return choose([self._merchants[place] for place in at], clues, spelling)
