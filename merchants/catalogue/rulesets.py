"""Rulesets: the draft that staff edit, what is published of it, and the heuristic that it makes.

The rows of merchants, aliases and rules are the draft. What answers is the content of the newest
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
from django.db import transaction
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
from pave.core import advisory_locks
from pave.core.card_masking import masked
from pave.core.loading import loaded, without_collection


@dataclass(frozen=True, slots=True)
class Content:
    """The merchants and rules of a ruleset, or of the draft."""

    merchants: tuple[CatalogueMerchant, ...] = ()
    rules: tuple[MatchRule, ...] = ()

    def packed(self) -> bytes:
        """Return it as it is stored: rows of values, without their names."""
        plain = {
            "merchants": [astuple(merchant) for merchant in self.merchants],
            "rules": [astuple(rule) for rule in self.rules],
        }
        # No time stamp inside: equal contents are equal bytes.
        return gzip.compress(json.dumps(plain, separators=(",", ":")).encode(), 6, mtime=0)

    @classmethod
    def unpacked(cls, stored: bytes) -> "Content":
        """Return what ``packed`` made bytes of; nothing of no bytes.

        Rulesets from before there was a published list of categories hold other words for them.
        They are read as the list has them: otherwise every merchant would differ from the draft.
        """
        if not stored:
            return cls()
        with without_collection():
            plain = json.loads(gzip.decompress(stored))
            return cls(
                merchants=tuple(
                    _categorized(CatalogueMerchant(*map(_tupled, row)))
                    for row in plain["merchants"]
                ),
                rules=tuple(MatchRule(*row) for row in plain["rules"]),
            )


class CatalogueHeuristic:
    """Pave's own heuristic over the published catalogue; the default PAVE_HEURISTIC."""

    def __init__(self, content: Content | None = None) -> None:
        content = current_content() if content is None else content
        with without_collection():
            self._heuristic = PaveHeuristic(content.merchants, content.rules)
        self.merchants = {merchant.id: merchant for merchant in content.merchants}

    def key(self, transaction: Transaction) -> Key:
        """Return what makes two transactions the same question."""
        return self._heuristic.key(transaction)

    def match(self, transaction: Transaction) -> Match:
        """Return the merchant of ``transaction``; pure CPU, and possibly much of it."""
        return self._heuristic.match(transaction)


def current() -> Ruleset:
    """Return the newest ruleset, without its content; an empty first one where there is none."""
    ruleset = Ruleset.objects.first()
    if ruleset is None:
        # Two processes may both do this on an empty database: two empty ones do no harm.
        ruleset = Ruleset.objects.create(note="Nothing published yet", content=b"")
    return ruleset


def steady() -> Ruleset:
    """Return the newest ruleset; none is published until the open transaction ends.

    Who gives answers out does it under this lock, so that a revision finds what was answered by
    an older ruleset: all of it was committed before the newer one was.
    """
    advisory_locks.take(advisory_locks.Lock.PUBLISHING, shared=True)
    return current()


def current_content() -> Content:
    """Return what the newest ruleset holds."""
    return content_of(current().number)


@loaded(most=2)
def content_of(number: int) -> Content:
    """Return what a ruleset holds; it never changes."""
    return _stored_content(number)


@loaded()
def heuristic_for(number: int) -> Heuristic:
    """Return the heuristic that PAVE_HEURISTIC names, made anew for each ruleset's number."""
    heuristic_class = import_string(settings.PAVE_HEURISTIC)
    return heuristic_class(content_of(number)) if is_ours(heuristic_class) else heuristic_class()


def merchants_of(heuristic: object) -> dict[str, CatalogueMerchant]:
    """Return the merchants of the ruleset that a heuristic answers from, by id; else none."""
    return heuristic.merchants if isinstance(heuristic, CatalogueHeuristic) else {}


def is_ours(heuristic_class: object = None) -> bool:
    """Return whether PAVE_HEURISTIC is one that answers from rulesets."""
    heuristic_class = heuristic_class or import_string(settings.PAVE_HEURISTIC)
    return isinstance(heuristic_class, type) and issubclass(heuristic_class, CatalogueHeuristic)


@lru_cache(maxsize=1000)
def changes(older: int, newer: int) -> Changes:
    """Return what the rulesets after ``older``, up to ``newer``, have changed, by their numbers.

    What one has changed and a later one changed back is in it. It is put together of what each
    has changed, which is little, since two whole contents take a third of a second to compare.
    """
    merchants: set[CatalogueMerchant] = set()
    rules: set[MatchRule] = set()
    numbers = Ruleset.objects.filter(number__gt=older, number__lte=newer)
    for number in numbers.values_list("number", flat=True):
        step = _changed_by(number)
        merchants.update(step.merchants)
        rules.update(step.rules)
    return Changes(merchants=tuple(merchants), rules=tuple(rules))


def may_differ(request: NormalizationRequest, resolution: Resolution, ruleset: Ruleset) -> bool:
    """Return whether ``ruleset`` may answer ``request`` otherwise than an older resolution."""
    if resolution.ruleset_id == ruleset.number or not is_ours():
        return False
    published = changes(resolution.ruleset_id, ruleset.number)
    return published.may_affect(request.as_transaction(), resolution.answer)


@lru_cache(maxsize=1000)
def _changed_by(number: int) -> Content:
    """Return in what a ruleset differs from the one before, in both versions."""
    ruleset = Ruleset.objects.filter(number=number)
    changed = ruleset.values_list("changed", flat=True).get()
    if changed is not None:
        return Content.unpacked(bytes(changed))
    # It was published by a release that did not write it down.
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
    """Return what would be published now."""
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
            # One for a merchant that is hidden would say that there is none in the text.
            for rule in Rule.objects.filter(active=True)
            .exclude(merchant__active=False)
            .order_by("id")
        ),
    )


def publish(*, note: str, by: str) -> Ruleset:
    """Let the draft answer from now on, and have earlier answers looked at.

    Args:
        note: What changed, for staff.
        by: Who publishes it.

    Returns:
        The new ruleset; the present one if the draft is no different.
    """
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        return _publish(draft(), note=masked(note), by=by)


def roll_back(*, to: Ruleset, by: str) -> Ruleset:
    """Let an earlier ruleset answer again, as a new one with its content.

    The draft stays as it is: what was wrong in it can be mended and published.
    """
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        return _publish(content_of(to.number), note=f"Back to {to}", by=by, restores=to)


def _publish(content: Content, *, note: str, by: str, restores: Ruleset | None = None) -> Ruleset:
    """Publish ``content``, holding the draft's lock: nobody else publishes, or changes many rows.

    What takes its time comes before the lock that all answers wait for.
    """
    now = timezone.now()
    since = now - timedelta(days=settings.PAVE_RETENTION_DAYS)
    present = current()
    older = _stored_content(present.number)
    if older == content:
        return present
    ruleset = Ruleset(
        note=note[:300],
        content=content.packed(),
        changed=difference(older, content).packed(),
        published_by=by[:150],
        restores=restores,
    )
    total = NormalizationRequest.objects.answered(since).count()
    advisory_locks.take(advisory_locks.Lock.PUBLISHING)
    ruleset.save(force_insert=True)
    _show(content)
    # One look at earlier answers is enough, with the newest ruleset.
    Revision.objects.filter(status=Revision.Status.RUNNING).update(
        status=Revision.Status.DONE, finished_at=now
    )
    Revision.objects.create(ruleset=ruleset, since=since, total=total)
    REVISE.send()
    return ruleset


def _show(content: Content) -> None:
    """Let clients see those merchants that were hidden until a ruleset holds them."""
    hidden = set(Merchant.objects.filter(published=False).values_list("pk", flat=True))
    if hidden:
        held = hidden & {UUID(merchant.id) for merchant in content.merchants}
        Merchant.objects.filter(pk__in=held).update(published=True)


def _stored_content(number: int) -> Content:
    stored = Ruleset.objects.values_list("content", flat=True).get(number=number)
    return Content.unpacked(bytes(stored))


def _categorized(merchant: CatalogueMerchant) -> CatalogueMerchant:
    """Return a merchant with its category as it is answered: left blank, that of its MCCs."""
    word = stored_word(merchant.category, merchant.mccs)
    return merchant if word == merchant.category else replace(merchant, category=word)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
