"""Reads the npm package `name-suggestion-index`: brands of shops and services around the world.

The package (BSD-3-Clause) lists brands for mappers of OpenStreetMap. Two of its files are read:
`dist/json/nsi.min.json` (the brands) and `dist/wikidata/wikidata.min.json` (their web sites and
logos). Only trees and categories with payments are kept (no bus lines, power poles, flags), and a
brand in several categories becomes one record.
"""

import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from merchants.catalogue.sources.osm_tags import DROPPED, EUROPE, MCCS, OPERATORS_KEPT
from merchants.catalogue.sources.records import MerchantRecord, slugify

BRANDS_FILE = "dist/json/nsi.min.json"
WIKIDATA_FILE = "dist/wikidata/wikidata.min.json"
# Tags whose value is a name of the brand, best first; lists are separated by semicolons.
NAME_TAGS = ("brand", "brand:en", "name", "name:en", "short_name", "brand:short", "alt_name")
MAX_ALIASES = 24


class NotAnIndexPackage(ValueError):
    """The source lacks the two files of a name-suggestion-index package."""


def read_source(source: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return brands by category and wikidata entries by id, from a tarball or unpacked folder.

    Raises NotAnIndexPackage for any other file or folder, OSError if unreadable.
    """
    try:
        if source.is_dir():
            brands = json.loads((source / BRANDS_FILE).read_text("utf-8"))
            wikidata = json.loads((source / WIKIDATA_FILE).read_text("utf-8"))
        else:
            with tarfile.open(source) as package:
                brands = _member(package, BRANDS_FILE)
                wikidata = _member(package, WIKIDATA_FILE)
        return brands["nsi"], wikidata["wikidata"]
    except (
        tarfile.TarError,
        KeyError,
        TypeError,
        json.JSONDecodeError,
        FileNotFoundError,
    ) as error:
        raise NotAnIndexPackage(
            f"{source} is not a name-suggestion-index package: {error}"
        ) from error


def _member(package: tarfile.TarFile, name: str) -> dict[str, Any]:
    content = package.extractfile(f"package/{name}")
    if content is None:
        raise KeyError(name)
    return cast(dict[str, Any], json.load(content))


def read_records(source: Path) -> list[MerchantRecord]:
    """Return all merchants of the package at `source`, ordered by key; raises as `read_source`."""
    brands, wikidata = read_source(source)
    return reduce_records(brands, wikidata)


def reduce_records(brands: dict[str, Any], wikidata: dict[str, Any]) -> list[MerchantRecord]:
    """Merge the items of all kept categories by wikidata id (else by name) into records."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for category, item in _kept_items(brands):
        tags = item["tags"]
        identity = tags.get("brand:wikidata") or tags.get("operator:wikidata")
        name = tags.get("brand") or tags.get("operator") or tags.get("name") or item["displayName"]
        groups[identity or f"nsi:{slugify(name)}"].append((category, item))
    return [_merge(key, groups[key], wikidata.get(key, {})) for key in sorted(groups)]


def _kept_items(brands: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, content in brands.items():
        tree, _, category = path.partition("/")
        kept = category not in DROPPED if tree == "brands" else path in OPERATORS_KEPT
        if kept:
            for item in content["items"]:
                yield category, item


def _merge(
    key: str, items: list[tuple[str, dict[str, Any]]], entry: dict[str, Any]
) -> MerchantRecord:
    names: Counter[str] = Counter()
    aliases: dict[str, None] = {}
    for _, item in items:
        tags = item["tags"]
        names[_display_name(item)] += 1
        for tag in NAME_TAGS:
            aliases.update(dict.fromkeys(_split(tags.get(tag, ""))))
        aliases.update(dict.fromkeys(item.get("matchNames", ())))
    # The most frequent name; of equally frequent ones the shorter.
    name = min(names, key=lambda candidate: (-names[candidate], len(candidate), candidate))
    categories = Counter(category for category, _ in items)
    mccs = {code: None for category in categories for code in MCCS.get(category, ())}
    identities = entry.get("identities", {})
    sites = [identities.get("website", ""), *entry.get("officialWebsites", ())]
    return MerchantRecord(
        key=key,
        name=name,
        website=next((site for site in sites if site), ""),
        wikidata=key if re.fullmatch(r"Q\d+", key) else "",
        mccs=tuple(mccs),
        countries=_countries(item["locationSet"] for _, item in items),
        category=categories.most_common(1)[0][0].split("/")[1],
        logo_url=entry.get("logos", {}).get("wikidata", ""),
        aliases=tuple(_distinct_aliases(aliases, name))[:MAX_ALIASES],
    )


def _display_name(item: dict[str, Any]) -> str:
    """The name in Latin letters if the index has one, else the local one."""
    tags = item["tags"]
    local = tags.get("brand") or tags.get("operator") or tags.get("name") or item["displayName"]
    if local.isascii() or _is_latin(local):
        return str(local)
    return str(tags.get("brand:en") or tags.get("name:en") or tags.get("operator:en") or local)


def _is_latin(text: str) -> bool:
    return all(ord(char) < 0x250 or 0x1E00 <= ord(char) < 0x1F00 for char in text if char.isalpha())


def _split(value: str) -> Iterator[str]:
    for part in value.split(";"):
        if part.strip():
            yield part.strip()


def _distinct_aliases(aliases: Iterable[str], name: str) -> Iterator[str]:
    """The aliases that differ from the name; of equal spellings the first."""
    seen = {slugify(name).replace("-", "")}
    for alias in aliases:
        spelling = slugify(alias).replace("-", "")
        if spelling and spelling not in seen:
            seen.add(spelling)
            yield alias


def _countries(location_sets: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """ISO codes of the brand's countries; empty for anywhere or areas that are no countries."""
    countries: set[str] = set()
    for locations in location_sets:
        for area in locations.get("include", ()):
            if area == "150":
                countries.update(EUROPE)
            elif isinstance(area, str) and re.match(r"[a-z]{2}(?![a-z0-9])", area):
                countries.add(area[:2].upper())
            else:
                return ()
    return tuple(sorted(countries))
