"""The draft compared with the published ruleset: differences, trial answers, preview."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

from django.core.cache import cache
from django.db.models import Count, Max

from merchants.catalogue import rulesets
from merchants.catalogue.preview import Example, Preview, preview
from merchants.catalogue.preview import examples_of as preview_examples
from merchants.catalogue.rulesets import CatalogueHeuristic
from merchants.matching.heuristic import PaveHeuristic
from merchants.matching.types import CatalogueMerchant, Key, Match, MatchRule, Transaction
from merchants.models import Alias, Merchant, Rule, Ruleset
from pave.core.caching.cached_lookup import read_cached, write_cached
from pave.core.caching.loading import load_once
from pave.core.database import advisory_locks, lock_limit

# A preview takes seconds of CPU, and publishing after it must not wait again.
_PREVIEW_CACHE_SECONDS = 3600
# One is kept, of the draft as it was seen last.
_PREVIEW = "preview"

# Concurrent requests mostly want the same preview: one computes it.
_preview_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Difference:
    """What publishing would change about a merchant or a rule.

    Args:
        what: ``merchant`` or ``rule``.
        kind: ``added``, ``removed`` or ``changed``.
        name: Its display name.
        fields: Values before and after, by field.
    """

    what: str
    kind: str
    name: str
    fields: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A transaction's answers by the published ruleset and by the draft."""

    key: Key
    published: Match
    draft: Match

    @property
    def differs(self) -> bool:
        """Whether publishing would change the answer."""
        return (self.published.merchant_id, self.published.name) != (
            self.draft.merchant_id,
            self.draft.name,
        )


class DraftChanged(Exception):
    """The draft has changed since it was reviewed."""


def publish(*, seen_fingerprint: str, note: str, by: str) -> Ruleset:
    """Publish the draft, unless it has changed since it was reviewed.

    Args:
        seen_fingerprint: Its fingerprint when it was reviewed.
        note: What changed, for staff.
        by: Who publishes it.

    Raises:
        DraftChanged: It has changed.
        Locked: As ``rulesets.publish``.
    """
    with lock_limit.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        if fingerprint() != seen_fingerprint:
            raise DraftChanged
        return rulesets.publish(note=note, by=by)


def fingerprint() -> str:
    """Return a text that changes with the draft and with the published ruleset."""
    merchants = Merchant.objects.aggregate(Count("pk"), Max("updated_at"))
    aliases = Alias.objects.aggregate(Count("pk"), Max("pk"))
    rules = Rule.objects.aggregate(Count("pk"), Max("updated_at"))
    values = [rulesets.current().number, *merchants.values(), *aliases.values(), *rules.values()]
    return "|".join(map(str, values))


def differences() -> list[Difference]:
    """Return the merchants and rules that publishing the draft would change."""
    older, newer = rulesets.current_content(), rulesets.draft()
    names = {merchant.id: merchant.name for merchant in (*older.merchants, *newer.merchants)}
    return [
        *_differences_between(older.rules, newer.rules, "rule", names),
        *_differences_between(older.merchants, newer.merchants, "merchant", names),
    ]


def preview_of_draft(*, compute: bool) -> Preview | None:
    """Return what publishing the draft would change for clients; None if not yet computed.

    Args:
        compute: Whether to compute it, which takes seconds, if it is not cached and no other
            thread of the process does.
    """
    of_draft = fingerprint()
    cached = _cached_preview(of_draft)
    if cached is None and compute and _preview_lock.acquire(blocking=False):
        try:
            cached = _cached_preview(of_draft)  # it may have been stored just now
            if cached is None:
                cached = preview()
                plain = [of_draft, asdict(cached)]
                write_cached(_PREVIEW, plain, seconds=_PREVIEW_CACHE_SECONDS)
        finally:
            _preview_lock.release()
    return cached


def forget_preview() -> None:
    """Drop the cached preview, which has ids of requests."""
    cache.delete(_PREVIEW)


def _cached_preview(of_draft: str) -> Preview | None:
    def restore(plain: Any) -> Preview:
        if plain[0] != of_draft:
            raise LookupError(of_draft)  # so it makes room for this one's
        return Preview(**plain[1])

    return read_cached(_PREVIEW, restore, seconds=_PREVIEW_CACHE_SECONDS)


def examples_of(result: Preview) -> dict[str, list[Example]]:
    """Return the examples of a preview of the draft, of requests that still exist."""
    return preview_examples(result, _published_heuristic(), _draft_heuristic(fingerprint()))


def try_out(transaction: Transaction) -> TrialResult:
    """Return what Pave's own heuristic answers, as published and as the draft has it."""
    published = _published_heuristic()
    return TrialResult(
        key=published.key(transaction),
        published=published.match(transaction),
        draft=_draft_heuristic(fingerprint()).match(transaction),
    )


def _published_heuristic() -> CatalogueHeuristic | PaveHeuristic:
    """Return Pave's own heuristic of the published ruleset: a custom one may take any time."""
    number = rulesets.current().number
    if rulesets.uses_rulesets():
        return cast(CatalogueHeuristic, rulesets.heuristic_for(number))
    return _own_heuristic(number)


@load_once()
def _own_heuristic(number: int) -> PaveHeuristic:
    content = rulesets.content_of(number)
    return PaveHeuristic(content.merchants, content.rules)


@load_once()
def _draft_heuristic(seen_fingerprint: str) -> PaveHeuristic:
    """Return the heuristic of the draft, cached by its fingerprint."""
    content = rulesets.draft()
    return PaveHeuristic(content.merchants, content.rules)


def _differences_between(
    older: Iterable[CatalogueMerchant | MatchRule],
    newer: Iterable[CatalogueMerchant | MatchRule],
    what: str,
    names: dict[str, str],
) -> Iterator[Difference]:
    old_rows, new_rows = set(older), set(newer)
    before = {row.id: row for row in old_rows - new_rows}
    after = {row.id: row for row in new_rows - old_rows}
    ids = sorted(before.keys() | after.keys())
    for pk in ids:
        old, new = before.get(pk), after.get(pk)
        kind = "changed" if old and new else "added" if new else "removed"
        old_fields = asdict(old) if old else {}
        new_fields = asdict(new) if new else {}
        fields = {
            name: (_text(old_fields.get(name), names), _text(new_fields.get(name), names))
            for name in (new_fields or old_fields)
            if name != "id" and (old_fields.get(name) or "") != (new_fields.get(name) or "")
        }
        yield Difference(what, kind, _display_name(new or old), fields)


def _display_name(row: CatalogueMerchant | MatchRule | None) -> str:
    if isinstance(row, MatchRule):
        return f"{row.kind} “{row.pattern}”"
    return row.name if row else ""


def _text(value: object, names: dict[str, str]) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return names.get(str(value), str(value)) if value else ""
