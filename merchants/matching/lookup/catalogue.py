"""Finds the catalogue's merchant that a descriptor names, with a confidence."""

from collections.abc import Sequence
from dataclasses import replace

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.descriptor.parser import Descriptor
from merchants.matching.lookup import confidence
from merchants.matching.lookup.confidence import SuffixKind
from merchants.matching.lookup.inexact import InexactMatcher
from merchants.matching.lookup.name_index import Hit, NameIndex, host_of
from merchants.matching.lookup.suffix import name_continues, suffix_kind
from merchants.matching.lookup.tie_break import (
    Candidate,
    CatalogueMatch,
    LookupQuery,
    best_candidate,
)
from merchants.matching.text.normalize import compact, compact_words, words_of
from merchants.matching.text.word_lists import is_common, is_everyday
from merchants.matching.types import CatalogueMerchant

# Shops that print the seller's name after a star: GOOGLE *DUOLINGO.
_RESELLERS = frozenset({"google"})


class CatalogueMatcher:
    """Looks descriptors up in one catalogue."""

    def __init__(self, merchants: Sequence[CatalogueMerchant], index: NameIndex) -> None:
        self._merchants = merchants
        self._index = index
        self._inexact = InexactMatcher(merchants, index)

    def named_exactly(self, name: str) -> CatalogueMerchant | None:
        """The merchant of exactly this name, if there is one."""
        positions = self._index.exact(compact(name))
        return self._merchants[positions[0]] if positions else None

    def has_name(self, descriptor: Descriptor) -> bool:
        """Whether a merchant has exactly this name, of several words: `T-MOBILE`, `1&1`."""
        words = words_of(descriptor.text)
        return len(words) > 1 and bool(self._index.exact(compact_words(words)))

    def match_exact(self, descriptor: Descriptor, mcc: str, country: str) -> CatalogueMatch | None:
        """The merchant whose name or web address the descriptor carries.

        Bounded work: look-ups by key and by sorted prefix, no comparison of spellings.
        """
        query = LookupQuery(descriptor, mcc, country, descriptor.possible_countries)
        words = descriptor.words
        hits = self._index.prefixes(words)
        return (
            self._resold(query)
            or self._by_prefix_code(query)
            or (self._by_domain(query) if descriptor.is_address else None)
            or self._inexact.glued_to_number(query)
            or self._by_location_words(query)
            or self._by_words(query, words, hits, whole=True)
            or self._by_words(query, words, hits, whole=False)
            or self._by_domain(query)
            or self._before_star(query)
            or self._after_city(query)
            or self._inexact.glued(query)
            or self._truncated(query)
        )

    def match_fuzzy(self, descriptor: Descriptor, mcc: str, country: str) -> CatalogueMatch | None:
        """The merchant whose name is spelled almost as the cleaned descriptor is."""
        return self._inexact.misspelt(LookupQuery(descriptor, mcc, country))

    def _resold(self, query: LookupQuery) -> CatalogueMatch | None:
        """`GOOGLE *DUOLINGO`: the merchant after a reseller's star, if the catalogue has it."""
        words = query.descriptor.words
        if not (query.descriptor.after_star and words and words[0] in _RESELLERS):
            return None
        if self._index.exact(compact_words(list(words))):
            return None
        candidate = self._best(
            self._index.exact(compact_words(words_of(query.descriptor.after_star))), query
        )
        return (
            candidate.to_match(confidence.RESOLD, f"sold by {words[0].title()}")
            if candidate
            else None
        )

    def _by_prefix_code(self, query: LookupQuery) -> CatalogueMatch | None:
        """`VZW*WEBSITE PMT`: a short code before a star that is a merchant's name."""
        code = query.descriptor.code.lower()
        candidate = self._best(self._index.exact(code), query, code) if code else None
        if candidate is None or candidate.is_foreign or not candidate.unambiguous:
            return None
        return candidate.to_match(confidence.CODE, f"code {code.upper()} before the star")

    def _before_star(self, query: LookupQuery) -> CatalogueMatch | None:
        """`WSJ*BARRONS`: the merchant before the star sold what is named after it."""
        words = query.descriptor.words[: query.words_before_star]
        return self._by_words(query, words, self._index.prefixes(words), whole=True)

    def _by_words(
        self, query: LookupQuery, words: Sequence[str], hits: Sequence[Hit], *, whole: bool
    ) -> CatalogueMatch | None:
        """The longest of `hits` in `words` that is sure enough; with `whole`, without a suffix."""
        for hit in hits:
            suffix = words[hit.length :]
            if not whole and hit.length <= query.words_before_star:
                break
            if name_continues(suffix, query.descriptor.truncated):
                break
            has_suffix = (
                not self._is_customer(suffix, query) and suffix_kind(suffix, ()) != SuffixKind.NONE
            )
            if has_suffix is whole:
                continue
            candidate = self._best(hit.merchants, query, hit.spelling)
            if candidate is None:
                continue
            signals = confidence.NameSignals(
                suffix=suffix_kind(suffix, candidate.merchant.mccs)
                if has_suffix
                else SuffixKind.NONE,
                distinctive=self._index.is_distinctive(hit, words),
                letters=len(hit.spelling),
                words=hit.length,
                shop_signals=query.descriptor.shop_signals,
                mcc_fits=candidate.mcc_fits,
                country_fits=candidate.country_fits,
                via_processor=query.via_processor,
                unambiguous=candidate.unambiguous,
                everyday=all(map(is_common, words[: hit.length])),
            )
            score = confidence.of_name(signals)
            if score is None:
                continue
            # Only the catalogue's words: the others are the client's own.
            return candidate.to_match(score, f"catalogue name {' '.join(words[: hit.length])!r}")
        return None

    @staticmethod
    def _is_customer(suffix: Sequence[str], query: LookupQuery) -> bool:
        """Whether a suffix is only the customer's own name."""
        return query.descriptor.names_customer and len(suffix) in (2, 3)

    def _by_domain(self, query: LookupQuery) -> CatalogueMatch | None:
        domain = query.descriptor.domain
        if not domain:
            return None
        spelled_out = "".join(domain.split(".")[-2:])
        candidate = self._best(self._index.exact(spelled_out) or self._index.host(domain), query)
        if candidate is None:
            return None
        return candidate.to_match(
            confidence.DOMAIN, f"web site {host_of(candidate.merchant.website)}"
        )

    def _by_location_words(self, query: LookupQuery) -> CatalogueMatch | None:
        """`ANN TAYLOR TX`, `AIR CANADA`: what looks like the location may end the name."""
        words, words_with_location = query.descriptor.words, query.descriptor.words_with_location
        if (
            not words
            or words_with_location[: len(words)] != words
            or len(words_with_location) == len(words)
        ):
            return None
        hits = self._index.prefixes(words_with_location)
        if not hits or hits[0].length <= len(words):
            return None
        if query.country == query.descriptor.country:
            # The country was read from these words, which are no location.
            query = replace(query, country="", possible_countries=())
        return self._by_words(query, words_with_location[: hits[0].length], hits, whole=True)

    def _after_city(self, query: LookupQuery) -> CatalogueMatch | None:
        """`SOUTH LAKE TAHOE ACE HARDWARE`: the branch's city precedes the name."""
        words, descriptor = query.descriptor.words, query.descriptor
        for count in range(min(3, len(words) - 1), 0, -1):
            regions = load_gazetteer().regions(" ".join(words[:count]).upper())
            if not regions or (count == 1 and is_everyday(words[0])):
                continue
            if descriptor.region and descriptor.region not in regions:
                continue
            rest = words[count:]
            hits = self._index.prefixes(rest)
            if hits and self._index.is_distinctive(hits[0], rest):
                match = self._by_words(query, rest, hits, whole=False)
                return match or self._by_words(query, rest, hits, whole=True)
            return self._inexact.truncated(query, rest) if descriptor.truncated else None
        return None

    def _truncated(self, query: LookupQuery) -> CatalogueMatch | None:
        if not query.descriptor.truncated:
            return None
        return self._inexact.truncated(query, words_of(query.descriptor.text))

    def _best(
        self, positions: Sequence[int], query: LookupQuery, spelling: str = ""
    ) -> Candidate | None:
        return best_candidate(
            [self._merchants[position] for position in positions], query, spelling
        )
