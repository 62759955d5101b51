"""Merging merchants: two rows that are one and the same merchant become one."""

import logging

from django.db import transaction
from django.utils import timezone

from merchants.models import Alias, Feedback, Merchant, Rule
from pave.core import advisory_locks

logger = logging.getLogger(__name__)


class CannotMerge(Exception):
    """These two cannot be merged; the message says why."""


def merge(*, merchant: Merchant, into: Merchant) -> int:
    """Let ``into`` take over from ``merchant``, whose id stays valid and points to it.

    Aliases, rules and feedback move; the old name becomes an alias. A merchant that clients have
    not seen is deleted. As every change of the draft it counts once that is published; then
    earlier answers are changed too.

    Returns:
        How many aliases the successor gained.

    Raises:
        CannotMerge: They are the same, one of them is not active, or the successor is hidden.
    """
    if merchant.pk == into.pk:
        raise CannotMerge("A merchant cannot be merged with itself.")
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        # In one order everywhere, so that two merges cannot wait for each other.
        locked = {
            one.pk: one
            # No key: an answer that names one may be about to be committed, and holds a rule.
            for one in Merchant.objects.select_for_update(no_key=True)
            .filter(pk__in=[merchant.pk, into.pk])
            .order_by("pk")
        }
        for one in locked.values():
            if not one.active:
                raise CannotMerge(f"{one} is not active.")
        gone, successor = locked[merchant.pk], locked[into.pk]
        if gone.published and not successor.published:
            raise CannotMerge(f"{successor} is hidden from clients until the draft is published.")
        # What is hidden, since it was taken from a client's transaction, stays hidden.
        spellings = {
            gone.name: gone.published,
            **dict(gone.aliases.values_list("text", "published")),
        }
        known = set(successor.aliases.values_list("text", flat=True)) | {successor.name}
        new = [text for text in spellings if text not in known]
        gone.aliases.all().delete()
        Alias.objects.bulk_create(
            Alias(merchant=successor, text=text, published=spellings[text]) for text in new
        )
        Rule.objects.filter(merchant=gone).update(merchant=successor, updated_at=timezone.now())
        Feedback.objects.filter(merchant=gone).update(merchant=successor)
        Merchant.objects.filter(merged_into=gone).update(merged_into=successor)
        for name in ("website", "wikidata", "category", "logo_url"):
            setattr(successor, name, getattr(successor, name) or getattr(gone, name))
        successor.websites = {**gone.websites, **successor.websites}
        successor.mccs = list(dict.fromkeys([*successor.mccs, *gone.mccs]))
        if successor.countries:  # empty means anywhere
            successor.countries = (
                list(dict.fromkeys([*successor.countries, *gone.countries]))
                if gone.countries
                else []
            )
        successor.save()
        if gone.published:
            gone.active = False
            gone.merged_into = successor
            gone.save(update_fields=["active", "merged_into", "updated_at"])
        else:
            gone.delete()  # nobody has been given its id
    if gone.published:
        merchant.refresh_from_db()
    into.refresh_from_db()
    logger.info("merchant.merged merchant=%s into=%s", merchant.pk, into.pk)
    return len(new)
