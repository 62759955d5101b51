"""Finds bank phrases in a descriptor, each with a sense, in one pass."""

from collections.abc import Mapping
from typing import NamedTuple

from merchants.matching.descriptor.bank_patterns import AMBIGUOUS_WORDS, STRONG_WORDS, WEAK_WORDS
from merchants.matching.text.normalize import spell_out_umlauts, words_of
from merchants.matching.text.word_lists import NON_MERCHANT_WORDS, word_set

MAX_WORDS = 48  # of a text; the rest is ignored
# Bank words: a phrase with only these before (or after) it opens (or closes) the text.
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
    """The phrases of one sense, separated by commas, by the position in which they count."""

    anywhere: str = ""  # no merchant has such a name
    opening: str = ""  # only bank words and numbers before it
    closing: str = ""  # only bank words and numbers after it
    alone: str = ""  # only if no merchant is left in the text


_POSITIONS = _ANYWHERE, _OPENING, _CLOSING, _ALONE = 1, 2, 4, 8


class PhraseMatches(NamedTuple):
    """The senses of a text, and its words outside of phrases."""

    senses: frozenset[str]
    rest: tuple[str, ...]


class _Phrase(NamedTuple):
    rest: list[str]  # its words after the first
    senses: list[tuple[str, int]]  # each with the positions in which it counts


class Phrasebook:
    """Phrases of many senses, looked up by their first word."""

    def __init__(self, wordings: Mapping[str, Wording]) -> None:
        """`wordings` maps the name of a sense to its phrases."""
        by_first: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
        for sense, wording in wordings.items():
            for position, phrases in zip(_POSITIONS, wording, strict=True):
                for phrase in phrases.split(","):
                    for spelling in {phrase, spell_out_umlauts(phrase) or phrase}:
                        first, *rest = words_of(spelling) or [""]
                        senses = by_first.setdefault(first, {}).setdefault(tuple(rest), {})
                        senses[sense] = senses.get(sense, 0) | position
        by_first.pop("", None)
        self._phrases = {
            first: tuple(
                _Phrase(list(rest), list(senses.items()))
                for rest, senses in sorted(phrases.items(), key=lambda item: -len(item[0]))
            )
            for first, phrases in by_first.items()
        }

    def match(self, words: list[str], without_merchant: bool) -> PhraseMatches:
        """The senses of all phrases in `words` (folded), the longest phrase at each position.

        With `without_merchant`, no merchant is left in the text.
        """
        words = words[:MAX_WORDS]
        if self._phrases.keys().isdisjoint(words):
            return PhraseMatches(frozenset(), tuple(words))
        last = len(words)
        while last and _is_bank_word(words[last - 1]):
            last -= 1
        senses: set[str] = set()
        rest: list[str] = []
        index, opening, alone = 0, True, without_merchant * _ALONE
        while index < len(words):
            word = words[index]
            for phrase in self._phrases.get(word, ()):
                end = index + 1 + len(phrase.rest)
                if phrase.rest and phrase.rest != words[index + 1 : end]:
                    continue
                positions = _ANYWHERE | opening * _OPENING | (end >= last) * _CLOSING | alone
                matching_senses = [
                    sense
                    for sense, counted_positions in phrase.senses
                    if counted_positions & positions
                ]
                if matching_senses:
                    senses.update(matching_senses)
                    index = end
                    break
            else:
                rest.append(word)
                if opening:
                    opening = _is_bank_word(word)
                index += 1
        return PhraseMatches(frozenset(senses), tuple(rest))


def _is_bank_word(word: str) -> bool:
    return word in _BANK_WORDS or not word.isalpha()
