"""Tells a person's name from a company's: by first names, surnames and the words of companies.

The names are those of Faker (MIT, see data/names.LICENSE). One that is in neither list is not
recognised, and a name that is also an everyday word counts only beside another name.
"""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from merchants.matching.booking.channel_phrases import (
    BANK_WORDS,
    BRANDS,
    COMPANY_WORDS,
    PARTICLES,
    PURPOSES,
    TITLES,
)
from merchants.matching.text.word_lists import (
    LEGAL_FORMS,
    NON_MERCHANT_WORDS,
    SHOP_WORDS,
    is_english,
    word_set,
)

_DATA = Path(__file__).parents[2] / "data"
COMPANY = (
    COMPANY_WORDS | SHOP_WORDS | LEGAL_FORMS | word_set("dds dmd md dvm dpm cpa esq")
) - NON_MERCHANT_WORDS
# Around a name these say what the money was for or whose it is; they are no part of the name.
_AROUND = PARTICLES | NON_MERCHANT_WORDS | PURPOSES
# Of these, the ones that say that money was handed over; the others stand in shops' names as well.
_MONEY = (NON_MERCHANT_WORDS | PURPOSES) - word_set(
    "a and at de du des from in la le no of on the to"
)
# And these say so whatever stands between them and the name.
_HANDED_OVER = word_set(
    """transfer transfers xfer wire payment payments inward remittance allowance babysitter sto blik
    wise"""
)
# Nobody but a person gets money for these: a first name beside one is enough.
_FOR_SOMEBODY = word_set(
    """allowance babysitter babysitting alimony iou owed birthday bday gift dinner rent rente miete
    loyer alquiler affitto huur hyra husleie czynsz payback repayment reimbursement unterhalt
    taschengeld geschenk geburtstag mesada zakgeld"""
)
_LENT = word_set("loan loans darlehen prestamo emprestimo prestito lening")  # in front: SOFI LOAN
# Behind these stands to or from whom.
_LEADING_TO = word_set("to from for an von fur fuer para por pour till fran til fra od dla naar")
# From these on the text says what the money was for: JANE DOE FOR GAS.
_ABOUT = word_set(
    """for ref reference re memo note fur fuer pour para por per za dla voor
    verwendungszweck svwz betreff concepto motif causale motivo omschrijving mandat mandate"""
)
_INSIDE_NAMES = word_set(
    """de da di do du dos das del della der den ten ter van von vom zu la le al el bin ibn ben st y
    e and und et en och og"""
)
_RELATIVES = word_set(
    """mom mum mummy mommy dad daddy papa mama grandma grandpa wife husband brother sister son
    daughter"""
)
# Words of the bank's own that behind a name are a company's: JOHN LEWIS FINANCE.
_TRADING = word_set("finance mortgage service services bank membership")
# Compounds that end so are a company's or an office's, whatever stands before.
_COMPOUNDS = (
    "werk", "werke", "bank", "kasse", "markt", "verein", "schaft", "versicherung", "verwaltung",
    "schule", "verlag", "klinik", "kliniken", "kirche", "bedrijf", "verzekering", "verket",
    "verk", "forsikring", "forsakring",
)  # fmt: skip
# Only surnames end so; there are more of them than any list holds.
_FAMILY_ENDINGS = (
    "ska", "cka", "ski", "cki", "sky", "ova", "eva", "ovic", "evic", "vich", "enko", "oglu",
    "poulos", "poulou", "idou", "sson", "dottir", "shvili",
)  # fmt: skip
_MOST_WORDS = 5  # of a name, initials included
# First names that are English words, too, but mostly names.
_ALSO_WORDS = word_set(
    "bob carol frank harry jack ken maria mark martin mike nick peter sally victor"
)
# First names by which cities and states, and what is named after them, are known as well.
_ALSO_PLACES = word_set(
    """austin dallas denver houston jackson madison charlotte savannah brooklyn chelsea florence
    georgia virginia carolina dakota montana arizona tennessee sydney victoria adelaide london
    paris milan roma sofia vienna lourdes santiago lincoln orlando phoenix kent devon lorraine
    alexandria cleveland columbus raleigh trenton camden salem santa san india asia america"""
)


@cache
def _first_names() -> frozenset[str]:
    return _read("first-names.txt.gz")


@cache
def _surnames() -> frozenset[str]:
    return _read("surnames.txt.gz")


def _read(name: str) -> frozenset[str]:
    with gzip.open(_DATA / name, "rt", encoding="utf-8") as content:
        return frozenset(content.read().split())


def _is_surname(word: str) -> bool:
    return word in _surnames() or (len(word) > 5 and word.endswith(_FAMILY_ENDINGS))


def is_person(words: Sequence[str]) -> bool:
    """Whether folded words are a person's whole name, in either order, initials included."""
    if not 2 <= len(words) <= _MOST_WORDS or not all(map(str.isalpha, words)):
        return False
    firsts = _first_names()
    if any(word in COMPANY and word not in _surnames() for word in words):
        return False
    names = [
        word
        for at, word in enumerate(words)
        if len(word) > 1 and not (word in _INSIDE_NAMES and 0 < at < len(words) - 1)
    ]
    if len(names) < 2:
        # J SMITH, JANE D
        return len(names) == 1 and (_is_surname(names[0]) or _is_first_name(names[0]))
    first, last = names[0], names[-1]
    if not (first in firsts and _is_surname(last)):
        if last in firsts and _is_surname(first):
            first, last = last, first
        elif not _is_first_name(first):
            return False
    unknown = [word for word in names if word not in firsts and not _is_surname(word)]
    return not unknown or (len(unknown) == 1 and _may_be_a_name(unknown[0]))


def named_person(words: Sequence[str]) -> bool:
    """Whether the words of a payment that no phrase of the bank's explains name a person.

    The bank's words, numbers and what the money was for may stand around the name.
    """
    return _is_person_at(words, *_name(words))


def mentions_person(words: Sequence[str]) -> bool:
    """Whether words may name a person anywhere among them, so that somebody should look."""
    return named_person(words) or any(
        is_person(words[at : at + 2]) and all(map(_may_be_known, words[at : at + 2]))
        for at in range(len(words) - 1)
    )


def handed_to_person(words: Sequence[str]) -> bool:
    """Whether words name a person and the bank's words around say that money was handed over.

    A bare name is a merchant's: many a shop is called as its owner.
    """
    start, end = _name(words)
    around = (*words[:start], *words[end:])
    led = any(word in _MONEY for word in around) or leads_to(words)
    return (led and _is_person_at(words, start, end)) or _stands_behind_money(words)


def _stands_behind_money(words: Sequence[str]) -> bool:
    """Whether a whole name of known names stands behind a word of money, whatever lies between."""
    first = next((at for at, word in enumerate(words) if word in _HANDED_OVER), len(words))
    return any(_begin_with_person(words[at:]) for at in range(first + 1, len(words) - 1))


def _begin_with_person(words: Sequence[str]) -> bool:
    """Whether two known names come first, and no word of a company's behind them."""
    return (
        is_person(words[:2])
        and all(map(_may_be_known, words[:2]))
        and not any(
            word in COMPANY or word in _TRADING or word.endswith(_COMPOUNDS) for word in words[2:]
        )
    )


def _may_be_known(word: str) -> bool:
    """Whether a word is a name in the lists, or an initial."""
    return len(word) == 1 or word in _first_names() or _is_surname(word)


def leads_to(words: Sequence[str]) -> bool:
    """Whether one of the words in front of the name says to or from whom."""
    start = _start(words)
    return any(word in _LEADING_TO for word in words[:start])


def _name(words: Sequence[str]) -> tuple[int, int]:
    """Where the name begins and ends: the bank's words, numbers and purposes stand around it."""
    start = _start(words)
    end = next((at for at in range(start + 1, len(words)) if words[at] in _ABOUT), len(words))
    while end > start and not is_person(words[max(start, end - 2) : end]):
        last = words[end - 1]
        if last.isalpha() and last not in BRANDS and (last not in _AROUND or last in _TRADING):
            break
        end -= 1
    return start, end


def _is_person_at(words: Sequence[str], start: int, end: int) -> bool:
    name = words[start:end]
    if not name:
        return False
    if name[0] in TITLES and len(name) > 1:
        behind = name[1 : _MOST_WORDS + 1]
        return any(map(_may_be_known, behind)) and COMPANY.isdisjoint(behind[-1:])
    if len(name) == 1:
        led = start > 0 and words[start - 1] in _LEADING_TO | _LENT
        led = led or not _FOR_SOMEBODY.isdisjoint((*words[:start], *words[end:]))
        return led and (name[0] in _RELATIVES or _is_first_name(name[0]))
    # What else was said may stand behind without a sign: JANE DOE FLAT 3.
    return is_person(name) or _begin_with_person(name)


def _start(words: Sequence[str]) -> int:
    """Where the name begins: behind the bank's words, numbers and what the money was for."""
    for at, word in enumerate(words):
        opens = len(word) == 1 or word not in _AROUND or word in _first_names()
        if opens and is_person(words[at : at + 2]):
            return at
        if word.isalpha() and (word not in _AROUND or word in TITLES):
            return at
    return len(words)


def _is_first_name(word: str) -> bool:
    """Whether a word is a first name even where nothing else is known to be a name."""
    if word not in _first_names() or is_also_place(word):
        return False
    return word in _ALSO_WORDS or not is_english(word)


def is_also_place(word: str) -> bool:
    """Whether a first name is a city's or a state's as well, and things are called after that."""
    return word in _ALSO_PLACES


def _may_be_a_name(word: str) -> bool:
    return (
        not is_english(word)
        and word not in _AROUND
        and word not in BANK_WORDS
        and not word.endswith(_COMPOUNDS)
    )
