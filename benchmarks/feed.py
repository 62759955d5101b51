"""A made-up feed of card transactions: few merchants often, many seldom, no raw text twice.

Real feeds have merchants by Zipf's law (of 4,841 real rows the slope was -0.98: the ten most
frequent merchants make 22 % of the rows), and every draw has its own store number, reference, city
or phone. The same seed gives the same feed.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

_CITIES = """PORTLAND OR|AUSTIN TX|MADISON WI|DENVER CO|BOISE ID|SEATTLE WA|NASHVILLE TN|TAMPA FL
OAKLAND CA|PHOENIX AZ|BOSTON MA|ATLANTA GA|CHICAGO IL|HOUSTON TX|OMAHA NE|TULSA OK|RENO NV|MIAMI FL
SPOKANE WA|TUCSON AZ|FRESNO CA|DAYTON OH|AKRON OH|SALEM OR|TOLEDO OH|EL PASO TX|SAN DIEGO CA
SAN FRANCISCO CA|LOS ANGELES CA|NEW YORK NY|SANTA BARBARA CA|SALT LAKE CITY UT|KANSAS CITY MO
GRAND RAPIDS MI|BATON ROUGE LA|COLORADO SPRINGS CO|FORT WORTH TX|VIRGINIA BEACH VA"""
_FIRST = """
AMBER ANCHOR ASPEN BIRCH BLUEBIRD BRAMBLE BRASS CEDAR CLOVER COBALT COPPER CORAL CRESCENT
DAHLIA DRIFTWOOD ELMWOOD EMBER FALCON FERNDALE FOXGLOVE GINGER GRANITE HARBOR HAZEL HERON HICKORY
INDIGO IRONWOOD IVY JUNIPER KESTREL LANTERN LAUREL LINDEN LOTUS MAGNOLIA MAPLE MARIGOLD MEADOW
MERIDIAN MOSSY NUTMEG OLEANDER OSPREY OXBOW PEBBLE PELICAN PEPPER PINECREST PRAIRIE QUARRY RAVEN
REDWOOD RIVERSTONE ROSEWOOD SAFFRON SAGEBRUSH SEQUOIA SILVERTON SPARROW SUMMIT SYCAMORE TAMARACK
THISTLE TIMBER TULIP VALLEY VIOLET WALNUT WILLOW WINDMILL WREN YARROW ZEPHYR""".split()
_SECOND = """
ACORN ARBOR BASIN BAY BELL BEND BLUFF BRIDGE BROOK CANYON COVE CREEK CREST CROSSING DELTA
FIELD FOREST FORK GATE GLEN GROVE HILL HOLLOW ISLE KNOLL LAKE LANDING LEDGE MESA MILL NOOK OAK PARK
PASS PATH PEAK PINE POINT POND RIDGE RIVER ROCK SPRING STAR STONE TRAIL TREE VALE VISTA WATER
WILLOW WOOD""".split()
_KIND = """CAFE BAKERY GRILL BOOKS HARDWARE DENTAL PIZZERIA SALON FLORIST MARKET BREWING YOGA DELI
NURSERY BARBERS CLEANERS TOYS TACOS SUSHI DINER PHARMACY CYCLES OUTFITTERS STUDIO KITCHEN""".split()
# Shapes of descriptors; a merchant keeps one. {n}: store number, {r}: reference, {p}: phone.
_LOCAL_SHAPES = (
    "{name} {city}",
    "SQ *{name} {city}",
    "TST* {name} {city}",
    "SP {name} {p} {state}",
    "{name} #{n} {city}",
    "{name} {n} {city}",
    "POS DEBIT {name} {city}",
    "CHECKCARD {d} {name} {city} {r}",
    "{name} {dd} PURCHASE {city}",
    "PAYPAL *{name} {r}",
)
_BRAND_SHAPES = (
    "{name} #{n} {city}",
    "{name} {n} {city}",
    "{name} {p} {state}",
    "{name} #{n}",
    "POS DEBIT {name} #{n} {city}",
    "PURCHASE AUTHORIZED ON {dd} {name} #{n} {city} S{r}{n} CARD {d}",
    "AplPay {name} {n}",
)


def feed(
    rows: int, *, merchants: int = 100_000, brands: Sequence[str] = (), seed: int = 1
) -> Iterator[tuple[str, str]]:
    """Pairs of (descriptor, true merchant), `rows` of them.

    `merchants` is how many there are, Zipf-distributed with s = 1. `brands` are names of the
    catalogue: they take the most frequent half of the first places, as on a real feed; all other
    merchants are local ones with names of three made-up words.
    """
    chance = random.Random(seed)
    names = list(_names(merchants, list(brands), chance))
    bounds = list(accumulate(1.0 / rank for rank in range(1, merchants + 1)))
    total = bounds[-1]
    for _ in range(rows):
        at = min(bisect_left(bounds, chance.random() * total), merchants - 1)
        name, shape = names[at]
        yield _draw(name, shape, chance), name


def _names(
    merchants: int, brands: list[str], chance: random.Random
) -> Iterator[tuple[str, str | None]]:
    """A name and, for a local merchant, its one shape; a brand has another shape on each draw."""
    local = [(a, b, c) for a in _FIRST for b in _SECOND for c in _KIND]
    chance.shuffle(local)
    chance.shuffle(brands)
    for rank in range(merchants):
        if brands and rank % (2 if rank < 200 else 20) == 0:
            yield brands.pop().upper(), None
        else:
            words = local[rank % len(local)]
            # Beyond the combinations a family's name keeps merchants apart.
            family = f"{_FIRST[rank // len(local) - 1]}S " if rank >= len(local) else ""
            yield family + " ".join(words), chance.choice(_LOCAL_SHAPES)


def _draw(name: str, shape: str | None, chance: random.Random) -> str:
    city = chance.choice(_CITIES.replace("\n", "|").split("|"))
    shape = shape or chance.choice(_BRAND_SHAPES)
    return shape.format(
        name=name,
        city=city,
        state=city[-2:],
        n=f"{chance.randrange(100, 99_999):05d}",
        r=f"{chance.randrange(10**9, 10**10)}",
        p=f"{chance.choice((800, 855, 866, 877, 888))}-{chance.randrange(200, 999)}"
        f"-{chance.randrange(10_000):04d}",
        d=f"{chance.randrange(101, 1231):04d}",
        dd=f"{chance.randrange(1, 13):02d}/{chance.randrange(1, 29):02d}",
    )


def repeat_share(keys: Sequence[str]) -> float:
    """The share of rows whose key an earlier row had."""
    return 1 - len(set(keys)) / len(keys) if keys else 0.0


def found_share(keys: Sequence[str], truth: Sequence[str]) -> float:
    """Of the rows that truly repeat an earlier merchant, the share that the key finds.

    A row counts as found if an earlier row of the same merchant had its key.
    """
    seen: set[tuple[str, str]] = set()
    known: set[str] = set()
    repeats = found = 0
    for key, merchant in zip(keys, truth, strict=True):
        if merchant in known:
            repeats += 1
            found += (key, merchant) in seen
        known.add(merchant)
        seen.add((key, merchant))
    return found / repeats if repeats else 1.0


def mixed_share(keys: Sequence[str], truth: Sequence[str]) -> float:
    """The share of rows whose key was first used by another merchant: it should be 0."""
    owners: dict[str, str] = {}
    mixed = sum(
        owners.setdefault(key, merchant) != merchant
        for key, merchant in zip(keys, truth, strict=True)
    )
    return mixed / len(keys) if keys else 0.0
