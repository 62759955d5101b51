"""A publication reaches every transaction that it concerns."""

import csv
from pathlib import Path

from merchants.catalogue import importer
from merchants.matching.change_impact import Changes
from merchants.matching.heuristic import PaveHeuristic
from merchants.matching.types import Transaction

LABELLED = Path(__file__).parent / "data" / "labelled.csv"


def test_a_merchant_that_is_added_may_affect_whatever_it_is_the_answer_of():
    merchants = importer.shipped_content().merchants
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
