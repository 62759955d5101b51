"""Merges two rows of the same merchant into one."""

import logging

from django.db import transaction
from django.utils import timezone

from merchants.models import Alias, Feedback, Merchant, Rule
from pave.core.database import advisory_locks

logger = logging.getLogger(__name__)


class CannotMerge(Exception):
    """These two cannot be merged; the message says why."""


def merge(*, merchant: Merchant, into: Merchant) -> int:
    """Merge ``merchant`` into its successor ``into``; its id stays valid and points there.

    Aliases, rules and feedback move; the old name becomes an alias. A merchant that clients have
    not seen is deleted with its name, which was a client's proposal. Like every change of the draft
    it takes effect once that is published, for earlier answers too.

    Returns:
        How many aliases the successor gained.

    Raises:
        CannotMerge: They are the same, one of them is not active, or the successor is hidden.
    """
    if merchant.pk == into.pk:
        raise CannotMerge("A merchant cannot be merged with itself.")
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        # In pk order, to avoid deadlocks.
        locked = {
            candidate.pk: candidate
            # no_key: an open transaction may reference one of them by foreign key.
            for candidate in Merchant.objects.select_for_update(no_key=True)
            .filter(pk__in=[merchant.pk, into.pk])
            .order_by("pk")
        }
        for candidate in locked.values():
            if not candidate.active:
                raise CannotMerge(f"{candidate} is not active.")
        merged, successor = locked[merchant.pk], locked[into.pk]
        if merged.published and not successor.published:
            raise CannotMerge(f"{successor} is hidden from clients until the draft is published.")
        # Aliases that came from a client's transaction stay hidden.
        spellings = dict(merged.aliases.values_list("text", "published"))
        if merged.published:
            spellings = {merged.name: True, **spellings}
        existing = set(successor.aliases.values_list("text", flat=True)) | {successor.name}
        new = [text for text in spellings if text not in existing]
        merged.aliases.all().delete()
        Alias.objects.bulk_create(
            Alias(merchant=successor, text=text, published=spellings[text]) for text in new
        )
        Rule.objects.filter(merchant=merged).update(merchant=successor, updated_at=timezone.now())
        Feedback.objects.filter(merchant=merged).update(merchant=successor)
        Merchant.objects.filter(merged_into=merged).update(merged_into=successor)
        for name in ("website", "wikidata", "category", "logo_url"):
            setattr(successor, name, getattr(successor, name) or getattr(merged, name))
        successor.websites = {**merged.websites, **successor.websites}
        successor.mccs = list(dict.fromkeys([*successor.mccs, *merged.mccs]))
        if successor.countries:  # empty means anywhere
            successor.countries = (
                list(dict.fromkeys([*successor.countries, *merged.countries]))
                if merged.countries
                else []
            )
        successor.save()
        if merged.published:
            merged.active = False
            merged.merged_into = successor
            merged.save(update_fields=["active", "merged_into", "updated_at"])
        else:
            merged.delete()  # no client has its id
    if merged.published:
        merchant.refresh_from_db()
    into.refresh_from_db()
    logger.info("merchant.merged", extra={"merchant": merchant.pk, "into": into.pk})
    return len(new)
