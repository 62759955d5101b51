"""The draft beside what is published."""

import pytest
from django.urls import reverse

from merchants.catalogue import draft, preview, rulesets
from merchants.matching.types import Transaction
from merchants.models import Merchant, Rule
from merchants.requests import erasure
from tests.factories import AliasFactory, MerchantFactory, NormalizationRequestFactory
from tests.merchants.heuristics import FirstWord


@pytest.fixture
def published(db: None) -> Merchant:
    """A catalogue of one merchant, published."""
    merchant = MerchantFactory(name="Netflix")
    rulesets.publish(note="first", by="test")
    return merchant


def test_nothing_differs_after_publishing(published: Merchant) -> None:
    assert draft.differences() == []


def test_differences_name_what_was_added_changed_and_removed(published: Merchant) -> None:
    rule = Rule.objects.create(kind="prefix", pattern="NFLX", merchant=published)
    AliasFactory(merchant=published, text="NFLX")
    added, changed = draft.differences()
    assert (added.what, added.kind, added.name) == ("rule", "added", "prefix “NFLX”")
    assert added.fields["merchant_id"] == ("", "Netflix")
    assert (changed.what, changed.kind) == ("merchant", "changed")
    assert changed.fields == {"aliases": ("", "NFLX")}
    rulesets.publish(note="second", by="test")
    rule.delete()
    [removed] = draft.differences()
    assert (removed.kind, removed.name) == ("removed", "prefix “NFLX”")


def test_the_fingerprint_changes_with_the_draft_and_with_a_publication(
    published: Merchant,
) -> None:
    seen = {draft.fingerprint()}
    rule = Rule.objects.create(kind="exact", pattern="X")
    seen.add(draft.fingerprint())
    rule.pattern = "Y"
    rule.save()
    seen.add(draft.fingerprint())
    AliasFactory(merchant=published)
    seen.add(draft.fingerprint())
    rulesets.publish(note="second", by="test")
    seen.add(draft.fingerprint())
    assert len(seen) == 5
    Rule.objects.update(hits=7)
    assert draft.fingerprint() in seen


def test_trying_shows_both_answers_and_why(published: Merchant) -> None:
    other = MerchantFactory(name="Krusty Burger")
    Rule.objects.create(kind="prefix", pattern="KRUSTY", merchant=other)
    tried = draft.try_out(Transaction("KRUSTY BURGER 99"))
    assert tried.differs
    assert tried.published.merchant_id is None
    assert tried.draft.merchant_id == str(other.pk)
    assert any("rule" in line for line in tried.draft.evidence)
    assert not draft.try_out(Transaction("NETFLIX.COM")).differs


def test_a_preview_is_worked_out_once(published: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    NormalizationRequestFactory(description="KRUSTY BURGER 99")
    Rule.objects.create(kind="prefix", pattern="KRUSTY", merchant=published)
    assert draft.preview_of_draft(compute=False) is None
    worked_out = draft.preview_of_draft(compute=True)
    assert worked_out is not None
    assert worked_out.gained == 1

    def never() -> None:
        pytest.fail("worked out again")

    monkeypatch.setattr(draft, "preview", never)
    assert draft.preview_of_draft(compute=True) == worked_out


def test_a_preview_that_takes_long_says_how_far_it_came(
    published: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        NormalizationRequestFactory(description=f"KRUSTY BURGER {number}")
    assert preview.preview().examined == 3
    monkeypatch.setattr(preview, "CPU_SECONDS", 0)
    assert preview.preview().examined == 1


def test_a_preview_keeps_nothing_of_a_client_that_is_erased(published: Merchant) -> None:
    request = NormalizationRequestFactory(description="WIGGLEFEX MARIA GARCIA")
    Rule.objects.create(kind="contains", pattern="wigglefex", merchant=published)
    seen = draft.preview_of_draft(compute=True)
    assert seen is not None
    [example] = draft.examples_of(seen)["gained"]
    assert example.description == "WIGGLEFEX MARIA GARCIA"
    assert "wigglefex" not in repr(seen).casefold()
    list(erasure.erase(client=request.client))
    assert draft.examples_of(seen)["gained"] == []  # on a page that was asked for before
    assert draft.preview_of_draft(compute=False) is None


def test_a_heuristic_of_ones_own_is_not_run_for_a_page(superuser, settings, published):
    settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"
    runs = FirstWord.runs
    page = superuser.get(reverse("admin:merchants_ruleset_try"), {"description": "NETFLIX.COM"})
    assert FirstWord.runs == runs
    assert ">Netflix</a>" in page.content.decode()
    assert "a heuristic of your own" in page.content.decode()
