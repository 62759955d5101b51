"""Reading the package name-suggestion-index."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from merchants.catalogue.sources.name_suggestion_index import NotAnIndexPackage, read_records

BRANDS = {
    "brands/shop/supermarket": {
        "items": [
            {
                "displayName": "Acorn (Ohio)",
                "locationSet": {"include": ["us-oh.geojson", "ca"]},
                "matchNames": ["acorn foods"],
                "tags": {"brand": "Acorn", "brand:wikidata": "Q1", "name": "Acorn"},
            }
        ]
    },
    "brands/amenity/fuel": {
        "items": [
            {
                "displayName": "Acorn Fuel",
                "locationSet": {"include": ["us"]},
                "tags": {"brand": "Acorn", "brand:wikidata": "Q1", "alt_name": "Acorn Gas;AG"},
            },
            {
                "displayName": "オーク",
                "locationSet": {"include": ["001"]},
                "tags": {"brand": "オーク", "brand:en": "Oak", "name": "オーク"},
            },
        ]
    },
    "brands/amenity/atm": {
        "items": [{"displayName": "A", "locationSet": {}, "tags": {"brand": "A"}}]
    },
    "transit/route/bus": {"items": [{"displayName": "B", "locationSet": {}, "tags": {}}]},
}
WIKIDATA = {
    "Q1": {
        "officialWebsites": ["https://acorn.example"],
        "logos": {"wikidata": "https://logo.example/a.svg"},
    }
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "index.tgz"
    files = {
        "json/nsi.min.json": {"nsi": BRANDS},
        "wikidata/wikidata.min.json": {"wikidata": WIKIDATA},
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_one_brand_of_two_categories_is_one_record(package: Path) -> None:
    acorn = next(record for record in read_records(package) if record.key == "Q1")
    assert acorn.name == "Acorn"
    assert acorn.countries == ("CA", "US")
    assert {"5411", "5541"} <= set(acorn.mccs)
    assert set(acorn.aliases) == {"acorn foods", "Acorn Gas", "AG"}
    assert acorn.website == "https://acorn.example"
    assert acorn.logo_url == "https://logo.example/a.svg"


def test_a_name_of_another_script_is_shown_in_latin_letters(package: Path) -> None:
    oak = next(record for record in read_records(package) if record.key != "Q1")
    assert (oak.name, oak.aliases, oak.countries, oak.wikidata) == ("Oak", ("オーク",), (), "")


def test_machines_and_buses_are_left_out(package: Path) -> None:
    assert len(read_records(package)) == 2


def test_the_unpacked_folder_reads_as_well(package: Path, tmp_path: Path) -> None:
    with tarfile.open(package) as archive:
        archive.extractall(tmp_path, filter="data")
    assert read_records(tmp_path / "package") == read_records(package)


def test_anything_else_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"no archive")
    for source in (tmp_path, tmp_path / "other.tgz"):
        with pytest.raises(NotAnIndexPackage, match="not a name-suggestion-index package"):
            read_records(source)
