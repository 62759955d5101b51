"""Imports merchants from a source into the database."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.db import DatabaseError
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.catalogue.sources.records import MerchantRecord
from merchants.catalogue.sources.shipped import load_shipped
from merchants.matching.heuristic import Heuristic
from merchants.matching.types import CatalogueMerchant
from merchants.models import Alias, Merchant
from pave.core.database import advisory_locks, lock_limit

# Ids of imported merchants derive from their keys in the source, so that every installation and
# every import has the same ones.
NAMESPACE = UUID("6f1c1d4e-9f0b-5b1e-8c57-3d2f6a0b7a11")
_BATCH = 500
_FIELDS = ["name", "website", "wikidata", "mccs", "countries", "category", "logo_url", "websites"]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many merchants an import added, changed and left unchanged."""

    added: int
    changed: int
    unchanged: int


def import_records(records: Iterable[MerchantRecord], *, note: str) -> ImportResult:
    """Load or refresh merchants by their source keys, and publish a ruleset if any changed.

    Merchants that staff created, and those no longer in the source, are kept: an id that clients
    have received stays valid.

    Raises:
        Locked: As ``rulesets.publish``.
    """
    by_key = {record.key: record for record in records}
    with lock_limit.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        lock_limit.limit_this(rulesets.LOCK_SECONDS)  # staff who save something wait behind it
        existing = {
            merchant.source_key or "": merchant
            for merchant in Merchant.objects.exclude(source_key=None).prefetch_related("aliases")
        }
        new = [key for key in by_key if key not in existing]
        changed = []
        for key, merchant in existing.items():
            if key in by_key and _refresh(merchant, by_key[key]):
                changed.append(merchant)
        Merchant.objects.bulk_create(
            [_refreshed(_new_merchant(key), by_key[key]) for key in new], batch_size=_BATCH
        )
        now = timezone.now()
        for merchant in changed:
            merchant.updated_at = now
        Merchant.objects.bulk_update(changed, [*_FIELDS, "updated_at"], batch_size=_BATCH)
        existing_aliases = {
            merchant.pk: {alias.text for alias in merchant.aliases.all()}
            for merchant in existing.values()
        }
        aliases = [
            Alias(merchant_id=_merchant_id(key), text=text)
            for key, record in by_key.items()
            for text in dict.fromkeys(record.aliases)
            if text not in existing_aliases.get(_merchant_id(key), ())
        ]
        Alias.objects.bulk_create(aliases, batch_size=_BATCH, ignore_conflicts=True)
        with_new_aliases = {alias.merchant_id for alias in aliases} - {
            _merchant_id(key) for key in new
        }
        Merchant.objects.filter(pk__in=with_new_aliases).update(updated_at=now)
        if new or changed or aliases:
            rulesets.publish(note=note, by="import")
    changed_count = len({merchant.pk for merchant in changed} | with_new_aliases)
    return ImportResult(
        added=len(new), changed=changed_count, unchanged=len(by_key) - len(new) - changed_count
    )


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

    It is the one in use online. If nothing has been published yet, or there is no database, it is
    Pave's own over the shipped catalogue.
    """
    if rulesets.uses_rulesets():
        try:
            is_empty = not rulesets.current_content().merchants
        except DatabaseError:
            is_empty = True
        if is_empty:
            return rulesets.CatalogueHeuristic(shipped_content())
    return rulesets.heuristic_for(rulesets.current().number)


def offline_merchants() -> dict[str, Merchant]:
    """Return the merchants that `offline_heuristic` answers with, by id as text."""
    try:
        merchants = {str(merchant.pk): merchant for merchant in Merchant.objects.all()}
    except DatabaseError:
        merchants = {}
    return merchants or {
        str(_merchant_id(record.key)): _refreshed(_new_merchant(record.key), record)
        for record in load_shipped()
    }


def shipped_content() -> rulesets.Content:
    """Return the shipped catalogue as a ruleset's content."""
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
            for record in load_shipped()
        )
    )
