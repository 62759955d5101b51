"""A publication reaches every transaction that it concerns."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from merchants.catalogue import importer
from merchants.matching.change_impact import Changes
from merchants.matching.heuristic import PaveHeuristic
from merchants.matching.types import Transaction

LABELLED = Path(__file__).parent / "data" / "labelled.csv"


@pytest.mark.parametrize("written", [str, str.upper, str.lower])
def test_a_merchant_that_is_added_may_affect_whatever_it_is_the_answer_of(written):
    merchants = [
        replace(
            merchant,
            name=written(merchant.name),
            website=written(merchant.website),
            aliases=tuple(map(written, merchant.aliases)),
        )
        for merchant in importer.shipped_content().merchants
    ]
    heuristic = PaveHeuristic(merchants)
    changes = {merchant.id: Changes(merchants=[merchant], rules=[]) for merchant in merchants}
    missed = []
    with LABELLED.open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            transaction = Transaction(row["description"])
            match = heuristic.match(transaction)
            if match.merchant_id and not changes[match.merchant_id].may_affect(transaction, None):
                missed.append((row["description"], match.name))
    assert missed == []


def test_an_article_counts_no_more_than_in_the_match():
    merchants = [
        merchant
        for merchant in importer.shipped_content().merchants
        if merchant.name.startswith("The ")
    ]
    assert len(merchants) > 50
    missed = []
    for merchant in merchants:
        loud = replace(merchant, name=merchant.name.upper(), aliases=(), website="")
        transaction = Transaction(f"{loud.name.removeprefix('THE ')} 0412 AUSTIN TX")
        if PaveHeuristic([loud]).match(transaction).merchant_id and not Changes(
            merchants=[loud], rules=[]
        ).may_affect(transaction, None):
            missed.append(loud.name)
    assert missed == []


def test_a_misspelt_name_without_its_blanks_counts_too():
    merchants = [
        merchant
        for merchant in importer.shipped_content().merchants
        if len(merchant.name.split()) > 1 and merchant.name.isascii()
    ][::20]
    matched, missed = 0, []
    for merchant in merchants:
        first, *others = merchant.name.split()
        transaction = Transaction(f"{first[:3]}{first[4:]}{''.join(others)}".upper())
        if PaveHeuristic([merchant]).match(transaction).merchant_id:
            matched += 1
            if not Changes(merchants=[merchant], rules=[]).may_affect(transaction, None):
                missed.append(transaction.description)
    assert matched > 50
    assert missed == []


def test_umlauts_that_are_spelled_out_count_too():
    merchant = replace(importer.shipped_content().merchants[0], name="Züri Velo", aliases=())
    transaction = Transaction("PAYPAL *ZUERIVELO412")
    assert PaveHeuristic([merchant]).match(transaction).merchant_id == merchant.id
    assert Changes(merchants=[merchant], rules=[]).may_affect(transaction, None)


def test_a_name_that_is_cut_off_and_has_other_blanks_counts_too():
    matched, missed = 0, []
    for merchant in importer.shipped_content().merchants:
        parts = re.findall("[A-Z][a-z]+", merchant.name)
        if len(parts) < 2 or "".join(parts) != merchant.name:  # PlayStation
            continue
        heuristic = PaveHeuristic([merchant])
        changes = Changes(merchants=[merchant], rules=[])
        whole = " ".join(parts).upper()
        for before in ("TST* ", "PAYPAL *", "SOUTH LAKE TAHOE "):
            for end in range(6, len(whole)):
                transaction = Transaction(before + whole[:end])
                if heuristic.match(transaction).merchant_id:
                    matched += 1
                    if not changes.may_affect(transaction, None):
                        missed.append(transaction.description)
    assert matched > 500
    assert missed == []
