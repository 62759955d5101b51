"""Two rows that are one merchant become one, and no id that was given out is lost."""

import pytest
from rest_framework.test import APIClient

from merchants.catalogue import merge, rulesets
from merchants.models import Alias, Feedback, Merchant, Rule
from tests.factories import AliasFactory, MerchantFactory, NormalizationRequestFactory


@pytest.fixture
def twins(db: None) -> tuple[Merchant, Merchant]:
    """A merchant that is in the catalogue twice."""
    old = MerchantFactory(name="Joes Coffe", website="https://joes.example", mccs=["5814"])
    AliasFactory(merchant=old, text="JOES COFFE")
    AliasFactory(merchant=old, text="JOES")
    new = MerchantFactory(name="Joe's Coffee", mccs=["5812"], countries=["US"])
    AliasFactory(merchant=new, text="JOES")
    return old, new


def test_aliases_rules_and_feedback_move(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    rule = Rule.objects.create(pattern="JOES", merchant=old)
    feedback = Feedback.objects.create(
        request=NormalizationRequestFactory(), merchant_name="Joe", merchant=old
    )
    gained = merge.merge(merchant=old, into=new)
    assert gained == 2
    assert set(new.aliases.values_list("text", flat=True)) == {"JOES", "JOES COFFE", "Joes Coffe"}
    rule.refresh_from_db()
    feedback.refresh_from_db()
    assert rule.merchant == new
    assert feedback.merchant == new


def test_the_old_one_stays_and_points_to_its_successor(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    merge.merge(merchant=old, into=new)
    assert not old.active
    assert old.merged_into == new
    assert not Alias.objects.filter(merchant=old).exists()


def test_what_only_the_old_one_knew_is_kept(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    old.websites, new.websites = (
        {"DE": "https://joes.de", "FR": "https://a.fr"},
        {"FR": "https://b.fr"},
    )
    old.save()
    new.save()
    merge.merge(merchant=old, into=new)
    assert new.website == "https://joes.example"
    assert new.websites == {"DE": "https://joes.de", "FR": "https://b.fr"}
    assert new.mccs == ["5812", "5814"]
    assert new.countries == []  # the old one traded anywhere


def test_earlier_mergers_lead_to_the_last_successor(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    first = MerchantFactory(name="Joe")
    merge.merge(merchant=first, into=old)
    merge.merge(merchant=old, into=new)
    first.refresh_from_db()
    assert first.merged_into == new


def test_the_draft_has_only_the_successor(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    merge.merge(merchant=old, into=new)
    [merchant] = rulesets.draft().merchants
    assert merchant.id == str(new.pk)
    assert "JOES COFFE" in merchant.aliases


def test_some_cannot_be_merged(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    with pytest.raises(merge.CannotMerge, match="itself"):
        merge.merge(merchant=new, into=new)
    merge.merge(merchant=old, into=new)
    with pytest.raises(merge.CannotMerge, match="not active"):
        merge.merge(merchant=old, into=new)
    with pytest.raises(merge.CannotMerge, match="not active"):
        merge.merge(merchant=new, into=old)


def test_the_old_id_is_still_answered_and_names_the_new_one(
    twins: tuple[Merchant, Merchant], api: APIClient
) -> None:
    old, new = twins
    merge.merge(merchant=old, into=new)
    body = api.get(f"/v1/merchants/{old.pk}").json()
    assert body["id"] == str(old.pk)
    assert body["merged_into"] == str(new.pk)
    assert api.get(f"/v1/merchants/{new.pk}").json()["merged_into"] is None


def test_a_hidden_alias_stays_hidden(twins: tuple[Merchant, Merchant]) -> None:
    old, new = twins
    AliasFactory(merchant=old, text="JOES JOHN SMITH", published=False)
    merge.merge(merchant=old, into=new)
    assert not new.aliases.get(text="JOES JOHN SMITH").published
    assert new.aliases.get(text="JOES COFFE").published
