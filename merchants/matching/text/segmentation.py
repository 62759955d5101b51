"""Finds the words in a name that a rail printed without blanks: TENANTEVALUATION."""

from functools import lru_cache

from merchants.matching.text.word_lists import is_common
from merchants.matching.text.wordlist import listed

SHORTEST = 12  # letters; shorter names are often meant to be one word (Honeyhouse, DoorDash)
_LONGEST_WORD = 15  # letters
_MOST_WORDS = 4
_LITTLE = listed("a and at by for go in it my of on or the to up us we")


@lru_cache(maxsize=4096)
def segmented(word: str) -> str:
    """`word` (letters only) as known words with blanks between, or as it is if that fails.

    The fewest words win, and of these the split whose shortest word is longest.
    """
    if len(word) < SHORTEST or not word.isalpha() or not word.isascii():
        return word
    if len(word) > _MOST_WORDS * _LONGEST_WORD:
        return word
    lower = word.lower()
    # best[end]: the best split of lower[:end] as (number of words, -shortest word, start of last)
    best: list[tuple[int, int, int] | None] = [(0, -99, 0)] + [None] * len(lower)
    for end in range(1, len(lower) + 1):
        for start in range(max(0, end - _LONGEST_WORD), end):
            before, piece = best[start], lower[start:end]
            if before is None or not _is_word(piece):
                continue
            shortest = before[1] if piece in _LITTLE else max(before[1], -len(piece))
            split = (before[0] + 1, shortest, start)
            current = best[end]
            if current is None or split < current:
                best[end] = split
    whole = best[-1]
    if whole is None or whole[0] > _MOST_WORDS or -whole[1] < 4:
        return word
    pieces, end = [], len(word)
    while end:
        step = best[end]
        if step is None:  # cannot be: every end on the way back was reached on the way there
            return word
        pieces.append(word[step[2] : end])
        end = step[2]
    return " ".join(reversed(pieces))


# Trade words too new or too narrow for the list of everyday English.
_TRADE = listed(
    """activewear athletics barware bodywear boba brewhouse coffeehouse cookware delivery
    eyewear fitness footwear glassware haircare homewares kombucha loungewear menswear
    naturals nutrition organics outfitters petcare skincare sneakers sportswear streetwear
    supplements swimwear tableware teahouse wellness womenswear workwear yoga apparel crossfit
    pilates"""
)


def _is_word(piece: str) -> bool:
    return piece in _LITTLE or (len(piece) >= 4 and (is_common(piece) or piece in _TRADE))
