"""Who took part, as a client is told it."""

import pytest

from merchants.catalogue import rulesets
from merchants.models import Alias, Merchant
from merchants.requests import admission, worker

pytestmark = pytest.mark.django_db(transaction=True)


def ask(api, text):
    assert api.post("/v1/normalizations", {"description": text}, format="json").status_code == 202
    while admission.admit_batch() or worker.resolve_due():
        pass
    return api.get("/v1/normalizations").json()["data"][0]


@pytest.fixture
def merchants():
    made = {
        name: Merchant.objects.create(name=name, category=category)
        for name, category in (
            ("Amazon", "online_marketplace"), ("DoorDash", "food_delivery"),
            ("Paul Smith", "clothing_store"), ("Zelle", "money_transfer"),
        )
    }  # fmt: skip
    Alias.objects.create(merchant=made["Amazon"], text="AMZN MKTP US")
    rulesets.publish(note="One", by="test")
    return {name: str(merchant.pk) for name, merchant in made.items()}


@pytest.mark.parametrize("text", ["AMZN MKTP US*2K4TR91A3", "AMAZON MARKETPLACE"])
def test_a_marketplace_that_is_the_merchant_is_there_once_as_what_it_is(api, merchants, text):
    found = ask(api, text)
    assert found["merchant"]["name"] == "Amazon"
    assert found["counterparties"] == [
        {"type": "marketplace", "name": "Amazon", "id": merchants["Amazon"]}
    ]


@pytest.mark.parametrize("text", ["AMAZON.COM*2K4TR91A3", "AMAZON PRIME*2K4TR91A3", "AMAZON"])
def test_amazons_own_shop_is_a_merchant(api, merchants, text):
    found = ask(api, text)
    assert found["merchant"]["name"] == "Amazon"
    assert found["counterparties"] == [
        {"type": "merchant", "name": "Amazon", "id": merchants["Amazon"]}
    ]


def test_a_delivery_service_is_a_marketplace_only_with_a_shop(api, merchants):
    dash = {"name": "DoorDash", "id": merchants["DoorDash"]}
    assert ask(api, "DOORDASH*FERN CAFE")["counterparties"] == [{"type": "marketplace", **dash}]
    assert ask(api, "DOORDASH")["counterparties"] == [{"type": "merchant", **dash}]


def test_a_person_has_no_name(api, merchants):
    found = ask(api, "PAYMENT TO JANE DOE")
    assert (found["merchant"]["name"], found["kind"]) == ("n/a", "person_to_person")
    assert found["counterparties"] == [{"type": "person", "name": None, "id": None}]


def test_a_brand_that_is_called_as_a_person_is_a_shop(api, merchants):
    found = ask(api, "PAYMENT TO PAUL SMITH")
    assert (found["merchant"]["name"], found["kind"]) == ("Paul Smith", "purchase")
    assert [party["type"] for party in found["counterparties"]] == ["merchant"]


def test_a_service_that_moves_money_is_no_shop(api, merchants):
    found = ask(api, "ZELLE TO JANE PARIS")
    assert (found["merchant"]["name"], found["kind"]) == ("Zelle", "person_to_person")
    assert [party["type"] for party in found["counterparties"]] == ["merchant", "person"]
    assert set(found["location"].values()) == {None}
