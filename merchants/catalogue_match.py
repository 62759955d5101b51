"""Finds the merchant of the catalogue that a descriptor names, and says how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from rapidfuzz import fuzz, process

from merchants import confidence
from merchants.brand_index import BrandIndex, Hit
from merchants.descriptor import Descriptor
from merchants.folding import compact, join, words_of
from merchants.lexicon import ANY_TRADE, KINDS, STREETS, TAILS, TRADES, is_common
from merchants.places import gazetteer
from merchants.question import CatalogueMerchant

# Shops that print the name of what was bought behind a star: GOOGLE *DUOLINGO.
_RESELLERS = frozenset({"google"})
_SHORTEST_GLUED = 7  # letters of a name that stands glued to something else
_SHORTEST_ALIKE = 6
_ALIKE_CUTOFF = 88.0  # rapidfuzz ratio, 0 to 100


@dataclass(frozen=True, slots=True)
class Found:
    """A merchant, the confidence in it (0 to 1) and why."""

    merchant: CatalogueMerchant
    confidence: float
    evidence: tuple[str, ...]


class CatalogueMatcher:
    """Looks descriptors up in one catalogue."""

    def __init__(self, merchants: Sequence[CatalogueMerchant], index: BrandIndex) -> None:
        self._merchants = merchants
        self._index = index

    def by_name(self, name: str) -> CatalogueMerchant | None:
        """The merchant of exactly this name, if there is one."""
        found = self._index.exact(compact(name))
        return self._merchants[found[0]] if found else None

    def named(self, descriptor: Descriptor, mcc: str, country: str) -> Found | None:
        """The merchant whose name or web address the descriptor carries."""
        question = _Question(descriptor, mcc, country)
        words = descriptor.words
        return (
            self._resold(question)
            or self._by_code(question)
            or (descriptor.is_address and self._by_domain(question))
            or self._glued(question, in_second=True)
            or self._by_words(question, words, whole=True)
            or self._with_its_city(question)
            or self._by_words(question, words, whole=False)
            or self._by_domain(question)
            or self._before_its_star(question)
            or self._behind_its_city(question)
            or self._glued(question)
            or self._cut_off(question)
        )

    def alike(self, descriptor: Descriptor, mcc: str, country: str) -> Found | None:
        """The merchant whose name is spelled almost as the cleaned descriptor is."""
        question = _Question(descriptor, mcc, country)
        words = words_of(descriptor.text)
        while len(words) > 1 and words[-1] in TAILS:
            words.pop()
        spelling = join(words)
        own = join([word for word in words if word not in KINDS])
        # Correctly spelled everyday words are a name of their own, not a misspelt one.
        if len(spelling) < _SHORTEST_ALIKE or all(is_common(word) for word in words):
            return None
        block = self._index.block(spelling)
        best = process.extractOne(spelling, block, scorer=fuzz.ratio, score_cutoff=_ALIKE_CUTOFF)
        if best is None or _digits(best[0]) != _digits(spelling):
            return None
        if own != spelling:
            # A trade that both have does not make two names alike: BAKERY SMITH, BAKERY SMYTHE.
            other = best[0]
            for word in words:
                if word in KINDS:
                    other = other.replace(word, "", 1)
            if fuzz.ratio(own, other) < _ALIKE_CUTOFF:
                return None
        hit = Hit(best[0], len(words), self._index.exact(best[0]))
        choice = self._choose(hit.merchants, question)
        if choice is None or choice.foreign or not self._index.is_distinctive(hit, words):
            return None
        return choice.found(
            confidence.alike(best[1], question.intermediary),
            f"spelled like {choice.merchant.name} ({best[1]:.0f} %)",
        )

    def _resold(self, question: "_Question") -> Found | None:
        """`GOOGLE *DUOLINGO`: what stands behind a reseller's star, if the catalogue knows it."""
        words = question.descriptor.words
        if not (question.descriptor.starred and words and words[0] in _RESELLERS):
            return None
        if self._index.exact(join(list(words))):
            return None
        behind = words_of(question.descriptor.starred)
        found = self._index.exact(join(behind))
        choice = self._choose(found, question) if found else None
        return choice and choice.found(confidence.RESOLD, f"sold through {words[0].title()}")

    def _by_code(self, question: "_Question") -> Found | None:
        """`VZW*WEBSITE PMT`: a short code before a star that is a name of a merchant."""
        code = question.descriptor.code.lower()
        hit = Hit(code, 1, self._index.exact(code)) if code else None
        choice = self._choose(hit.merchants, question, code) if hit else None
        if choice is None or choice.foreign or not choice.alone:
            return None
        return choice.found(confidence.CODE, f"code {code.upper()} before the star")

    def _before_its_star(self, question: "_Question") -> Found | None:
        """`WSJ*BARRONS`: what stands behind the star was bought from whom stands before it."""
        count = question.before_star
        return count and self._by_words(question, question.descriptor.words[:count], whole=True)

    def _by_words(
        self, question: "_Question", words: Sequence[str], *, whole: bool
    ) -> Found | None:
        for hit in self._index.prefixes(words):
            tail = words[hit.length :]
            if not whole and hit.length <= question.before_star:
                break
            if _goes_on(tail) and not question.descriptor.truncated:
                break
            if (_tail_kind(tail, ()) == "none") is not whole:
                continue
            choice = self._choose(hit.merchants, question, hit.spelling)
            if choice is None:
                continue
            kind = _tail_kind(tail, choice.merchant.mccs)
            distinctive = self._index.is_distinctive(hit, words)
            sure = confidence.named(
                kind=kind,
                distinctive=distinctive,
                letters=len(hit.spelling),
                words=hit.length,
                shop=question.descriptor.signs_of_a_shop,
                mcc=choice.mcc,
                country=choice.country,
                intermediary=question.intermediary,
                alone=choice.alone,
                everyday=is_common(hit.spelling),
            )
            if sure is None:
                continue
            said = " ".join(words[: hit.length])
            behind = f", behind it {' '.join(tail)!r}" if tail else ""
            return choice.found(sure, f"catalogue name {said!r}{behind}")
        return None

    def _by_domain(self, question: "_Question") -> Found | None:
        domain = question.descriptor.domain
        written_out = "".join(domain.split(".")[-2:])
        found = domain and (self._index.exact(written_out) or self._index.host(domain))
        choice = self._choose(found, question) if found else None
        return choice and choice.found(confidence.DOMAIN, f"web site {domain}")

    def _with_its_city(self, question: "_Question") -> Found | None:
        """`ANN TAYLOR TX`: what looked like the town may be the end of a name."""
        words = question.descriptor.words
        longer = (*words, *words_of(question.descriptor.city))
        if len(longer) == len(words) or not words:
            return None
        hits = [hit for hit in self._index.prefixes(longer) if hit.length > len(words)]
        return self._by_words(question, longer[: hits[0].length], whole=True) if hits else None

    def _behind_its_city(self, question: "_Question") -> Found | None:
        """`SOUTH LAKE TAHOE ACE HARDWARE`: the branch's town stands in front."""
        words, descriptor = question.descriptor.words, question.descriptor
        for count in range(min(3, len(words) - 1), 0, -1):
            town = " ".join(words[:count]).upper()
            regions = gazetteer().regions(town)
            if not regions or (count == 1 and is_common(words[0])):
                continue
            if descriptor.region and descriptor.region not in regions:
                continue
            rest = words[count:]
            hits = self._index.prefixes(rest)
            if hits and self._index.is_distinctive(hits[0], rest):
                return self._by_words(question, rest, whole=False) or self._by_words(
                    question, rest, whole=True
                )
            if descriptor.truncated:
                return self._continued(question, rest)
        return None

    def _glued(self, question: "_Question", in_second: bool = False) -> Found | None:
        """`GRUBHUBORIENTALTASTE`: a distinctive name with more behind it, without a blank.

        With `in_second`, only a name that ends within the second word, before a ticket's number:
        `BREEZE AIRWAZZM4NR`.
        """
        words = question.descriptor.words
        first, glued = len(words[0]) if words else 0, join(list(words[:2]))
        if (
            question.intermediary
            or len(glued) <= _SHORTEST_GLUED
            or (not in_second and is_common(words[0]))
        ):
            return None
        if in_second and not (len(words) > 1 and words[1][:3].isalpha() and _is_number(words[1])):
            return None
        spelling = self._index.beginning(glued, max(_SHORTEST_GLUED, first + 3 if in_second else 0))
        own_words = self._index.word_count(spelling)
        if not spelling or (own_words > 1 if len(spelling) < first else not in_second):
            return None
        hit = Hit(spelling, 1, self._index.exact(spelling))
        if own_words == 1 and not self._index.is_distinctive(hit, [spelling]):
            return None
        choice = self._choose(hit.merchants, question)
        if choice is None or choice.foreign:
            return None
        return choice.found(confidence.GLUED, f"begins with {choice.merchant.name}")

    def _cut_off(self, question: "_Question") -> Found | None:
        """A name that its column cut off: `SHOPPERS DRUG MA`."""
        if not question.descriptor.truncated:
            return None
        return self._continued(question, words_of(question.descriptor.text))

    def _continued(self, question: "_Question", words: Sequence[str]) -> Found | None:
        start = join(list(words))
        if len(words) < 2 or len(start) < _SHORTEST_GLUED - 1:
            return None
        merchants = {
            at for name in self._index.continuing(start) for at in self._index.exact(name)
            if len(start) >= 0.5 * len(name)
        }  # fmt: skip
        called = [at for at in merchants if compact(self._merchants[at].name).startswith(start)]
        choice = self._choose(sorted(called or merchants), question)
        if choice is None or choice.foreign or not choice.alone:
            return None
        return choice.found(confidence.CUT_OFF, f"the column cut {choice.merchant.name} off")

    def _choose(
        self, candidates: Sequence[int], question: "_Question", spelling: str = ""
    ) -> "_Choice | None":
        """The candidate that country, MCC and its name speak for; None if there is none at all.

        Of several, one called `spelling` comes before one that is only also known so.
        """
        best, best_rank, names = None, None, set()
        for at in candidates:
            merchant = self._merchants[at]
            home = _agrees(question.country, merchant.countries)
            if home is None and question.descriptor.bank_country in merchant.countries:
                home = True
            trade = confidence.mcc_agrees(question.mcc, merchant.mccs)
            name = compact(merchant.name)
            rank = (home is not False, trade is not False, name == spelling, home is True,
                    trade is True, bool(spelling) and spelling.startswith(name),
                    not merchant.countries, len(merchant.mccs))  # fmt: skip
            if best_rank is None or rank > best_rank:
                if best_rank is None or rank[:3] > best_rank[:3]:
                    names = set()
                best, best_rank = (merchant, home, trade), rank
            if rank[:3] == best_rank[:3]:
                names.add(name)
        if best is None:
            return None
        return _Choice(best[0], best[1], best[2], len(names) == 1)


@dataclass(frozen=True, slots=True)
class _Question:
    descriptor: Descriptor
    mcc: str
    country: str

    @property
    def before_star(self) -> int:
        """How many words stand before a merchant's star; 0 without one."""
        behind = self.descriptor.starred
        return len(self.descriptor.words) - len(words_of(behind)) if behind else 0

    @property
    def intermediary(self) -> bool:
        return self.descriptor.intermediary is not None


@dataclass(frozen=True, slots=True)
class _Choice:
    merchant: CatalogueMerchant
    country: bool | None  # True: agrees, False: speaks against it, None: says nothing
    mcc: bool | None
    alone: bool  # no other merchant is as likely meant

    @property
    def foreign(self) -> bool:
        return self.country is False

    def found(self, sure: float, why: str) -> Found:
        evidence = [why]
        if self.country is not None:
            evidence.append("country agrees" if self.country else "country does not agree")
        if self.mcc is not None:
            evidence.append("MCC agrees" if self.mcc else "MCC does not agree")
        if self.foreign:
            sure -= confidence.FOREIGN
        return Found(self.merchant, round(sure, 2), tuple(evidence))


def _agrees(given: str, known: Sequence[str]) -> bool | None:
    return (given in known) if given and known else None


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _tail_kind(tail: Sequence[str], mccs: Sequence[str]) -> str:
    """What stands behind a name: none, trade, benign, other or unknown.

    `trade` is the merchant's own, `other` another one; `benign` words say where and how. A trade (`WIRELESS`, `PHARMACY`) is only what it seems if the merchant is in that trade.
    """
    words = list(takewhile(lambda word: not _is_number(word), tail))
    if not words:
        return "none"
    places = gazetteer()
    rest = [word for word in words if word not in TAILS and len(word) > 1]
    trades = [confidence.mcc_agrees(TRADES[word], mccs) for word in words if word in TRADES]
    if trades and not all(trades):
        return "other"
    kinds = [at for at, word in enumerate(words) if word in KINDS and word not in ANY_TRADE]
    if any(words[at] not in TRADES or (rest and at > words.index(rest[0])) for at in kinds):
        return "unknown"  # what comes behind a place or is no trade is part of a longer name
    if not rest:
        return "trade" if trades else "benign"
    if len(words) > 1 and words[-1] in STREETS:
        return "benign"
    for town in (" ".join(rest).upper(), " ".join(words).upper()):
        if places.regions(town) or (len(town) >= 5 and places.begins(town)):
            return "benign"
    return "unknown"


def _is_number(word: str) -> bool:
    """A number, a reference or one that was masked (XXXXX)."""
    return any(char.isdigit() for char in word) or (len(word) > 2 and not word.strip("x"))


def _goes_on(tail: Sequence[str]) -> bool:
    """Whether the name goes on: `D'ANGELO & SONS` is not D'Angelo, `CROWN & ANCHOR` not Crown."""
    return len(tail) > 1 and tail[0] == "and" and any(word not in TAILS for word in tail[1:3])
