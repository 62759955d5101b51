"""What a heuristic of one's own, and an environment of the release before, still name."""

import pytest
from django.test import override_settings

from merchants import heuristic, question
from merchants.catalogue import rulesets
from merchants.matching import types

OLD_PATH = "merchants.rulesets.CatalogueHeuristic"


@pytest.mark.parametrize("name", ["Key", "Match", "Method", "Transaction"])
def test_the_types_are_the_same_at_their_old_places(name):
    assert getattr(question, name) is getattr(heuristic, name) is getattr(types, name)


@override_settings(PAVE_HEURISTIC=OLD_PATH)
def test_the_old_name_of_the_heuristic_still_answers_from_rulesets():
    assert rulesets.uses_rulesets()
