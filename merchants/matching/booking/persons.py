"""Distinguishes names of persons from those of companies, by lists of names and company words.

The names are those of Faker (MIT, see data/names.LICENSE). One that is in neither list is not
recognised, and one that is also an everyday word counts only beside another name.
"""

import gzip
from collections.abc import Sequence
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
from pave.core.caching.loading import load_once

_DATA = Path(__file__).parents[2] / "data"
COMPANY = (
    COMPANY_WORDS | SHOP_WORDS | LEGAL_FORMS | word_set("dds dmd md dvm dpm cpa esq")
) - NON_MERCHANT_WORDS
# Words around a name that are no part of it: what the money was for, or whose it is.
_CONTEXT_WORDS = PARTICLES | NON_MERCHANT_WORDS | PURPOSES
# Those of them that indicate a payment to a person; the others occur in shops' names too.
_MONEY_WORDS = (NON_MERCHANT_WORDS | PURPOSES) - word_set(
    "a and at de du des from in la le no of on the to"
)
# Those that do so whatever stands between them and the name.
_PAYMENT_WORDS = word_set(
    """transfer transfers xfer wire payment payments inward remittance allowance babysitter sto blik
    wise"""
)
# Purposes of payments to persons only: a first name beside one is enough.
_PERSONAL_PURPOSES = word_set(
    """allowance babysitter babysitting alimony iou owed birthday bday gift dinner rent rente miete
    loyer alquiler affitto huur hyra husleie czynsz payback repayment reimbursement unterhalt
    taschengeld geschenk geburtstag mesada zakgeld"""
)
# Before a name: SOFI LOAN.
_LOAN_WORDS = word_set("loan loans darlehen prestamo emprestimo prestito lening")
# Before the payee or payer.
_PREPOSITIONS = word_set("to from for an von fur fuer para por pour till fran til fra od dla naar")
# Before what the money was for: JANE DOE FOR GAS.
_PURPOSE_MARKERS = word_set(
    """for ref reference re memo note fur fuer pour para por per za dla voor
    verwendungszweck svwz betreff concepto motif causale motivo omschrijving mandat mandate"""
)
_NAME_PARTICLES = word_set(
    """de da di do du dos das del della der den ten ter van von vom zu la le al el bin ibn ben st y
    e and und et en och og"""
)
_RELATIVES = word_set(
    """mom mum mummy mommy dad daddy papa mama grandma grandpa wife husband brother sister son
    daughter"""
)
# Bank words that make the name before them a company's: JOHN LEWIS FINANCE.
_COMPANY_SUFFIXES = word_set("finance mortgage service services bank membership")
# Endings of compounds that name a company or an office.
_COMPANY_ENDINGS = (
    "werk", "werke", "bank", "kasse", "markt", "verein", "schaft", "versicherung", "verwaltung",
    "schule", "verlag", "klinik", "kliniken", "kirche", "bedrijf", "verzekering", "verket",
    "verk", "forsikring", "forsakring",
)  # fmt: skip
# Endings of surnames only, of which there are more than any list holds.
_SURNAME_ENDINGS = (
    "ska", "cka", "ski", "cki", "sky", "ova", "eva", "ovic", "evic", "vich", "enko", "oglu",
    "poulos", "poulou", "idou", "sson", "dottir", "shvili",
)  # fmt: skip
_MAX_WORDS = 5  # of a name, with initials
# First names that are also English words, but mostly names.
_ALSO_ENGLISH_WORDS = word_set(
    "bob carol frank harry jack ken maria mark martin mike nick peter sally victor"
)
# First names that are also cities or states, and so part of other names.
_ALSO_CITIES = word_set(
    """austin dallas denver houston jackson madison charlotte savannah brooklyn chelsea florence
    georgia virginia carolina dakota montana arizona tennessee sydney victoria adelaide london
    paris milan roma sofia vienna lourdes santiago lincoln orlando phoenix kent devon lorraine
    alexandria cleveland columbus raleigh trenton camden salem santa san india asia america"""
)


@load_once(at_start=True)
def _first_names() -> frozenset[str]:
    return _read("first-names.txt.gz")


@load_once(at_start=True)
def _surnames() -> frozenset[str]:
    return _read("surnames.txt.gz")


def _read(name: str) -> frozenset[str]:
    with gzip.open(_DATA / name, "rt", encoding="utf-8") as content:
        return frozenset(content.read().split())


def _is_surname(word: str) -> bool:
    return word in _surnames() or (len(word) > 5 and word.endswith(_SURNAME_ENDINGS))


def is_person(words: Sequence[str]) -> bool:
    """Whether folded words are a person's full name, in either order, with or without initials."""
    if not 2 <= len(words) <= _MAX_WORDS or not all(map(str.isalpha, words)):
        return False
    firsts = _first_names()
    if any(word in COMPANY and word not in _surnames() for word in words):
        return False
    names = [
        word
        for index, word in enumerate(words)
        if len(word) > 1 and not (word in _NAME_PARTICLES and 0 < index < len(words) - 1)
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
    return not unknown or (len(unknown) == 1 and _may_be_name(unknown[0]))


def names_person(words: Sequence[str]) -> bool:
    """Whether the words of a payment outside of phrases name a person.

    Bank words, numbers and the purpose may stand around the name.
    """
    return _is_person_at(words, *_name_span(words))


def mentions_person(words: Sequence[str]) -> bool:
    """Whether words may contain a person's name, so that somebody should check them."""
    return names_person(words) or any(
        is_person(words[index : index + 2]) and all(map(_is_listed_name, words[index : index + 2]))
        for index in range(len(words) - 1)
    )


def pays_person(words: Sequence[str]) -> bool:
    """Whether words name a person and the words around it indicate a payment.

    A bare name is a merchant's: many shops are named after their owner.
    """
    start, end = _name_span(words)
    context = (*words[:start], *words[end:])
    is_payment = any(word in _MONEY_WORDS for word in context) or has_preposition(words)
    return (is_payment and _is_person_at(words, start, end)) or _follows_payment_word(words)


def _follows_payment_word(words: Sequence[str]) -> bool:
    """Whether a full name of listed names follows a payment word, whatever lies between."""
    payment_word = next(
        (index for index, word in enumerate(words) if word in _PAYMENT_WORDS), len(words)
    )
    return any(
        _starts_with_person(words[index:]) for index in range(payment_word + 1, len(words) - 1)
    )


def _starts_with_person(words: Sequence[str]) -> bool:
    """Whether words begin with two listed names and no company word follows."""
    return (
        is_person(words[:2])
        and all(map(_is_listed_name, words[:2]))
        and not any(
            word in COMPANY or word in _COMPANY_SUFFIXES or word.endswith(_COMPANY_ENDINGS)
            for word in words[2:]
        )
    )


def _is_listed_name(word: str) -> bool:
    """Whether a word is a listed name or an initial."""
    return len(word) == 1 or word in _first_names() or _is_surname(word)


def has_preposition(words: Sequence[str]) -> bool:
    """Whether a preposition (to, from) precedes the name."""
    start = _name_start(words)
    return any(word in _PREPOSITIONS for word in words[:start])


def _name_span(words: Sequence[str]) -> tuple[int, int]:
    """Where the name begins and ends, between bank words, numbers and purposes."""
    start = _name_start(words)
    end = next(
        (index for index in range(start + 1, len(words)) if words[index] in _PURPOSE_MARKERS),
        len(words),
    )
    while end > start and not is_person(words[max(start, end - 2) : end]):
        last = words[end - 1]
        if (
            last.isalpha()
            and last not in BRANDS
            and (last not in _CONTEXT_WORDS or last in _COMPANY_SUFFIXES)
        ):
            break
        end -= 1
    return start, end


def _is_person_at(words: Sequence[str], start: int, end: int) -> bool:
    name = words[start:end]
    if not name:
        return False
    if name[0] in TITLES and len(name) > 1:
        words_after_title = name[1 : _MAX_WORDS + 1]
        return any(map(_is_listed_name, words_after_title)) and COMPANY.isdisjoint(
            words_after_title[-1:]
        )
    if len(name) == 1:
        is_payment = start > 0 and words[start - 1] in _PREPOSITIONS | _LOAN_WORDS
        is_payment = is_payment or not _PERSONAL_PURPOSES.isdisjoint((*words[:start], *words[end:]))
        return is_payment and (name[0] in _RELATIVES or _is_first_name(name[0]))
    # Other words may follow without a marker: JANE DOE FLAT 3.
    return is_person(name) or _starts_with_person(name)


def _name_start(words: Sequence[str]) -> int:
    """Where the name begins, after bank words, numbers and purposes."""
    for index, word in enumerate(words):
        may_begin_name = len(word) == 1 or word not in _CONTEXT_WORDS or word in _first_names()
        if may_begin_name and is_person(words[index : index + 2]):
            return index
        if word.isalpha() and (word not in _CONTEXT_WORDS or word in TITLES):
            return index
    return len(words)


def _is_first_name(word: str) -> bool:
    """Whether a word is a first name even without another name beside it."""
    if word not in _first_names() or is_also_city(word):
        return False
    return word in _ALSO_ENGLISH_WORDS or not is_english(word)


def is_also_city(word: str) -> bool:
    """Whether a first name is also a city's or a state's."""
    return word in _ALSO_CITIES


def _may_be_name(word: str) -> bool:
    return (
        not is_english(word)
        and word not in _CONTEXT_WORDS
        and word not in BANK_WORDS
        and not word.endswith(_COMPANY_ENDINGS)
    )
