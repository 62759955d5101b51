"""Looks the words of a descriptor up among the names of all merchants."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.text.normalize import compact, compact_words, spell_out_umlauts, words_of
from merchants.matching.text.word_lists import LEGAL_FORMS, SHOP_WORDS, is_common

LONGEST_NAME = 7  # words of a descriptor that may form one name
_BLOCK = 3  # first letters that a misspelt name shares with the right one
_HOST = re.compile(r"^(?:https?://)?(?:www\d?\.)?([^/:?#]+)", re.IGNORECASE)


class Indexed(Protocol):
    """What the index needs of a merchant."""

    @property
    def name(self) -> str: ...
    @property
    def website(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...


class Hit(NamedTuple):
    """A name found at the beginning of some words."""

    spelling: str  # the name's words run together
    length: int  # how many of the words it took
    merchants: tuple[int, ...]  # positions of the merchants so named


class BrandIndex:
    """All names of a catalogue, by spelling, by web address and by first letters."""

    def __init__(self, merchants: Sequence[Indexed]) -> None:
        names: dict[str, list[int]] = defaultdict(list)
        aliases: dict[str, list[int]] = defaultdict(list)
        hosts: dict[str, list[int]] = defaultdict(list)
        pages: dict[str, list[int]] = defaultdict(list)
        self._word_counts: dict[str, int] = {}
        for at, merchant in enumerate(merchants):
            self._add(names, merchant.name, at)
            for alias in merchant.aliases:
                self._add(aliases, alias, at)
            if host := host_of(merchant.website):
                # A page of a site is one of its owner's many services; the site is the owner.
                owner = merchant.website.rstrip("/").endswith(host)
                (hosts if owner else pages)[host].append(at)
        self._exact = {
            spelling: tuple(dict.fromkeys((*names.get(spelling, ()), *aliases.get(spelling, ()))))
            for spelling in names.keys() | aliases.keys()
        }
        self._hosts = {host: tuple(at) for host, at in (pages | hosts).items()}
        self._sorted = sorted(self._exact)
        self._longest = max(map(len, self._sorted), default=0)
        blocks: dict[str, list[str]] = defaultdict(list)
        for spelling in self._sorted:
            if len(spelling) >= 6:
                blocks[spelling[:_BLOCK]].append(spelling)
        self._blocks = dict(blocks)

    def _add(self, names: dict[str, list[int]], name: str, at: int) -> None:
        for spelling, count in _spellings(name, words_of(name)):
            if spelling and at not in names[spelling][-1:]:
                names[spelling].append(at)
            if spelling and count > self._word_counts.get(spelling, 0):
                self._word_counts[spelling] = count

    def exact(self, spelling: str) -> tuple[int, ...]:
        """The merchants with this name, its words run together; empty if none."""
        return self._exact.get(spelling, ())

    def prefixes(self, words: Sequence[str]) -> list[Hit]:
        """Names that the first words form, the longest first."""
        start = 1 if len(words) > 1 and words[0] == "the" else 0
        hits: list[Hit] = []
        spelling = ""
        for end in range(start + 1, min(len(words), start + LONGEST_NAME) + 1):
            spelling += words[end - 1]
            found = self._exact.get(spelling)
            if found:
                hits.append(Hit(spelling, end, found))
        hits.reverse()
        return hits

    def host(self, host: str) -> tuple[int, ...]:
        """The merchants whose web site is at this host or above it."""
        while host.count(".") >= 1:
            found = self._hosts.get(host)
            if found:
                return found
            host = host.partition(".")[2]
        return ()

    def block(self, spelling: str) -> list[str]:
        """Names that begin with the same three letters, among which a misspelling is looked for."""
        return self._blocks.get(spelling[:_BLOCK], [])

    def continuing(self, start: str, most: int = 12) -> list[str]:
        """Names that go on where `start` was cut off, at most `most`."""
        at = bisect_left(self._sorted, start)
        found: list[str] = []
        while at < len(self._sorted) and len(found) < most and self._sorted[at].startswith(start):
            found.append(self._sorted[at])
            at += 1
        return found

    def beginning(self, glued: str, shortest: int) -> str:
        """The longest name of at least `shortest` letters that `glued` begins with; "" if none."""
        for end in range(min(len(glued) - 1, self._longest), shortest - 1, -1):
            if glued[:end] in self._exact:
                return glued[:end]
        return ""

    def word_count(self, spelling: str) -> int:
        """How many words the name has where it is written with the most."""
        return self._word_counts.get(spelling, 1)

    @staticmethod
    def _telling(own: Sequence[str]) -> list[str]:
        """The words that are not in everyday use anywhere."""
        return [
            word
            for word in own
            if len(word) >= 4
            and not word.isdigit()
            and not is_common(word)
            and not (word.endswith("s") and is_common(word[:-1]))
            and not (len(own) < 3 and load_gazetteer().regions(word.upper()))
        ]

    def is_distinctive(self, hit: Hit, words: Sequence[str]) -> bool:
        """Whether the name alone says who it is: no everyday word, place or initials."""
        own = [word for word in words[: hit.length] if word != "the"]
        telling = self._telling(own)
        if telling and (len(telling[0]) >= 5 or len(own) > 1):
            return True
        if telling:
            return self.word_count(hit.spelling) == 1 and not load_gazetteer().regions(
                hit.spelling.upper()
            )
        # Several everyday words together are a name of their own, unless all say only what it is.
        kinds = [word for word in own if word in SHOP_WORDS or word in LEGAL_FORMS or len(word) < 2]
        return len(own) >= 2 and len(own) > len(kinds) and len(hit.spelling) >= 9


def _spellings(name: str, words: list[str]) -> Iterable[tuple[str, int]]:
    """The ways in which a name is looked up, and of how many words each is made."""
    yield compact_words(words), len(words)
    if not name.isascii() and (spelled := spell_out_umlauts(name)):
        yield compact(spelled), len(words)
    if len(words) > 1 and words[-1] in LEGAL_FORMS and words[-1] not in ("co", "company"):
        yield compact_words(words[:-1]), len(words) - 1


def host_of(website: str) -> str:
    """The host of a web address in lower case without www; "" if there is none."""
    found = _HOST.match(website.strip())
    host = found[1].lower() if found else ""
    return host if "." in host else ""
