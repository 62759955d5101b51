"""Finds the wording of banks in a descriptor: whole phrases, each for a sense, in one pass."""

from collections.abc import Mapping
from typing import NamedTuple

from merchants.matching.descriptor.bank_patterns import AMBIGUOUS_WORDS, STRONG_WORDS, WEAK_WORDS
from merchants.matching.text.normalize import spell_out_umlauts, words_of
from merchants.matching.text.word_lists import NON_MERCHANT_WORDS, word_set

LONGEST = 48  # words of a text that are looked at
# Words of the bank's own: what stands before or behind only these stands at the text's edge.
_BANK_WORDS = (
    NON_MERCHANT_WORDS
    | {word.lower() for word in STRONG_WORDS | WEAK_WORDS | AMBIGUOUS_WORDS}
    | word_set(
        """sepa visa mastercard maestro girocard ec eur usd gbp chf sek nok dkk pln czk huf brl mxn
        inr cad aud nzd karte kort karta kartou karty tarjeta cartao carta kaart kortti jan feb mar
        apr may jun jul aug sep oct nov dec posted on am pm op du del vom le den
        pagamento pago paiement betaling betalning zahlung platba plata odeme odemesi maksu"""
    )
)


class Wording(NamedTuple):
    """The phrases of one sense, separated by commas, by where they have to stand to count."""

    anywhere: str = ""  # no merchant is called so
    opening: str = ""  # only the bank's words and numbers stand before it
    closing: str = ""  # only the bank's words and numbers stand behind it
    alone: str = ""  # no merchant is left in the text


_PLACES = _ANYWHERE, _OPENING, _CLOSING, _ALONE = 1, 2, 4, 8


class Found(NamedTuple):
    """The senses of a text, and its words that belong to no phrase."""

    senses: frozenset[str]
    rest: tuple[str, ...]


class _Phrase(NamedTuple):
    rest: list[str]  # its words but the first
    senses: list[tuple[str, int]]  # each with the places in which it counts


class Phrasebook:
    """Phrases of many senses, looked up by their first word."""

    def __init__(self, wordings: Mapping[str, Wording]) -> None:
        """`wordings` are the phrases by the name of their sense."""
        by_first: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
        for sense, wording in wordings.items():
            for place, phrases in zip(_PLACES, wording, strict=True):
                for phrase in phrases.split(","):
                    for spelled in {phrase, spell_out_umlauts(phrase) or phrase}:
                        first, *rest = words_of(spelled) or [""]
                        senses = by_first.setdefault(first, {}).setdefault(tuple(rest), {})
                        senses[sense] = senses.get(sense, 0) | place
        by_first.pop("", None)
        self._phrases = {
            first: tuple(
                _Phrase(list(rest), list(senses.items()))
                for rest, senses in sorted(phrases.items(), key=lambda item: -len(item[0]))
            )
            for first, phrases in by_first.items()
        }

    def find(self, words: list[str], nameless: bool) -> Found:
        """The senses of all phrases in `words` (folded), the longest phrase at each place.

        `nameless` says that no merchant is left in the text.
        """
        words = words[:LONGEST]
        if self._phrases.keys().isdisjoint(words):
            return Found(frozenset(), tuple(words))
        last = len(words)
        while last and _is_banks(words[last - 1]):
            last -= 1
        senses: set[str] = set()
        rest: list[str] = []
        at, opening, alone = 0, True, nameless * _ALONE
        while at < len(words):
            word = words[at]
            for phrase in self._phrases.get(word, ()):
                end = at + 1 + len(phrase.rest)
                if phrase.rest and phrase.rest != words[at + 1 : end]:
                    continue
                places = _ANYWHERE | opening * _OPENING | (end >= last) * _CLOSING | alone
                here = [sense for sense, counts in phrase.senses if counts & places]
                if here:
                    senses.update(here)
                    at = end
                    break
            else:
                rest.append(word)
                if opening:
                    opening = _is_banks(word)
                at += 1
        return Found(frozenset(senses), tuple(rest))


def _is_banks(word: str) -> bool:
    return word in _BANK_WORDS or not word.isalpha()
