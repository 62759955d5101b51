"""The shipped catalogue: a supplement of Pave's own and a reduced name-suggestion-index."""

import csv
import gzip
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from merchants.catalogue.sources.records import MerchantRecord, slugify
from merchants.matching.lookup.name_index import host_of

DATA = Path(__file__).parents[2] / "data"
INDEX_FILE = DATA / "name-suggestion-index.json.gz"
SUPPLEMENT_FILE = DATA / "supplement.csv"
WEBSITES_FILE = DATA / "websites.csv"


def load_builtin() -> list[MerchantRecord]:
    """Every shipped merchant once, the supplement's first; about 14,000 in 0.2 s."""
    return merge(load_supplement(), load_index())


def load_supplement() -> list[MerchantRecord]:
    """Online and other brands that the index lacks or spells unlike card rails do."""
    with SUPPLEMENT_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = Counter(slugify(row["name"]) for row in rows)
    websites: dict[str, dict[str, str]] = {}
    with WEBSITES_FILE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            websites.setdefault(row["name"], {})[row["country"]] = row["website"]
    return [
        replace(
            _record(row, names[slugify(row["name"])] == 1), websites=websites.get(row["name"], {})
        )
        for row in rows
    ]


def load_index() -> list[MerchantRecord]:
    """The shipped reduction of name-suggestion-index."""
    with gzip.open(INDEX_FILE, "rt", encoding="utf-8") as content:
        rows = json.load(content)
    return [MerchantRecord(*(_frozen(value) for value in row)) for row in rows]


def save_index(records: list[MerchantRecord], path: Path = INDEX_FILE) -> None:
    """Write what `nsi.read_records` gave as the shipped file; the same records, the same bytes."""
    rows = [list(asdict(record).values()) for record in records]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def merge(preferred: list[MerchantRecord], others: list[MerchantRecord]) -> list[MerchantRecord]:
    """Both lists as one; a merchant in both keeps the preferred name and gains the other's facts.

    The same merchant is recognised by wikidata id; or, where the countries do not speak against
    it, by its name if the preferred record has no wikidata id, or by another of its names if web
    site or trade agree as well: `Bunnings Warehouse` of the one is `Bunnings` of the other.
    """
    by_wikidata = {record.wikidata: at for at, record in enumerate(preferred) if record.wikidata}
    by_slug = {record.slug: at for at, record in enumerate(preferred) if not record.wikidata}
    by_alias = {
        slugify(alias): at for at, record in enumerate(preferred) for alias in record.aliases
    }
    merged = list(preferred)
    rest = []
    for record in others:
        at = by_wikidata.get(record.wikidata) if record.wikidata else None
        if at is None:
            at = by_slug.get(record.slug)
            if at is not None and not _share_a_country(merged[at], record):
                at = None
        if at is None:
            at = by_alias.get(record.slug)
            if at is not None and not (
                _share_a_country(merged[at], record) and _alike(merged[at], record)
            ):
                at = None
        if at is None:
            rest.append(record)
        else:
            merged[at] = _enriched(merged[at], record)
    return merged + rest


def _alike(one: MerchantRecord, other: MerchantRecord) -> bool:
    host = host_of(one.website)
    same_site = bool(host) and host == host_of(other.website)
    return same_site or bool(set(one.mccs) & set(other.mccs))


def _share_a_country(one: MerchantRecord, other: MerchantRecord) -> bool:
    return (
        not one.countries or not other.countries or bool(set(one.countries) & set(other.countries))
    )


def _enriched(record: MerchantRecord, other: MerchantRecord) -> MerchantRecord:
    known = {slugify(alias) for alias in (record.name, *record.aliases)}
    more = [name for name in (other.name, *other.aliases) if slugify(name) not in known]
    countries = sorted({*record.countries, *other.countries}) if record.countries else ()
    return replace(
        record,
        website=record.website or other.website,
        wikidata=record.wikidata or other.wikidata,
        mccs=tuple(dict.fromkeys(record.mccs + other.mccs)),
        countries=tuple(countries),
        category=record.category or other.category,
        logo_url=record.logo_url or other.logo_url,
        aliases=record.aliases + tuple(more),
    )


def _record(row: dict[str, str], only: bool) -> MerchantRecord:
    # Of several merchants with one name the country tells which.
    name = slugify(row["name"]) if only else slugify(f"{row['name']} {row['countries'][:2]}")
    return MerchantRecord(
        key=row["wikidata"] or f"pave:{name}",
        name=row["name"],
        website=row["website"],
        wikidata=row["wikidata"],
        category=row["category"],
        mccs=_listed(row["mccs"]),
        countries=_listed(row["countries"]),
        aliases=_listed(row["aliases"]),
    )


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, cell.split("|")))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
