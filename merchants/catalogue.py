"""The catalogue: loaded for the heuristic, imported, published as rulesets."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from merchants.heuristic import CatalogueMerchant, Heuristic, Match, PaveHeuristic, Transaction
from merchants.models import Alias, Merchant, Ruleset
from merchants.records import MerchantRecord

# Ids of imported merchants are made from their keys in the source, so that they are the same in
# every installation and after every import.
NAMESPACE = UUID("6f1c1d4e-9f0b-5b1e-8c57-3d2f6a0b7a11")
_BATCH = 500

_loaded: tuple[int, Heuristic] | None = None


class CatalogueHeuristic:
    """Pave's own heuristic over the merchants in the database; the default PAVE_HEURISTIC."""

    def __init__(self) -> None:
        self._heuristic = PaveHeuristic(merchants=list(_catalogue_merchants()))

    def key(self, transaction: Transaction) -> str:
        """Return what makes two transactions the same question."""
        return self._heuristic.key(transaction)

    def match(self, transaction: Transaction) -> Match:
        """Return the merchant of ``transaction``; pure CPU, and possibly much of it."""
        return self._heuristic.match(transaction)


def current_ruleset() -> Ruleset:
    """Return the newest published ruleset; the first is made where there is none."""
    ruleset = Ruleset.objects.first()
    if ruleset is None:
        ruleset, _ = Ruleset.objects.get_or_create(number=1, defaults={"note": "The first"})
    return ruleset


def heuristic_for(ruleset: Ruleset) -> Heuristic:
    """Return the heuristic that PAVE_HEURISTIC names, made anew for each ruleset."""
    global _loaded
    if _loaded is None or _loaded[0] != ruleset.number:
        _loaded = (ruleset.number, import_string(settings.PAVE_HEURISTIC)())
    return _loaded[1]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did to the merchants."""

    added: int
    changed: int
    left: int


def import_records(records: Iterable[MerchantRecord], *, note: str) -> Imported:
    """Load or refresh merchants by their source keys, and publish a ruleset if any changed.

    Merchants that staff made, and those that are no longer in the source, are left alone: an id
    that was once given out stays valid.
    """
    records = {record.key: record for record in records}
    with transaction.atomic():
        known = {
            merchant.source_key: merchant
            for merchant in Merchant.objects.exclude(source_key=None).prefetch_related("aliases")
        }
        new = [key for key in records if key not in known]
        changed = []
        for key, merchant in known.items():
            if key in records and _refresh(merchant, records[key]):
                changed.append(merchant)
        Merchant.objects.bulk_create(
            [_refreshed(_new_merchant(key), records[key]) for key in new], batch_size=_BATCH
        )
        Merchant.objects.bulk_update(changed, _FIELDS, batch_size=_BATCH)
        spelled = {
            merchant.pk: {alias.text for alias in merchant.aliases.all()}
            for merchant in known.values()
        }
        aliases = [
            Alias(merchant_id=_merchant_id(key), text=text)
            for key, record in records.items()
            for text in dict.fromkeys(record.aliases)
            if text not in spelled.get(_merchant_id(key), ())
        ]
        Alias.objects.bulk_create(aliases, batch_size=_BATCH, ignore_conflicts=True)
        if new or changed or aliases:
            Ruleset.objects.create(note=note)
    respelled = {alias.merchant_id for alias in aliases} - {_merchant_id(key) for key in new}
    touched = len({merchant.pk for merchant in changed} | respelled)
    return Imported(added=len(new), changed=touched, left=len(records) - len(new) - touched)


_FIELDS = ["name", "website", "wikidata", "mccs", "countries", "category", "logo_url"]


def _merchant_id(source_key: str) -> UUID:
    return uuid5(NAMESPACE, source_key)


def _new_merchant(source_key: str) -> Merchant:
    return Merchant(id=_merchant_id(source_key), source_key=source_key)


def _refreshed(merchant: Merchant, record: MerchantRecord) -> Merchant:
    _refresh(merchant, record)
    return merchant


def _refresh(merchant: Merchant, record: MerchantRecord) -> bool:
    """Set a merchant's fields from its record; return whether any of them changed."""
    changed = False
    for name in _FIELDS:
        value = getattr(record, name)
        value = list(value) if isinstance(value, tuple) else value
        if getattr(merchant, name) != value:
            setattr(merchant, name, value)
            changed = True
    return changed


def _catalogue_merchants() -> Iterable[CatalogueMerchant]:
    aliases: dict[UUID, list[str]] = {}
    for merchant_id, text in Alias.objects.order_by().values_list("merchant_id", "text"):
        aliases.setdefault(merchant_id, []).append(text)
    rows = (
        Merchant.objects.filter(active=True)
        .order_by()
        .values_list("pk", "name", "website", "mccs", "countries", "category")
    )
    for pk, name, website, mccs, countries, category in rows:
        yield CatalogueMerchant(
            id=str(pk),
            name=name,
            website=website,
            mccs=tuple(mccs),
            countries=tuple(countries),
            category=category,
            aliases=tuple(aliases.get(pk, ())),
        )
