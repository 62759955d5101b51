"""An index of merchants' names, looked up by the words of a descriptor."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.text.normalize import (
    compact,
    compact_words,
    spell_out_umlauts,
    without_article,
    words_of,
)
from merchants.matching.text.word_lists import LEGAL_FORMS, SHOP_WORDS, is_common

MAX_NAME_WORDS = 7  # words of a descriptor that may form one name
_BLOCK_LETTERS = 3  # first letters that a misspelling shares with the right name
_HOST = re.compile(r"^(?:https?://)?(?:www\d?\.)?([^/:?#]+)", re.IGNORECASE)


class IndexedMerchant(Protocol):
    """What the index needs of a merchant."""

    @property
    def name(self) -> str: ...
    @property
    def website(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...


class Hit(NamedTuple):
    """A name at the beginning of some words."""

    spelling: str  # the name's words run together
    length: int  # how many of the words it took
    merchants: tuple[int, ...]  # positions of the merchants so named


class NameIndex:
    """All names of a catalogue, by spelling, by web address and by first letters."""

    def __init__(self, merchants: Sequence[IndexedMerchant]) -> None:
        names: dict[str, list[int]] = defaultdict(list)
        aliases: dict[str, list[int]] = defaultdict(list)
        hosts: dict[str, list[int]] = defaultdict(list)
        pages: dict[str, list[int]] = defaultdict(list)
        self._word_counts: dict[str, int] = {}
        for position, merchant in enumerate(merchants):
            self._add(names, merchant.name, position)
            for alias in merchant.aliases:
                self._add(aliases, alias, position)
            if host := host_of(merchant.website):
                # A page belongs to one of the owner's services, the site to the owner.
                is_site = merchant.website.rstrip("/").endswith(host)
                (hosts if is_site else pages)[host].append(position)
        self._exact = {
            spelling: tuple(dict.fromkeys((*names.get(spelling, ()), *aliases.get(spelling, ()))))
            for spelling in names.keys() | aliases.keys()
        }
        self._hosts = {host: tuple(positions) for host, positions in (pages | hosts).items()}
        self._sorted = sorted(self._exact)
        self._longest = max(map(len, self._sorted), default=0)
        blocks: dict[str, list[str]] = defaultdict(list)
        for spelling in self._sorted:
            if len(spelling) >= 6:
                blocks[spelling[:_BLOCK_LETTERS]].append(spelling)
        self._blocks = dict(blocks)

    def _add(self, names: dict[str, list[int]], name: str, position: int) -> None:
        for spelling, count in _spellings(name, words_of(name)):
            if spelling and position not in names[spelling][-1:]:
                names[spelling].append(position)
            if spelling and count > self._word_counts.get(spelling, 0):
                self._word_counts[spelling] = count

    def exact(self, spelling: str) -> tuple[int, ...]:
        """Positions of the merchants with this name, its words run together."""
        return self._exact.get(spelling, ())

    def prefixes(self, words: Sequence[str]) -> list[Hit]:
        """Names that the first words form, the longest first."""
        start = len(words) - len(without_article(words))
        hits: list[Hit] = []
        spelling = ""
        for end in range(start + 1, min(len(words), start + MAX_NAME_WORDS) + 1):
            spelling += words[end - 1]
            positions = self._exact.get(spelling)
            if positions:
                hits.append(Hit(spelling, end, positions))
        hits.reverse()
        return hits

    def host(self, host: str) -> tuple[int, ...]:
        """Positions of the merchants whose web site is at this host or a parent domain."""
        while host.count(".") >= 1:
            positions = self._hosts.get(host)
            if positions:
                return positions
            host = host.partition(".")[2]
        return ()

    def block(self, spelling: str) -> list[str]:
        """Names that begin with the same three letters: candidates for a misspelling."""
        return self._blocks.get(spelling[:_BLOCK_LETTERS], [])

    def names_starting_with(self, start: str, limit: int = 12) -> list[str]:
        """At most `limit` names that begin with `start`."""
        index = bisect_left(self._sorted, start)
        names: list[str] = []
        while (
            index < len(self._sorted)
            and len(names) < limit
            and self._sorted[index].startswith(start)
        ):
            names.append(self._sorted[index])
            index += 1
        return names

    def longest_name_at_start(self, glued: str, min_letters: int) -> str:
        """The longest name of at least `min_letters` that `glued` begins with; "" if none."""
        for end in range(min(len(glued) - 1, self._longest), min_letters - 1, -1):
            if glued[:end] in self._exact:
                return glued[:end]
        return ""

    def word_count(self, spelling: str) -> int:
        """The number of words in the name's longest form."""
        return self._word_counts.get(spelling, 1)

    @staticmethod
    def _distinctive_words(name_words: Sequence[str]) -> list[str]:
        """The words of a name that are not common and no city's name."""
        return [
            word
            for word in name_words
            if len(word) >= 4
            and not word.isdigit()
            and not is_common(word)
            and not (word.endswith("s") and is_common(word[:-1]))
            and not (len(name_words) < 3 and load_gazetteer().regions(word.upper()))
        ]

    def is_distinctive(self, hit: Hit, words: Sequence[str]) -> bool:
        """Whether the name alone identifies a merchant: no everyday word, city or initials."""
        name_words = [word for word in words[: hit.length] if word != "the"]
        distinctive = self._distinctive_words(name_words)
        if distinctive and (len(distinctive[0]) >= 5 or len(name_words) > 1):
            return True
        if distinctive:
            return self.word_count(hit.spelling) == 1 and not load_gazetteer().regions(
                hit.spelling.upper()
            )
        # Several everyday words together are distinctive, unless all are generic.
        generic = [
            word
            for word in name_words
            if word in SHOP_WORDS or word in LEGAL_FORMS or len(word) < 2
        ]
        return len(name_words) >= 2 and len(name_words) > len(generic) and len(hit.spelling) >= 9


def _spellings(name: str, words: list[str]) -> Iterable[tuple[str, int]]:
    """The spellings by which a name is looked up, each with its number of words."""
    yield compact_words(words), len(words)
    if not name.isascii() and (spelling := spell_out_umlauts(name)):
        yield compact(spelling), len(words)
    if len(words) > 1 and words[-1] in LEGAL_FORMS and words[-1] not in ("co", "company"):
        yield compact_words(words[:-1]), len(words) - 1


def host_of(website: str) -> str:
    """The host of a web address in lower case without www; "" if there is none."""
    match = _HOST.match(website.strip())
    host = match[1].lower() if match else ""
    return host if "." in host else ""
