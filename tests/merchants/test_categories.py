"""The published list of categories, and who speaks in its words."""

import csv
import gzip
import json
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import iso18245
import pytest
from django.apps import apps
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from merchants.catalogue import draft, importer, rulesets
from merchants.catalogue.sources.osm_tags import MCCS
from merchants.catalogue.sources.records import MerchantRecord
from merchants.catalogue.sources.shipped import INDEX_FILE, SUPPLEMENT_FILE, load_shipped
from merchants.matching.categories import (
    all_categories,
    as_member,
    choices,
    of_mcc,
    of_word,
    stored_word,
)
from merchants.matching.types import CatalogueMerchant
from merchants.models import Merchant, Revision, Ruleset
from tests.api.problems import problem
from tests.factories import MerchantFactory
from tests.merchants.category_tables import DOCUMENT, written

PATH = "/v1/categories"
DETAILED = [category.detailed for category in all_categories()]
# What the catalogue called its merchants before there was the list.
OLD_WORDS = (Path(__file__).parent / "old_categories.txt").read_text().splitlines()
# Plaid's personal finance categories, version 1, that some merchant may be in.
PLAID = {
    f"{primary}_{detailed}"
    for primary, words in {
        "BANK_FEES": "OTHER_BANK_FEES",
        "ENTERTAINMENT": "CASINOS_AND_GAMBLING MUSIC_AND_AUDIO OTHER_ENTERTAINMENT "
        "SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS TV_AND_MOVIES VIDEO_GAMES",
        "FOOD_AND_DRINK": "BEER_WINE_AND_LIQUOR COFFEE FAST_FOOD GROCERIES OTHER_FOOD_AND_DRINK "
        "RESTAURANT VENDING_MACHINES",
        "GENERAL_MERCHANDISE": "BOOKSTORES_AND_NEWSSTANDS CLOTHING_AND_ACCESSORIES "
        "CONVENIENCE_STORES DEPARTMENT_STORES DISCOUNT_STORES ELECTRONICS GIFTS_AND_NOVELTIES "
        "OFFICE_SUPPLIES ONLINE_MARKETPLACES OTHER_GENERAL_MERCHANDISE PET_SUPPLIES "
        "SPORTING_GOODS SUPERSTORES TOBACCO_AND_VAPE",
        "GENERAL_SERVICES": "ACCOUNTING_AND_FINANCIAL_PLANNING AUTOMOTIVE CHILDCARE "
        "CONSULTING_AND_LEGAL EDUCATION INSURANCE OTHER_GENERAL_SERVICES POSTAGE_AND_SHIPPING "
        "STORAGE",
        "GOVERNMENT_AND_NON_PROFIT": "DONATIONS GOVERNMENT_DEPARTMENTS_AND_AGENCIES "
        "OTHER_GOVERNMENT_AND_NON_PROFIT TAX_PAYMENT",
        "HOME_IMPROVEMENT": "FURNITURE HARDWARE OTHER_HOME_IMPROVEMENT REPAIR_AND_MAINTENANCE "
        "SECURITY",
        "LOAN_PAYMENTS": "OTHER_PAYMENT PERSONAL_LOAN_PAYMENT",
        "MEDICAL": "DENTAL_CARE EYE_CARE NURSING_CARE OTHER_MEDICAL PHARMACIES_AND_SUPPLEMENTS "
        "PRIMARY_CARE VETERINARY_SERVICES",
        "PERSONAL_CARE": "GYMS_AND_FITNESS_CENTERS HAIR_AND_BEAUTY LAUNDRY_AND_DRY_CLEANING "
        "OTHER_PERSONAL_CARE",
        "RENT_AND_UTILITIES": "GAS_AND_ELECTRICITY INTERNET_AND_CABLE OTHER_UTILITIES RENT "
        "SEWAGE_AND_WASTE_MANAGEMENT TELEPHONE WATER",
        "TRANSFER_OUT": "ACCOUNT_TRANSFER INVESTMENT_AND_RETIREMENT_FUNDS OTHER_TRANSFER_OUT "
        "WITHDRAWAL",
        "TRANSPORTATION": "BIKES_AND_SCOOTERS GAS OTHER_TRANSPORTATION PARKING PUBLIC_TRANSIT "
        "TAXIS_AND_RIDE_SHARES TOLLS",
        "TRAVEL": "FLIGHTS LODGING OTHER_TRAVEL RENTAL_CARS",
    }.items()
    for detailed in words.split()
}


def test_words_are_of_one_form_and_detailed_ones_are_unique() -> None:
    assert len(set(DETAILED)) == len(DETAILED)
    for one in all_categories():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", one.primary)
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", one.detailed)
        assert one.title.strip() == one.title != ""


def test_the_categories_of_a_primary_stand_together() -> None:
    primaries = [category.primary for category in all_categories()]
    changes = sum(one != other for one, other in pairwise(primaries))
    assert changes == len(set(primaries)) - 1


def test_every_mcc_of_the_standard_means_one_category() -> None:
    codes = [mcc for category in all_categories() for mcc in category.mccs]
    assert len(set(codes)) == len(codes)
    assert {mcc.mcc for mcc in iso18245.get_all_mccs()} <= set(codes)
    # And none but those, and what is left free between single airlines, rentals and hotels.
    known = {mcc.mcc for mcc in iso18245.get_all_mccs()}
    assert all("3000" <= mcc <= "3999" for mcc in set(codes) - known)


@pytest.mark.parametrize(
    ("mcc", "detailed"),
    [
        ("5814", "fast_food"), ("3058", "airline"), ("3405", "car_rental"), ("3501", "lodging"),
        ("3998", "train"), ("0742", "veterinarian"), ("9950", "other_business_services"),
    ],
)  # fmt: skip
def test_an_mcc_gives_a_category(mcc: str, detailed: str) -> None:
    category = of_mcc(mcc)
    assert category is not None
    assert category.detailed == detailed
    assert mcc in category.mccs


@pytest.mark.parametrize("mcc", ["", "0000", "581", "58140", "MCC", "５８１４"])
def test_what_is_no_mcc_gives_none(mcc: str) -> None:
    assert of_mcc(mcc) is None


def test_every_old_word_means_a_category() -> None:
    assert len(OLD_WORDS) > 320
    assert [word for word in OLD_WORDS if of_word(word) is None] == []


def test_every_category_of_the_name_suggestion_index_means_one() -> None:
    assert [path for path in MCCS if of_word(path) is None] == []


def test_no_word_means_two_categories() -> None:
    words = [word for one in all_categories() for word in (one.detailed, *one.words)]
    assert sorted(set(words)) == sorted(words)


@pytest.mark.parametrize(
    ("word", "mcc", "detailed"),
    [
        ("fast food", "", "fast_food"),
        ("Fast-Food", "", "fast_food"),
        ("amenity/fast_food", "", "fast_food"),
        ("  Restaurant ", "", "restaurant"),
        ("transport", "4112", "train"),
        ("transport", "4131", "public_transit"),
        ("streaming", "4899", "video_streaming"),
        ("streaming", "5815", "music_streaming"),
        ("cafe", "5814", "cafe"),
    ],
)
def test_a_word_is_taken_however_it_is_written(word: str, mcc: str, detailed: str) -> None:
    category = of_word(word, mcc)
    assert category is not None
    assert category.detailed == detailed


@pytest.mark.parametrize("word", ["", " ", "/", "@", "no such word", "x" * 10_000, "\x00"])
def test_any_other_text_means_none(word: str) -> None:
    assert of_word(word) is None


def test_a_category_is_answered_from_a_word_else_from_the_mcc() -> None:
    cafe = {"primary": "food_and_drink", "detailed": "cafe"}
    assert as_member("cafe", "5814") == as_member("coffee", None) == cafe
    assert as_member("", "5814") == as_member("no such word", "5814") == {
        "primary": "food_and_drink", "detailed": "fast_food",
    }  # fmt: skip
    assert as_member(None, "5814") == as_member("", "5814")
    assert as_member("", None) is as_member(None, None) is None
    assert as_member("no such word", "0000") is None


def test_plaids_categories_are_plaids_and_none_is_left_out() -> None:
    assert {category.plaid for category in all_categories()} == PLAID


def test_the_document_has_the_list_as_it_is() -> None:
    text = DOCUMENT.read_text()
    assert text == written(text), "run: python -m tests.merchants.category_tables"
    assert text.count("\n| `") == len(DETAILED) + len(PLAID)
    primaries = {category.primary for category in all_categories()}
    assert f"{len(primaries)} `primary` and {len(DETAILED)} `detailed`" in text


# --- The shipped catalogue


def test_the_shipped_files_are_in_words_of_the_list() -> None:
    with SUPPLEMENT_FILE.open(encoding="utf-8", newline="") as lines:
        words = {row["category"] for row in csv.DictReader(lines)}
    with gzip.open(INDEX_FILE, "rt", encoding="utf-8") as content:
        words |= {row[6] for row in json.load(content)}
    assert words - {""} <= set(DETAILED)


def test_every_shipped_merchant_is_in_a_category_or_has_no_mcc() -> None:
    for record in load_shipped():
        assert record.category in DETAILED or (record.category == "" and not record.mccs), record


def test_what_a_source_calls_a_category_becomes_a_word_of_the_list() -> None:
    assert MerchantRecord("k", "N", category="fast food").category == "fast_food"
    assert MerchantRecord("k", "N", mccs=("5814",)).category == "fast_food"
    assert MerchantRecord("k", "N", category="no such word", mccs=("5541",)).category == (
        "fuel_station"
    )
    assert MerchantRecord("k", "N", category="no such word").category == ""


# --- The database


@pytest.mark.django_db
@pytest.mark.storage
def test_an_import_writes_words_of_the_list() -> None:
    records = [
        MerchantRecord("a", "Krusty Burger", category="fast food"),
        MerchantRecord("b", "Moe's", mccs=("5813",)),
        MerchantRecord("c", "Nothing"),
    ]
    importer.import_records(records, note="test")
    stored = dict(Merchant.objects.values_list("name", "category"))
    assert stored == {"Krusty Burger": "fast_food", "Moe's": "bar", "Nothing": ""}
    assert importer.import_records(records, note="test").unchanged == 3


def migrate_rows() -> None:
    migration = import_module("merchants.migrations.0010_categories")
    with connection.schema_editor() as editor:
        migration.rewrite(apps, editor)


@pytest.mark.django_db(transaction=True)
@pytest.mark.storage
def test_the_migration_rewrites_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("merchants.migrations.0010_categories")
    monkeypatch.setattr(migration, "CHUNK", 50)
    rows = [MerchantFactory(name=f"old {word}", category=word) for word in OLD_WORDS]
    train = MerchantFactory(category="transport", mccs=["4112"])
    unknown = MerchantFactory(category="no such word", mccs=["5814"])
    empty = MerchantFactory(category="", mccs=["5541"])
    nothing = MerchantFactory(category="no such word")
    kept = MerchantFactory(category="cafe", mccs=["5814"])
    changed_at = kept.updated_at

    migrate_rows()

    stored = dict(Merchant.objects.values_list("pk", "category"))
    assert {word: stored[row.pk] for word, row in zip(OLD_WORDS, rows, strict=True)} == {
        word: stored_word(word, ()) for word in OLD_WORDS
    }
    assert set(stored.values()) <= {*DETAILED, ""}
    assert [stored[row.pk] for row in (train, unknown, empty, nothing, kept)] == [
        "train", "fast_food", "fuel_station", "", "cafe",
    ]  # fmt: skip
    kept.refresh_from_db()
    assert kept.updated_at == changed_at
    with CaptureQueriesContext(connection) as captured:
        migrate_rows()
    assert [query for query in captured if "UPDATE" in query["sql"]] == []


def packed_before_the_list(*merchants: CatalogueMerchant) -> bytes:
    return rulesets.Content(merchants=merchants).packed()


@pytest.mark.django_db(transaction=True)
@pytest.mark.storage
def test_a_ruleset_from_before_the_list_does_not_differ_by_its_words() -> None:
    rows = [
        MerchantFactory(name="Krusty Burger", category="fast food", mccs=["5814"]),
        MerchantFactory(name="Amtrak", category="transport", mccs=["4112"]),
        MerchantFactory(name="Moe's", category="", mccs=["5813"]),
        MerchantFactory(name="Nothing", category="no such word"),
    ]
    old = packed_before_the_list(
        *(
            CatalogueMerchant(
                str(row.pk), row.name, mccs=tuple(row.mccs), category=row.category
            )
            for row in sorted(rows, key=lambda row: row.pk)
        )
    )  # fmt: skip
    first = Ruleset.objects.create(note="old", content=old)

    migrate_rows()

    assert draft.differences() == []
    assert rulesets.publish(note="nothing new", by="test") == first
    assert Revision.objects.count() == 0
    # A real change is one, and the only one.
    Merchant.objects.filter(pk=rows[0].pk).update(category="restaurant")
    [difference] = draft.differences()
    assert difference.fields == {"category": ("fast_food", "restaurant")}
    second = rulesets.publish(note="a change", by="test")
    assert second != first
    back = rulesets.roll_back(to=first, by="test")
    words = {one.name: one.category for one in rulesets.content_of(back.number).merchants}
    assert words == {
        "Krusty Burger": "fast_food", "Amtrak": "train", "Moe's": "bar", "Nothing": "",
    }  # fmt: skip


# --- The API


@pytest.mark.django_db
@pytest.mark.storage
def test_the_list_is_answered_whole(api) -> None:
    answer = api.get(PATH)
    assert answer.status_code == 200
    page = answer.json()
    assert (page["next_cursor"], page["previous_cursor"]) == (None, None)
    assert [one["detailed"] for one in page["data"]] == DETAILED
    [fast_food] = [one for one in page["data"] if one["detailed"] == "fast_food"]
    assert fast_food == {
        "primary": "food_and_drink",
        "detailed": "fast_food",
        "title": "Fast food",
        "mccs": ["5814"],
        "plaid": "FOOD_AND_DRINK_FAST_FOOD",
    }


@pytest.mark.django_db
def test_who_has_the_list_need_not_load_it_again(api) -> None:
    answer = api.get(PATH)
    assert "private" in answer["Cache-Control"]
    assert "max-age=" in answer["Cache-Control"]
    again = api.get(PATH, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == answer["ETag"]
    assert api.get(PATH, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.django_db
def test_it_needs_a_key_and_has_no_parameters(api, client) -> None:
    problem(client.get(PATH), 401)
    etag = api.get(PATH)["ETag"]
    refused = client.get(PATH, headers={"If-None-Match": etag})
    problem(refused, 401)
    assert "Cache-Control" not in refused
    problem(api.get(f"{PATH}?search=x"), 400, "search")
    problem(api.post(PATH, {}, format="json"), 405)


@pytest.mark.django_db
def test_a_merchant_has_its_category_as_an_object(api) -> None:
    cafe = MerchantFactory(name="Blue Bottle", category="cafe", mccs=["5814"])
    by_mcc = MerchantFactory(name="Moe's", mccs=["5813"])
    none = MerchantFactory(name="Nothing")
    found = {one["id"]: one["category"] for one in api.get("/v1/merchants").json()["data"]}
    assert found == {
        str(cafe.pk): {"primary": "food_and_drink", "detailed": "cafe"},
        str(by_mcc.pk): {"primary": "food_and_drink", "detailed": "bar"},
        str(none.pk): None,
    }


# --- Staff's pages


def save(browser: Browser, merchant: Merchant, category: str):
    form = {
        "opened_at": merchant.updated_at.isoformat(),
        "name": merchant.name, "category": category, "active": "on", "mccs": "[]",
        "countries": "[]", "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0",
    }  # fmt: skip
    return browser.post(f"/admin/merchants/merchant/{merchant.pk}/change/", form)


@pytest.mark.django_db
def test_staff_choose_a_category_from_the_list(superuser: Browser) -> None:
    merchant = MerchantFactory(name="Blue Bottle")
    page = superuser.get(f"/admin/merchants/merchant/{merchant.pk}/change/").content.decode()
    assert page.count("<optgroup") == len(choices())
    assert re.findall(r'<option value="([a-z_]+)"', page) == DETAILED
    assert save(superuser, merchant, "cafe").status_code == 302
    merchant.refresh_from_db()
    assert merchant.category == "cafe"
    refused = save(superuser, merchant, "fast food")
    assert "Select a valid choice" in refused.content.decode()
    assert save(superuser, merchant, "").status_code == 302
    merchant.refresh_from_db()
    assert merchant.category == ""


@pytest.mark.django_db
def test_staff_find_merchants_by_their_primary(superuser: Browser) -> None:
    MerchantFactory(name="Blue Bottle", category="cafe")
    MerchantFactory(name="Amtrak", category="train")
    MerchantFactory(name="Nothing")
    for primary, name in {"food_and_drink": "Blue Bottle", "none": "Nothing"}.items():
        listed = superuser.get("/admin/merchants/merchant/", {"primary": primary})
        page = listed.content.decode()
        assert [row.name for row in listed.context["cl"].result_list] == [name]
    assert "Cafes and coffee shops" in superuser.get("/admin/merchants/merchant/").content.decode()
    assert "Food and drink" in page
