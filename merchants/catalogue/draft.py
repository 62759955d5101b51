"""The draft beside what is published: what differs, what it would answer, what it would change."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max

from merchants.catalogue import rulesets
from merchants.catalogue.preview import Example, Preview, preview
from merchants.catalogue.preview import examples_of as worked_out
from merchants.catalogue.rulesets import CatalogueHeuristic
from merchants.matching.heuristic import PaveHeuristic
from merchants.matching.types import CatalogueMerchant, Key, Match, MatchRule, Transaction
from merchants.models import Alias, Merchant, Rule, Ruleset
from pave.core import advisory_locks
from pave.core.loading import loaded

# A preview takes some seconds of CPU; whoever publishes after it must not wait again.
_PREVIEW_SECONDS = 3600

# While one works a preview out, the others wait: it is most likely the same one.
_previewing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Difference:
    """What publishing would change about a merchant or a rule.

    Args:
        what: ``merchant`` or ``rule``.
        kind: ``added``, ``removed`` or ``changed``.
        name: What it is called.
        fields: Field -> before and after.
    """

    what: str
    kind: str
    name: str
    fields: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a transaction is answered by the published ruleset, and would be by the draft."""

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
    """The draft is another one than was looked at."""


def publish(*, looked_at: str, note: str, by: str) -> Ruleset:
    """Publish the draft, if it is the one that somebody has looked at.

    Args:
        looked_at: Its fingerprint then.
        note: What changed, for staff.
        by: Who publishes it.

    Raises:
        DraftChanged: It is another one now.
    """
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        if fingerprint() != looked_at:
            raise DraftChanged
        return rulesets.publish(note=note, by=by)


def fingerprint() -> str:
    """Return a text that is another one whenever the draft, or what is published, has changed."""
    merchants = Merchant.objects.aggregate(Count("pk"), Max("updated_at"))
    aliases = Alias.objects.aggregate(Count("pk"), Max("pk"))
    rules = Rule.objects.aggregate(Count("pk"), Max("updated_at"))
    values = [rulesets.current().number, *merchants.values(), *aliases.values(), *rules.values()]
    return "|".join(map(str, values))


def differences() -> list[Difference]:
    """Return what publishing the draft would change in the catalogue and its rules."""
    older, newer = rulesets.current_content(), rulesets.draft()
    names = {merchant.id: merchant.name for merchant in (*older.merchants, *newer.merchants)}
    return [
        *_paired(older.rules, newer.rules, "rule", names),
        *_paired(older.merchants, newer.merchants, "merchant", names),
    ]


def preview_of_draft(*, work_it_out: bool) -> Preview | None:
    """Return what publishing the draft would change for clients.

    Args:
        work_it_out: Whether to do the work, some seconds of it, if nobody has yet.
    """
    key = f"preview:{fingerprint()}".replace(" ", "_")
    found = cache.get(key)
    if found is None and work_it_out:
        with _previewing:
            found = cache.get(key)
            if found is None:
                found = preview()
                cache.set(key, found, _PREVIEW_SECONDS)
    return found


def examples_of(seen: Preview) -> dict[str, list[Example]]:
    """Return the examples of a preview of the draft, worked out anew from what is still there."""
    return worked_out(seen, _published_heuristic(), _draft_heuristic(fingerprint()))


def try_out(transaction: Transaction) -> Tried:
    """Return what Pave's own heuristic answers a transaction, and would answer it, and why."""
    published = _published_heuristic()
    return Tried(
        key=published.key(transaction),
        published=published.match(transaction),
        draft=_draft_heuristic(fingerprint()).match(transaction),
    )


def _published_heuristic() -> CatalogueHeuristic | PaveHeuristic:
    """Return Pave's own heuristic of the published ruleset: another one may take any time."""
    number = rulesets.current().number
    if rulesets.is_ours():
        return cast(CatalogueHeuristic, rulesets.heuristic_for(number))
    return _own_heuristic(number)


@loaded()
def _own_heuristic(number: int) -> PaveHeuristic:
    content = rulesets.content_of(number)
    return PaveHeuristic(content.merchants, content.rules)


@loaded()
def _draft_heuristic(of: str) -> PaveHeuristic:
    """Return the heuristic of the draft, kept as long as the draft's fingerprint is ``of``."""
    content = rulesets.draft()
    return PaveHeuristic(content.merchants, content.rules)


def _paired(
    older: Iterable[CatalogueMerchant | MatchRule],
    newer: Iterable[CatalogueMerchant | MatchRule],
    what: str,
    names: dict[str, str],
) -> Iterator[Difference]:
    old_ones, new_ones = set(older), set(newer)
    before = {one.id: one for one in old_ones - new_ones}
    after = {one.id: one for one in new_ones - old_ones}
    ids = sorted(before.keys() | after.keys())
    for pk in ids:
        old, new = before.get(pk), after.get(pk)
        kind = "changed" if old and new else "added" if new else "removed"
        first = asdict(old) if old else {}
        last = asdict(new) if new else {}
        fields = {
            name: (_text(first.get(name), names), _text(last.get(name), names))
            for name in (last or first)
            if name != "id" and (first.get(name) or "") != (last.get(name) or "")
        }
        yield Difference(what, kind, _name(new or old), fields)


def _name(one: CatalogueMerchant | MatchRule | None) -> str:
    if isinstance(one, MatchRule):
        return f"{one.kind} “{one.pattern}”"
    return one.name if one else ""


def _text(value: object, names: dict[str, str]) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return names.get(str(value), str(value)) if value else ""
