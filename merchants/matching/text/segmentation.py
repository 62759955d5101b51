"""Splits a name that was printed without blanks into its words: TENANTEVALUATION."""

from functools import lru_cache

from merchants.matching.text.word_lists import is_common, word_set

MIN_LETTERS = 12  # shorter names are often meant to be one word (Honeyhouse, DoorDash)
_MAX_WORD_LETTERS = 15
_MAX_WORDS = 4
_SHORT_WORDS = word_set("a and at by for go in it my of on or the to up us we")


@lru_cache(maxsize=4096)
def segment(word: str) -> str:
    """`word` (letters only) as known words with blanks between, or as it is if that fails.

    The fewest words win, and of these the split whose shortest word is longest.
    """
    if len(word) < MIN_LETTERS or not word.isalpha() or not word.isascii():
        return word
    if len(word) > _MAX_WORDS * _MAX_WORD_LETTERS:
        return word
    lower = word.lower()
    # best[end]: the best split of lower[:end] as (number of words, -shortest word, start of last)
    best: list[tuple[int, int, int] | None] = [(0, -99, 0)] + [None] * len(lower)
    for end in range(1, len(lower) + 1):
        for start in range(max(0, end - _MAX_WORD_LETTERS), end):
            prefix, piece = best[start], lower[start:end]
            if prefix is None or not _is_word(piece):
                continue
            shortest = prefix[1] if piece in _SHORT_WORDS else max(prefix[1], -len(piece))
            split = (prefix[0] + 1, shortest, start)
            current = best[end]
            if current is None or split < current:
                best[end] = split
    best_split = best[-1]
    if best_split is None or best_split[0] > _MAX_WORDS or -best_split[1] < 4:
        return word
    pieces, end = [], len(word)
    while end:
        split_at_end = best[end]
        if split_at_end is None:  # for the type checker: each end on the way back has a split
            return word
        pieces.append(word[split_at_end[2] : end])
        end = split_at_end[2]
    return " ".join(reversed(pieces))


# Trade words that the list of everyday English lacks.
_TRADE_WORDS = word_set(
    """activewear athletics barware bodywear boba brewhouse coffeehouse cookware delivery
    eyewear fitness footwear glassware haircare homewares kombucha loungewear menswear
    naturals nutrition organics outfitters petcare skincare sneakers sportswear streetwear
    supplements swimwear tableware teahouse wellness womenswear workwear yoga apparel crossfit
    pilates"""
)


def _is_word(piece: str) -> bool:
    return piece in _SHORT_WORDS or (
        len(piece) >= 4 and (is_common(piece) or piece in _TRADE_WORDS)
    )
