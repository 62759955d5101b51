"""The shipped catalogue."""

import csv
from dataclasses import replace

from merchants.catalogue.sources.records import MerchantRecord
from merchants.catalogue.sources.shipped import (
    WEBSITES_FILE,
    load_index,
    load_shipped,
    load_supplement,
    merge,
    save_index,
)


def test_it_is_large() -> None:
    assert len(load_shipped()) > 14_000


def test_keys_are_unique_and_names_are_there() -> None:
    records = load_shipped()
    assert len({record.key for record in records}) == len(records)
    assert all(record.name.strip() for record in records)


def test_the_supplement_is_well_formed() -> None:
    records = load_supplement()
    assert len(records) > 300
    for record in records:
        assert all(len(code) == 4 and code.isdigit() for code in record.mccs), record
        assert all(len(code) == 2 and code.isupper() for code in record.countries), record


def test_a_merchant_of_both_sources_is_one() -> None:
    ours = MerchantRecord("pave:acorn", "Acorn", "https://acorn.example", mccs=("5411",),
                          countries=("US",), aliases=("acorn foods",))  # fmt: skip
    theirs = MerchantRecord("Q1", "ACORN", wikidata="Q1", countries=("US", "CA"), logo_url="logo",
                            aliases=("acorn express",))  # fmt: skip
    (merged,) = merge([ours], [theirs])
    assert (merged.key, merged.name, merged.wikidata) == ("pave:acorn", "Acorn", "Q1")
    assert merged.logo_url == "logo"
    assert merged.countries == ("CA", "US")
    assert merged.aliases == ("acorn foods", "acorn express")


def test_another_name_needs_the_trade_or_the_site_as_well() -> None:
    ours = MerchantRecord("pave:acorn", "Acorn", mccs=("5411",), aliases=("acorn foods",))
    sub_brand = MerchantRecord("Q2", "Acorn Foods", mccs=("5411",))
    assert len(merge([ours], [sub_brand])) == 1
    assert len(merge([ours], [replace(sub_brand, mccs=("7011",))])) == 2


def test_the_same_name_elsewhere_is_another_merchant() -> None:
    ours = MerchantRecord("pave:acorn", "Acorn", countries=("US",))
    assert len(merge([ours], [MerchantRecord("Q3", "Acorn", countries=("AU",))])) == 2


def test_the_index_is_written_the_same_each_time(tmp_path) -> None:
    records = load_index()[:50]
    save_index(records, tmp_path / "one.gz")
    save_index(records, tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_web_sites_of_countries_are_of_merchants_of_the_supplement() -> None:
    with WEBSITES_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = {record.name for record in load_supplement()}
    assert {row["name"] for row in rows} <= names
    assert all(len(row["country"]) == 2 and row["website"].startswith("https://") for row in rows)
    amazon = next(record for record in load_shipped() if record.name == "Amazon")
    assert amazon.websites["DE"] == "https://www.amazon.de"
