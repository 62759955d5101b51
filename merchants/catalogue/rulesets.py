"""Rulesets: the draft that staff edit, its published versions, and the heuristic made of them.

The rows of merchants, aliases and rules are the draft. Requests are answered from the newest
ruleset: a copy of the draft at the moment of its publication.
"""

import gzip
import json
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from merchants.matching.categories import stored_word
from merchants.matching.change_impact import Changes
from merchants.matching.heuristic import Heuristic, PaveHeuristic
from merchants.matching.types import CatalogueMerchant, Key, Match, MatchRule, Transaction
from merchants.models import (
    Alias,
    Merchant,
    NormalizationRequest,
    Resolution,
    Revision,
    Rule,
    Ruleset,
)
from merchants.wakeups import REVISE
from pave.core.caching.loading import load_once, without_garbage_collection
from pave.core.card_numbers.masking import masked
from pave.core.database import advisory_locks, lock_limit
from pave.core.database.approximate_counts import approximate_count

# How long a publication waits for a lock, in seconds: all answers wait behind it meanwhile.
LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Content:
    """The merchants and rules of a ruleset, or of the draft."""

    merchants: tuple[CatalogueMerchant, ...] = ()
    rules: tuple[MatchRule, ...] = ()

    def packed(self) -> bytes:
        """Return it as it is stored: rows of values, without their names."""
        rows = {
            "merchants": [astuple(merchant) for merchant in self.merchants],
            "rules": [astuple(rule) for rule in self.rules],
        }
        # Without a time stamp, so that equal contents give equal bytes.
        return gzip.compress(json.dumps(rows, separators=(",", ":")).encode(), 6, mtime=0)

    @classmethod
    def unpacked(cls, stored: bytes) -> "Content":
        """Return the content that ``packed`` stored; an empty one for no bytes.

        Rulesets from before the published list of categories hold other words for them, which are
        mapped to the list: otherwise every merchant would differ from the draft.
        """
        if not stored:
            return cls()
        with without_garbage_collection():
            rows = json.loads(gzip.decompress(stored))
            return cls(
                merchants=tuple(
                    _categorized(CatalogueMerchant(*map(_tupled, row))) for row in rows["merchants"]
                ),
                rules=tuple(MatchRule(*row) for row in rows["rules"]),
            )


class CatalogueHeuristic:
    """Pave's own heuristic over the published catalogue; the default PAVE_HEURISTIC."""

    def __init__(self, content: Content | None = None) -> None:
        content = current_content() if content is None else content
        with without_garbage_collection():
            self._heuristic = PaveHeuristic(content.merchants, content.rules)
        self.merchants = {merchant.id: merchant for merchant in content.merchants}

    def key(self, transaction: Transaction) -> Key:
        """Return the resolution key of ``transaction``."""
        return self._heuristic.key(transaction)

    def match(self, transaction: Transaction) -> Match:
        """Return the merchant of ``transaction``; CPU-bound and possibly slow."""
        return self._heuristic.match(transaction)


def current() -> Ruleset:
    """Return the newest ruleset, without its content; creates an empty one if there is none."""
    ruleset = Ruleset.objects.first()
    if ruleset is None:
        # Two processes may race here on an empty database: two empty rulesets do no harm.
        ruleset = Ruleset.objects.create(note="Nothing published yet", content=b"")
    return ruleset


def lock_current() -> Ruleset:
    """Return the newest ruleset, and let none be published until the open transaction ends.

    Answers are committed under this lock, so that a revision finds all that were given by an older
    ruleset: they were committed before the newer one was published.
    """
    advisory_locks.take(advisory_locks.Lock.PUBLISHING, shared=True)
    return current()


def current_content() -> Content:
    """Return the content of the newest ruleset."""
    return content_of(current().number)


@load_once(maxsize=2)
def content_of(number: int) -> Content:
    """Return the content of a ruleset; it never changes."""
    return _stored_content(number)


@load_once()
def heuristic_for(number: int) -> Heuristic:
    """Return the heuristic that PAVE_HEURISTIC names, a new one for each ruleset."""
    heuristic_class = import_string(settings.PAVE_HEURISTIC)
    return (
        heuristic_class(content_of(number)) if uses_rulesets(heuristic_class) else heuristic_class()
    )


def merchants_of(heuristic: object) -> dict[str, CatalogueMerchant]:
    """Return the merchants that a heuristic answers with, by id; none if it uses no ruleset."""
    return heuristic.merchants if isinstance(heuristic, CatalogueHeuristic) else {}


def uses_rulesets(heuristic_class: object = None) -> bool:
    """Return whether a heuristic, by default PAVE_HEURISTIC's, answers from rulesets."""
    heuristic_class = heuristic_class or import_string(settings.PAVE_HEURISTIC)
    return isinstance(heuristic_class, type) and issubclass(heuristic_class, CatalogueHeuristic)


@lru_cache(maxsize=1000)
def changes_between(older: int, newer: int) -> Changes:
    """Return what the rulesets after number ``older``, up to ``newer``, have changed.

    It includes what one changed and a later one changed back: it joins the few changes of each,
    since comparing two whole contents takes a third of a second.
    """
    merchants: set[CatalogueMerchant] = set()
    rules: set[MatchRule] = set()
    numbers = Ruleset.objects.filter(number__gt=older, number__lte=newer)
    for number in numbers.values_list("number", flat=True):
        changed = _changed_by(number)
        merchants.update(changed.merchants)
        rules.update(changed.rules)
    return Changes(merchants=tuple(merchants), rules=tuple(rules))


def may_differ(request: NormalizationRequest, resolution: Resolution, ruleset: Ruleset) -> bool:
    """Return whether ``ruleset`` may give ``request`` another answer than an older resolution's."""
    if resolution.ruleset_id == ruleset.number or not uses_rulesets():
        return False
    changes = changes_between(resolution.ruleset_id, ruleset.number)
    return changes.may_affect(request.as_transaction(), resolution.answer)


@lru_cache(maxsize=1000)
def _changed_by(number: int) -> Content:
    """Return what a ruleset changed since the one before, in both versions."""
    ruleset = Ruleset.objects.filter(number=number)
    changed = ruleset.values_list("changed", flat=True).get()
    if changed is not None:
        return Content.unpacked(bytes(changed))
    # Published by a release that did not store its changes.
    before = Ruleset.objects.filter(number__lt=number).values_list("number", flat=True).first()
    older = Content() if before is None else _stored_content(before)
    return difference(older, _stored_content(number))


def difference(older: Content, newer: Content) -> Content:
    """Return the merchants and rules that are in only one of two contents, in both versions."""
    return Content(
        merchants=tuple(set(older.merchants) ^ set(newer.merchants)),
        rules=tuple(set(older.rules) ^ set(newer.rules)),
    )


def draft() -> Content:
    """Return the content that would be published now."""
    aliases: dict[UUID, list[str]] = {}
    for merchant_id, text in Alias.objects.order_by("merchant_id", "id").values_list(
        "merchant_id", "text"
    ):
        aliases.setdefault(merchant_id, []).append(text)
    return Content(
        merchants=tuple(
            _categorized(
                CatalogueMerchant(
                    id=str(merchant.pk),
                    name=merchant.name,
                    website=merchant.website,
                    mccs=tuple(merchant.mccs),
                    countries=tuple(merchant.countries),
                    category=merchant.category,
                    aliases=tuple(aliases.get(merchant.pk, ())),
                )
            )
            for merchant in Merchant.objects.filter(active=True).order_by("id")
        ),
        rules=tuple(
            MatchRule(
                id=str(rule.pk),
                kind=rule.kind,
                pattern=rule.pattern,
                merchant_id=str(rule.merchant_id) if rule.merchant_id else None,
                priority=rule.priority,
                mcc=rule.mcc,
                country=rule.country,
                intermediary=rule.intermediary,
            )
            # A rule for an inactive merchant would answer that there is none.
            for rule in Rule.objects.filter(active=True)
            .exclude(merchant__active=False)
            .order_by("id")
        ),
    )


def publish(*, note: str, by: str) -> Ruleset:
    """Publish the draft, and start the revision of earlier answers.

    Args:
        note: What changed, for staff.
        by: Who publishes it.

    Returns:
        The new ruleset; the current one if the draft equals it.

    Raises:
        Locked: Somebody else keeps something locked that it needs; nothing is published.
    """
    with lock_limit.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        return _publish(draft(), note=masked(note), by=by)


def roll_back(*, to: Ruleset, by: str) -> Ruleset:
    """Publish an earlier ruleset's content again, as a new ruleset.

    The draft stays as it is, to be corrected and published.

    Raises:
        Locked: As ``publish``.
    """
    with lock_limit.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        return _publish(content_of(to.number), note=f"Back to {to}", by=by, restores=to)


def _publish(content: Content, *, note: str, by: str, restores: Ruleset | None = None) -> Ruleset:
    """Publish ``content``. The caller holds the draft's lock, so nothing else is published.

    The slow parts come before the lock that all answers wait for.
    """
    lock_limit.limit_this(LOCK_SECONDS)
    now = timezone.now()
    since = now - timedelta(days=settings.PAVE_RETENTION_DAYS)
    current_ruleset = current()
    older = _stored_content(current_ruleset.number)
    if older == content:
        return current_ruleset
    ruleset = Ruleset(
        note=note[:300],
        content=content.packed(),
        changed=difference(older, content).packed(),
        published_by=by[:150],
        restores=restores,
    )
    total = approximate_count(NormalizationRequest.objects.answered(since))
    advisory_locks.take(advisory_locks.Lock.PUBLISHING)
    ruleset.save(force_insert=True)
    _publish_merchants(content)
    # One revision is enough, with the newest ruleset.
    Revision.objects.filter(status=Revision.Status.RUNNING).update(
        status=Revision.Status.DONE, finished_at=now, **Revision.NO_PROGRESS
    )
    Revision.objects.create(ruleset=ruleset, since=since, total=total)
    REVISE.send()
    return ruleset


def _publish_merchants(content: Content) -> None:
    """Show clients the hidden merchants that ``content`` holds."""
    hidden = set(Merchant.objects.filter(published=False).values_list("pk", flat=True))
    if hidden:
        published = hidden & {UUID(merchant.id) for merchant in content.merchants}
        Merchant.objects.filter(pk__in=published).update(published=True)


def _stored_content(number: int) -> Content:
    stored = Ruleset.objects.values_list("content", flat=True).get(number=number)
    return Content.unpacked(bytes(stored))


def _categorized(merchant: CatalogueMerchant) -> CatalogueMerchant:
    """Return a merchant with its published category; a blank one becomes that of its MCCs."""
    word = stored_word(merchant.category, merchant.mccs)
    return merchant if word == merchant.category else replace(merchant, category=word)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
