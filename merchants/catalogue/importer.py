"""The merchants in the database: loaded and refreshed from a source."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.db import DatabaseError, transaction
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.catalogue.sources.records import MerchantRecord
from merchants.catalogue.sources.shipped import load_builtin
from merchants.matching.heuristic import Heuristic
from merchants.matching.types import CatalogueMerchant
from merchants.models import Alias, Merchant
from pave.core import advisory_locks

# Ids of imported merchants are made from their keys in the source, so that they are the same in
# every installation and after every import.
NAMESPACE = UUID("6f1c1d4e-9f0b-5b1e-8c57-3d2f6a0b7a11")
_BATCH = 500
_FIELDS = ["name", "website", "wikidata", "mccs", "countries", "category", "logo_url", "websites"]


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
    by_key = {record.key: record for record in records}
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        known = {
            merchant.source_key or "": merchant
            for merchant in Merchant.objects.exclude(source_key=None).prefetch_related("aliases")
        }
        new = [key for key in by_key if key not in known]
        changed = []
        for key, merchant in known.items():
            if key in by_key and _refresh(merchant, by_key[key]):
                changed.append(merchant)
        Merchant.objects.bulk_create(
            [_refreshed(_new_merchant(key), by_key[key]) for key in new], batch_size=_BATCH
        )
        now = timezone.now()
        for merchant in changed:
            merchant.updated_at = now
        Merchant.objects.bulk_update(changed, [*_FIELDS, "updated_at"], batch_size=_BATCH)
        spelled = {
            merchant.pk: {alias.text for alias in merchant.aliases.all()}
            for merchant in known.values()
        }
        aliases = [
            Alias(merchant_id=_merchant_id(key), text=text)
            for key, record in by_key.items()
            for text in dict.fromkeys(record.aliases)
            if text not in spelled.get(_merchant_id(key), ())
        ]
        Alias.objects.bulk_create(aliases, batch_size=_BATCH, ignore_conflicts=True)
        respelled = {alias.merchant_id for alias in aliases} - {_merchant_id(key) for key in new}
        Merchant.objects.filter(pk__in=respelled).update(updated_at=now)
        if new or changed or aliases:
            rulesets.publish(note=note, by="import")
    touched = len({merchant.pk for merchant in changed} | respelled)
    return Imported(added=len(new), changed=touched, left=len(by_key) - len(new) - touched)


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


def offline_heuristic() -> Heuristic:
    """Return the heuristic for work outside the queue.

    That is the one which answers online. Where nothing has been published yet, or there is no
    database at all, it is Pave's own over the catalogue that comes with it.
    """
    if rulesets.is_ours():
        try:
            nothing = not rulesets.current_content().merchants
        except DatabaseError:
            nothing = True
        if nothing:
            return rulesets.CatalogueHeuristic(shipped())
    return rulesets.heuristic_for(rulesets.current().number)


def offline_merchants() -> dict[str, Merchant]:
    """Return the merchants that `offline_heuristic` answers with, by the text of their ids."""
    try:
        merchants = {str(merchant.pk): merchant for merchant in Merchant.objects.all()}
    except DatabaseError:
        merchants = {}
    return merchants or {
        str(_merchant_id(record.key)): _refreshed(_new_merchant(record.key), record)
        for record in load_builtin()
    }


def shipped() -> rulesets.Content:
    """Return the catalogue that comes with Pave, as a ruleset holds it."""
    return rulesets.Content(
        merchants=tuple(
            CatalogueMerchant(
                id=str(_merchant_id(record.key)),
                name=record.name,
                website=record.website,
                mccs=record.mccs,
                countries=record.countries,
                category=record.category,
                aliases=record.aliases,
            )
            for record in load_builtin()
        )
    )
